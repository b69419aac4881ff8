"""Reads the annotations of options as validators, as a JSON schema and in words.

One annotation such as `threshold: Annotated[float, Field(ge=-1, le=1)] | None = None` is the one
place that the check, the schema, listings and error lines come from; descriptions are the
docstrings below the fields.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import numbers
import os
import textwrap
import types
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, ConfigDict, TypeAdapter
from pydantic_core import core_schema

STRICT: Final = ConfigDict(strict=True, allow_inf_nan=False)
_WORDS: Final = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "null": "None",
}


def options_schema(kind: type) -> dict[str, Any]:
    """Returns the JSON schema of a dataclass's options: type, range, default and description."""
    properties, required, texts = {}, [], descriptions(kind)
    for field in fields(kind):
        if (adapter := adapters(kind).get(field.name)) is None:
            continue
        properties[field.name] = adapter.json_schema()
        if field.name in texts:
            properties[field.name]["description"] = texts[field.name]
        if field.default is not MISSING:
            properties[field.name]["default"] = _jsonable(field.default)
        elif field.default_factory is not MISSING:
            properties[field.name]["default"] = _jsonable(field.default_factory())
        else:
            required.append(field.name)
    schema = {"type": "object", "properties": properties, "required": required}
    return {"title": kind.__name__, **schema, "additionalProperties": False}


@functools.lru_cache(maxsize=256)
def adapters(kind: Hashable) -> dict[str, TypeAdapter[Any]]:
    """Returns what validates each option of a dataclass, by name."""
    assert isinstance(kind, type)
    stated = hints(kind)
    names = [field.name for field in fields(kind) if field.init and field.name in stated]
    return {name: adapter(stated[name]) for name in names}


def hints(kind: type) -> dict[str, Any]:
    """Returns the annotations of a class; `Any` for one that cannot be read."""
    stated: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        # From Python 3.14 on, one that cannot be read hides the others of its class.
        with suppress(NameError, TypeError, AttributeError):
            own = inspect.get_annotations(base)
            stated |= {name: _read(base, name, hint) for name, hint in own.items()}
    return stated


def marks(hint: Any) -> list[Any]:
    """Returns what stands beside the types of an annotation, also of a type that is one of many."""
    if get_origin(hint) is Annotated:
        return [*hint.__metadata__, *marks(hint.__origin__)]
    if get_origin(hint) in (Union, types.UnionType):
        return [mark for each in get_args(hint) for mark in marks(each)]
    return []


def _read(kind: type, name: str, hint: Any) -> Any:
    """Returns what an annotation that may be text stands for, with the names that its class has."""
    facts = {"__module__": kind.__module__, "__annotations__": {name: hint}}
    try:
        alone = type(kind.__name__, (), facts)
        return inspect.get_annotations(alone, locals=dict(vars(kind)), eval_str=True)[name]
    except (NameError, TypeError, AttributeError):
        # Its type is imported for type checkers only, or stands within a function.
        return Any


def _jsonable(default: Any) -> Any:
    """Returns a default as JSON has it: paths and parts as the text that makes them."""
    if isinstance(default, tuple | list):
        return [_jsonable(each) for each in default]
    if default is None or isinstance(default, bool | int | float | str | dict):
        return default
    return str(getattr(default, "spec", default))


def adapter(hint: Any) -> TypeAdapter[Any]:
    """Returns what validates values by an annotation, strictly.

    Scalars of numpy become Python's own, paths where text is stated become text, lists tuples.
    """
    return TypeAdapter(_strict(hint), config=STRICT)


def descriptions(kind: type) -> dict[str, str]:
    """Returns the docstrings below the fields of a dataclass, each on one line."""
    texts = {}
    for base in filter(is_dataclass, reversed(kind.__mro__)):
        try:
            (definition,) = ast.parse(textwrap.dedent(_source(base))).body
        except (OSError, TypeError, SyntaxError):  # typed into a console, for one
            continue
        for field, below in pairwise(getattr(definition, "body", ())):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    texts[name] = " ".join(text.split())
    return texts


def _source(kind: type) -> str:
    """Returns the source of a dataclass; a public one names framesift, not its file, as module."""
    made_in = getattr(vars(kind).get("__init__"), "__globals__", {}).get("__name__")
    facts = {name: vars(kind)[name] for name in vars(kind).keys() & {"__firstlineno__"}}
    facts |= {"__module__": made_in or kind.__module__, "__qualname__": kind.__qualname__}
    return inspect.getsource(type(kind.__name__, (), facts))


