"""Values with tensors: a pickle of one is for any machine, a copy stays on its device."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace
from typing import Any, Self, cast

from torch import Tensor


class PickledOnCpu:
    """A frozen dataclass of tensors: copies stay on their device, `cpu_state` is what is pickled.

    A pickle may be read on a machine that has no such device.
    """

    __slots__ = ()

    def __copy__(self) -> Self:
        copied: Self = replace(cast(Any, self))
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        given = {f.name: getattr(self, f.name) for f in fields(cast(Any, self))}
        copied: Self = replace(cast(Any, self), **deepcopy(given, memo))
        return copied


def cpu_state(value: Any) -> list[Any]:
    """Returns the fields of a frozen dataclass as a pickle holds them, tensors on the CPU."""
    given = (getattr(value, f.name) for f in fields(value))
    return [each.cpu() if isinstance(each, Tensor) else each for each in given]
