"""Checks of what is passed as options: the type that an annotation states, and finite numbers.

`Options` is the base of every class whose fields are options. Its subclasses need no code for this:
before their own `__post_init__`, each value is held against the annotation of its field.
"""

from __future__ import annotations

import functools
import math
import numbers
import os
import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from framesift.errors import FramesiftError, InvalidOptionError

Error = type[FramesiftError]
_MISFIT: Final = object()
_WORDS: Final = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "None",
}
_MOST_LETTERS: Final = 100


class Options:
    """A dataclass whose fields are options: each holds a value of the type that it states."""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        own = vars(cls).get("__post_init__")
        if own is None or getattr(own, "checks_options", False):
            return

        @functools.wraps(own)
        def checked(self: Options) -> None:
            check_options(self)
            own(self)
            if type(self).__post_init__ is checked:  # not where a subclass goes on with its own
                check_finite(self)

        checked.checks_options = True  # type: ignore[attr-defined]
        cls.__post_init__ = checked  # type: ignore[method-assign]

    def __post_init__(self) -> None:
        check_options(self)
        if type(self).__post_init__ is Options.__post_init__:
            check_finite(self)


def check_options(made: Any, errors: Mapping[str, Error] | None = None) -> None:
    """Makes sure that the fields of a new dataclass hold what their annotations state.

    Scalars of numpy become Python's own, paths where text is stated become text, lists tuples.

    Args:
        made: a dataclass, frozen or not.
        errors: what to raise for a field, where it is not `InvalidOptionError`.
    """
    hints = _hints(type(made))  # type: ignore[arg-type]  # mypy: a class is hashable
    for field in fields(made):
        if not field.init or field.name not in hints:
            continue
        value = getattr(made, field.name)
        fitted = _fitted(hints[field.name], value)
        if fitted is _MISFIT:
            raise (errors or {}).get(field.name, InvalidOptionError)(
                f"{field.name}={shown(value)} must be {_allowed(hints[field.name])}"
            )
        if fitted is not value:
            object.__setattr__(made, field.name, fitted)


def check_finite(made: Any) -> None:
    """Makes sure that no field of a new dataclass holds NaN or infinity.

    It comes after the checks of ranges, which have more to say.
    """
    for field in fields(made):
        value = getattr(made, field.name)
        if field.init and isinstance(value, float) and not math.isfinite(value):
            raise InvalidOptionError(f"{field.name}={value!r} must be a finite number")


def whole(
    name: str, value: object, unit: str = "", *, low: int = 1, error: Error = InvalidOptionError
) -> int:
    """Returns an argument that must be a whole number of at least `low`.

    Raises:
        FramesiftError: it is not, as `error`.
    """
    fitted: Any = _fitted(int, value)
    if fitted is _MISFIT or fitted < low:
        raise error(
            f"{name}={shown(value)} must be at least {low}{unit and f' {unit}'}, a whole number"
        )
    return int(fitted)


def side_px(value: object, name: str = "max_side_px") -> int | None:
    """Returns the longest side of a picture, at least 1 pixel, or None for no limit.

    Raises:
        InvalidOptionError: it is neither.
    """
    return None if value is None else whole(name, value, "pixel, or None")


def number(
    name: str, value: object, *, low: float, high: float, unit: str = "", error: Error | None = None
) -> float:
    """Returns an argument that must be a finite number within `[low, high]`.

    Raises:
        FramesiftError: it is not, as `error` or `InvalidOptionError`.
    """
    fitted: Any = _fitted(float, value)
    if fitted is _MISFIT or not low <= fitted <= high:
        raise (error or InvalidOptionError)(
            f"{name}={shown(value)} must be a number from {low:g} to {high:g}{unit and f' {unit}'}"
        )
    return float(fitted)


def shown(value: object) -> str:
    """Returns a value for an error message: on one line, not longer than a reader reads."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # an object of somebody else may raise anything
        text = f"<{type(value).__name__}>"
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}..."


@functools.lru_cache(maxsize=256)
def _hints(kind: Hashable) -> dict[str, Any]:
    """Returns the annotations of a class; none where they cannot be read, as of local classes."""
    try:
        return typing.get_type_hints(kind)
    except (NameError, TypeError, AttributeError):
        return {}


def _fitted(hint: Any, value: Any) -> Any:
    """Returns `value` as an annotation states it, or `_MISFIT`."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _of_several(get_args(hint), value)
    if origin is Literal:
        return value if isinstance(value, str) and value in get_args(hint) else _MISFIT
    if origin is tuple:
        return _tuple(get_args(hint), value)
    if hint in (bool, int, float, str, type(None), None):
        return _scalar(type(None) if hint is None else hint, value)
    if not isinstance(hint, type) or origin is not None:
        return value
    try:
        return value if isinstance(value, hint) else _MISFIT
    except TypeError:  # a protocol that cannot be asked
        return value


def _of_several(hints: tuple[Any, ...], value: Any) -> Any:
    # A path stays one where paths are stated beside text: only text may come from strangers.
    if any(each is Path and isinstance(value, Path) for each in hints):
        return value
    found = (_fitted(each, value) for each in hints)
    return next((fitted for fitted in found if fitted is not _MISFIT), _MISFIT)


def _tuple(hints: tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, tuple | list):
        return _MISFIT
    each = [hints[0]] * len(value) if len(hints) == 2 and hints[1] is Ellipsis else list(hints)
    if len(each) != len(value):
        return _MISFIT
    fitted = tuple(_fitted(hint, item) for hint, item in zip(each, value, strict=True))
    if any(item is _MISFIT for item in fitted):
        return _MISFIT
    same = isinstance(value, tuple) and all(a is b for a, b in zip(fitted, value, strict=True))
    return value if same else fitted


def _scalar(kind: type, value: Any) -> Any:
    # Named, not imported: numpy's own truth values are no `bool`, and this module stays light.
    is_truth = isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
    fitted: Any = _MISFIT
    if kind is bool:
        fitted = bool(value) if is_truth else _MISFIT
    elif kind is int and isinstance(value, numbers.Integral) and not is_truth:
        fitted = int(value)
    elif kind is float and isinstance(value, numbers.Real) and not is_truth:
        fitted = _float(value)
    elif kind is str and isinstance(value, str | os.PathLike):
        text = value if type(value) is str else os.fspath(value)
        fitted = text if isinstance(text, str) else _MISFIT
    elif kind is type(None) and value is None:
        fitted = None
    return value if type(fitted) is type(value) and fitted is not _MISFIT else fitted


def _float(value: Any) -> Any:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _allowed(hint: Any) -> str:
    """Returns what an annotation allows, in words."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_allowed, get_args(hint)))
    if origin is Literal:
        return f"one of: {', '.join(map(str, get_args(hint)))}"
    if origin is tuple:
        return f"a tuple of {_allowed(get_args(hint)[0])}"
    return _WORDS.get(hint) or f"a {getattr(hint, '__name__', hint)}"
