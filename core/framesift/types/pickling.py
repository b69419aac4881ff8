"""Values with tensors: a pickle of one is for any machine, a copy stays on its device."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace
from typing import Any, Self, cast

from torch import Tensor


class PickledOnCpu:
    """A frozen dataclass of tensors: copies stay on their device, a pickle is on the CPU.

    A pickle may be read on a machine that has no such device. It is written by `__reduce__`, since
    Python before 3.11.3 replaces a `__getstate__` of a frozen dataclass with slots by its own.
    """

    __slots__ = ()

    def __copy__(self) -> Self:
        copied: Self = replace(cast(Any, self))
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        given = {f.name: getattr(self, f.name) for f in fields(cast(Any, self))}
        copied: Self = replace(cast(Any, self), **deepcopy(given, memo))
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        given = {f.name: getattr(self, f.name) for f in fields(cast(Any, self))}
        on_cpu = {
            name: each.cpu() if isinstance(each, Tensor) else each for name, each in given.items()
        }
        return _unpickled, (type(self), on_cpu)


def _unpickled(kind: type[Any], given: dict[str, Any]) -> Any:
    """Returns the value of a class with these fields; checks read its defaults for new ones."""
    return kind(**given)
