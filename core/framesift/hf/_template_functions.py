"""What chat templates may use in their sandbox besides jinja's own tags and functions."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension
from jinja2.utils import Namespace

from framesift.hf._template_limits import TemplateLimitError, dumping

LONGEST: Final = 100


class GenerationTag(Extension):
    """The tag around what the assistant says, which changes nothing in the text."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Any) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


class Names(Namespace):
    """Variables that outlive a loop."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise SecurityError(f"it sets {name[:40]!r}; names do not start with an underscore")
        super().__setitem__(name, value)


def json_of(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    """Returns a value as JSON, as transformers writes it."""
    dumping(value, indent=indent, separators=separators)
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def refuse(message: object) -> None:
    """Ends a template that does not take the conversation."""
    raise TemplateError(str(message)[:LONGEST])


def now(pattern: str) -> str:
    """Returns today's date."""
    if len(pattern) > LONGEST:
        raise TemplateLimitError("it writes the date by a pattern of more than 100 letters")
    return datetime.now().strftime(pattern)
