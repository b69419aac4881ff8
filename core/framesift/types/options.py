"""Checks of what is passed as options: the type and the range that an annotation states.

`Options` is the base of every class whose fields are options. Its subclasses need no code for this:
before their own `__post_init__`, each value is held against the annotation of its field.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from framesift.errors import FramesiftError, InvalidOptionError
from framesift.types import schema

Error = type[FramesiftError]
Count = Annotated[int, Field(ge=1)]
"""A whole number of at least 1."""
Amount = Annotated[int, Field(ge=0)]
"""A whole number that may be 0."""
Seed = Annotated[int, Field(ge=-(2**63), lt=2**64)]
"""What starts random draws: any whole number of 64 bits."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, which may be none of it."""
Fraction = Annotated[float, Field(gt=0, le=1)]
"""A part of a whole, but not none of it."""
NotNegative = Annotated[float, Field(ge=0)]
"""A number that may be 0."""
Levels = Annotated[float, Field(gt=1, le=255)]
"""A change of a colour of 256 levels."""
Still = Literal["copied", "dropped"]
"""What becomes of patches that stand still: copies of their last tokens, or nothing."""
ResizedBy = Literal["model", "decoder"]
"""What scales large frames down: the preparation of a model alone, or the decoder before it."""
Similarity = Annotated[float, Field(ge=-1, le=1)]
"""A cosine similarity."""
_MOST_LETTERS: Final = 100


@dataclass(frozen=True)
class Reaches:
    """Marks an option whose text names a file, a folder, a hub id or an address.

    It stands in the annotation. Specs in requests of strangers may not set such an option.
    """

    shipped: tuple[str, ...] = ()
    """Names of what comes with framesift, which anybody may give."""


@dataclass(frozen=True)
class SpecOf:
    """Marks an option that holds the spec string of another part; stands in its annotation."""

    package: str
    """Dotted name of the folder of that part, such as `framesift.scorers`."""


Reachable = Annotated[str, Reaches()]
"""Text that names a file, a folder, a hub id or an address."""
StrategySpec = Annotated[str, SpecOf("framesift.strategies")]
"""The spec string of a strategy."""
EncoderSpec = Annotated[str, SpecOf("framesift.encoders")]
"""The spec string of an encoder."""


@dataclass(frozen=True)
class Raises:
    """The error that a value outside of an option's range raises; stands in its annotation."""

    error: Error


class Options:
    """A dataclass whose fields are options: each holds a value that its annotation allows."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    """Where a model of pydantic holds one and is given a mapping: a misspelt option is an error."""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        own = vars(cls).get("__post_init__")
        if own is None or getattr(own, "checks_options", False):
            return

        @functools.wraps(own)
        def checked(self: Options) -> None:
            check_options(self)
            own(self)

        checked.checks_options = True  # type: ignore[attr-defined]
        cls.__post_init__ = checked  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        check_options(self)

    def __getstate__(self) -> dict[str, Any]:
        """Returns what a pickle or copy holds: not what is made of the options when it is needed.

        So a process that is handed one loads a model of its own, and a copy shares the weights.
        """
        kind = type(self)
        return {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(kind, name, None), cached_property)
        }

    @classmethod
    def options_schema(cls) -> dict[str, Any]:
        """Returns the JSON schema of the options: type, range, default and description of each."""
        return schema.options_schema(cls)


def check_options(made: Any) -> None:
    """Makes sure that the fields of a new dataclass hold what their annotations allow.

    Scalars of numpy become Python's own, paths where text is stated become text, lists tuples.

    Raises:
        FramesiftError: a value is not allowed, as `InvalidOptionError` or what the field `Raises`.
    """
    kind: type = type(made)
    for name in schema.adapters(kind):
        value = getattr(made, name)
        fitted = checked_option(kind, name, value)
        if fitted is not value:
            object.__setattr__(made, name, fitted)


def checked_option(kind: type, name: str, value: Any, *, is_text: bool = False) -> Any:
    """Returns the value of one option of a dataclass, as its annotation states it.

    Args:
        kind: the dataclass.
        name: the option.
        value: what was given.
        is_text: whether the value was written as text, in a spec string.

    Raises:
        FramesiftError: it is not allowed, as `InvalidOptionError` or what the field `Raises`.
    """
    if (adapter := schema.adapters(kind).get(name)) is None:
        return value
    given = _written(adapter.json_schema(), value) if is_text else value
    try:
        fitted = adapter.validate_python(given, strict=not is_text)
    except ValidationError as error:
        explained = schema.explained(schema.options_schema(kind)["properties"][name])
        hint = schema.hints(kind)[name]
        marks = [mark.error for mark in get_args(hint) if isinstance(mark, Raises)]
        line = f"{name}={shown(value)} must be {explained}"
        raise (marks or [InvalidOptionError])[0](line) from error
    if isinstance(fitted, str) and not fitted.strip() and _is_reaching(kind, name):
        # As a path, no text at all is the folder that the program runs in.
        raise InvalidOptionError(f"{name}={fitted!r} names nothing; give a name, or leave it out")
    return fitted


def _is_reaching(kind: type, name: str) -> bool:
    """Returns whether the text of an option names a file, a folder, a hub id or an address."""
    return any(isinstance(mark, Reaches) for mark in schema.marks(schema.hints(kind)[name]))


def _written(stated: dict[str, Any], text: str) -> Any:
    """Returns what text in a spec string stands for: a listed value, None, or itself."""
    kinds = schema.choices(stated)
    for value in (value for kind in kinds for value in schema.listed(kind)):
        if str(value) == text:
            return value
    takes_none = any(kind.get("type", "null") == "null" for kind in kinds)
    return None if takes_none and text.lower() == "none" else text


def whole(
    name: str,
    value: object,
    unit: str = "",
    *,
    high: int | None = None,
    error: Error = InvalidOptionError,
) -> int:
    """Returns an argument that must be a whole number of at least 1, and at most `high`.

    Raises:
        FramesiftError: it is not, as `error`.
    """
    return int(_argument(name, value, _adapter(int, 1, high), unit, error))


def side_px(value: object) -> int | None:
    """Returns the longest side of a picture, at least 1 pixel, or None for no limit.

    Raises:
        InvalidOptionError: it is neither.
    """
    return None if value is None else whole("max_side_px", value, "pixel, or None")


def number(
    name: str,
    value: object,
    *,
    low: float,
    high: float,
    unit: str = "",
    error: Error = InvalidOptionError,
) -> float:
    """Returns an argument that must be a finite number within `[low, high]`.

    Raises:
        FramesiftError: it is not, as `error`.
    """
    return float(_argument(name, value, _adapter(float, low, high), unit, error))


def shown(value: object) -> str:
    """Returns a value for an error message: on one line, not longer than a reader reads."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # an object of somebody else may raise anything
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


@functools.lru_cache(maxsize=256)
def _adapter(kind: type, low: float, high: float | None) -> TypeAdapter[Any]:
    return schema.adapter(Annotated[kind, Field(ge=low, le=high)])


def _argument(name: str, value: object, adapter: TypeAdapter[Any], unit: str, error: Error) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as wrong:
        allowed = schema.allowed(adapter.json_schema())
        line = f"{name}={shown(value)} must be {allowed}{unit and f' {unit}'}"
        raise error(line) from wrong