def explained(schema: dict[str, Any]) -> str:
    """Returns in words what one option allows and means: `a number from 0 to 1 (share of ...)`."""
    first = schema.get("description", "").split(". ")[0].split("; ")[0].rstrip(".;")
    if not first:
        return allowed(schema)
    lowered = first[0].lower() if first[1:2].islower() else first[0]
    return f"{allowed(schema)} ({lowered}{first[1:]})"


def allowed(schema: dict[str, Any]) -> str:
    """Returns in words what the JSON schema of one option allows, such as `a number above 0`."""
    if "anyOf" in schema:
        *others, last = (allowed(each) for each in schema["anyOf"])
        return f"{' or '.join(others)}{',' if last == _WORDS['null'] else ''} or {last}"
    if values := listed(schema):
        return f"one of: {', '.join(map(str, values))}"
    if schema.get("type") == "array":
        items = schema.get("items") or schema["prefixItems"][0]
        return f"a tuple of {allowed(items)}"
    if schema.get("format") == "path":
        return "a path"
    words = _WORDS.get(schema.get("type", "")) or f"a {schema.get('title', 'value')}"
    return f"{words}{_range(schema)}"


def choices(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the schemas of the types that one option may have, one for each."""
    several: list[dict[str, Any]] = schema.get("anyOf", [schema])
    return several


def listed(schema: dict[str, Any]) -> list[Any]:
    """Returns the values that the schema of one type lists; nothing where it lists none."""
    values: list[Any] = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return values


def _range(schema: dict[str, Any]) -> str:
    """Returns the range of a number in words, with a space before it; nothing without a range."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if schema.get("type") == "string":
        return _form(schema)
    if "multipleOf" in schema:
        rest = {key: value for key, value in schema.items() if key != "multipleOf"}
        return f"{_range(rest)}, a multiple of {schema['multipleOf']:g}"
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    limits = {"of at least": low, "above": above, "of at most": high, "below": below}
    stated = [f"{words} {limit:g}" for words, limit in limits.items() if limit is not None]
    return f" {' and '.join(stated).replace('and of', 'and')}" if stated else ""


def _form(schema: dict[str, Any]) -> str:
    """Returns the length and the pattern of text in words, with a space before them."""
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    words = " that is not empty" if least == 1 and most is None else ""
    if most is not None:
        words = f" of {least} to {most} letters"
    elif least > 1:
        words = f" of at least {least} letters"
    return f"{words} that matches {schema['pattern']}" if "pattern" in schema else words


@dataclass(frozen=True)
class _InstanceOf:
    """Accepts the instances of a class as they are, without a look at their fields."""

    kind: type

    def __get_pydantic_core_schema__(self, *_: Any) -> core_schema.CoreSchema:
        return core_schema.is_instance_schema(self.kind)

    def __get_pydantic_json_schema__(self, *_: Any) -> dict[str, Any]:
        return {"title": self.kind.__name__}


def _strict(hint: Any) -> Any:
    """Returns an annotation with what each of its types also takes, and classes left closed."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        # A range stands next to its type, before what else the type takes: so a schema states it.
        bare = _strict(inner[0])
        bare, *also = get_args(bare) if get_origin(bare) is Annotated else (bare,)
        return Annotated[bare, *hint.__metadata__, *also]
    if origin in (Union, types.UnionType):
        # A path stays one where paths are stated beside text: only text may come from strangers.
        kept = str if Path in inner else None
        return Union[tuple(each if each is kept else _strict(each) for each in inner)]  # noqa: UP007
    if origin is tuple:
        each = tuple(item if item is Ellipsis else _strict(item) for item in inner)
        return Annotated[tuple.__class_getitem__(each), BeforeValidator(_tuple)]
    if hint in _ALSO:
        return Annotated[hint, BeforeValidator(_ALSO[hint])]
    if origin is Literal or hint in (Any, None, type(None), Path):
        return hint
    return Annotated[Any, _InstanceOf(hint)] if origin is None and isinstance(hint, type) else Any


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_truth(value: Any) -> bool:
    # By name, so that this module needs no numpy, whose truth values do not derive from `bool`.
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")


def _truth(value: Any) -> Any:
    return bool(value) if _is_truth(value) else value


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, numbers.Integral) and not _is_truth(value) else value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if not isinstance(value, numbers.Real) or _is_truth(value):
        return None  # pydantic itself would take all that has `__float__`, such as a tensor
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


_ALSO: Final[dict[Any, Callable[[Any], Any]]] = {
    bool: _truth,
    int: _whole,
    float: _number,
    str: _text,
}
