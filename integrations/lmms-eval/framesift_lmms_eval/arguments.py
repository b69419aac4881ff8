"""Values of `--model_args`, which the harness splits at commas and leaves as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from framesift.errors import InvalidOptionError

FROM_HARNESS: Final = frozenset({"batch_size", "device", "max_batch_size"})
"""What the harness passes to every model beside its `--model_args`."""


def unquoted(value: Any) -> Any:
    """Returns a text without the quotes that kept its commas together; other values as they are."""
    is_quoted = isinstance(value, str) and len(value) > 1 and value[0] == value[-1] in "'\""
    return value[1:-1] if is_quoted else value


def inner_arguments(value: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """Returns the arguments of an inner model.

    Args:
        value: a dictionary, or one as JSON, such as `{"pretrained": "Qwen/Qwen3-VL-8B-Instruct"}`.

    Raises:
        InvalidOptionError: it is neither.
    """
    if value is None or value == "":
        return {}
    if isinstance(value, Mapping):
        return dict(value)
    try:
        parsed = json.loads(unquoted(value))
    except (TypeError, ValueError):
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidOptionError(
            f"inner_args={value!r} must be a JSON object with the inner model's own arguments; "
            'pass for instance inner_args={"pretrained":"Qwen/Qwen3-VL-8B-Instruct"}'
        )
    return parsed


def refuse_unknown(model: str, unknown: Mapping[str, Any], allowed: str) -> None:
    """Refuses arguments that a model does not have; what the harness adds to all is let through.

    Raises:
        InvalidOptionError: names them, and those that there are.
    """
    if names := sorted(unknown.keys() - FROM_HARNESS):
        raise InvalidOptionError(
            f"{model} has no argument {', '.join(names)}; there are {allowed}; arguments of an "
            "inner model go into inner_args"
        )
