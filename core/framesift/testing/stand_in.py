"""A device that no machine lacks: it computes on the CPU and behaves like an accelerator.

It has what makes code slow or wrong on a GPU, and no test on a CPU shows: it knows no float64, as
Apple's MPS does not, it refuses tensors of two devices in one operation, it counts each operation,
which is a kernel launch there, and each time that the host waits for a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from framesift.types.tokens import Signals, VideoTokens

DEVICE: Final = torch.device("meta")
"""What its tensors name as their device: one whose name every build of torch knows."""
VIEWS: Final = frozenset(
    {
        "_reshape_alias",
        "_unsafe_view",
        "alias",
        "as_strided",
        "detach",
        "diagonal",
        "expand",
        "lift_fresh",
        "narrow",
        "permute",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "t",
        "transpose",
        "unbind",
        "unfold",
        "unsqueeze",
        "view",
    }
)
"""Operations that compute nothing."""
WAITING: Final = frozenset(
    {
        "_local_scalar_dense",
        "_unique2",
        "equal",
        "is_nonzero",
        "masked_select",
        "nonzero",
        "repeat_interleave",
        "unique_consecutive",
        "unique_dim",
    }
)
"""Operations whose result, or its shape, the host must have before it goes on."""


@dataclass(slots=True)
class Operations:
    """What was computed within `counted` or `stand_in`."""

    by_name: Counter[str] = field(default_factory=Counter)
    """How often each operation of torch ran, without views."""
    waits: Counter[str] = field(default_factory=Counter)
    """What made the host wait for the stand-in device, and how often."""

    @property
    def count(self) -> int:
        """How many operations there were: kernel launches on an accelerator, or more."""
        return self.by_name.total()

    def note(self, name: str) -> None:
        """Counts one operation."""
        if name not in VIEWS:
            self.by_name[name] += 1


class _StandInTensor(Tensor):
    """A tensor of the stand-in device, whose values are those of `held` on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls: type[_StandInTensor], held: Tensor) -> _StandInTensor:
        made: _StandInTensor = Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), dtype=held.dtype, device=DEVICE
        )
        made.held = held
        return made

    def tolist(self) -> Any:
        """Returns the values as numbers; the host waits."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Refuses work outside of the block that counts it."""
        raise AssertionError(f"{func} ran on the stand-in device outside of `stand_in()`")


class _OperationCounter(TorchDispatchMode):
    def __init__(self, seen: Operations) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: Final = seen

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.seen.note(_name(func))
        return func(*args, **(kwargs or {}))


class _StandIn(_OperationCounter):
    """Runs operations on the stand-in device, which count; those of the CPU go on as they are."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name, given = _name(func), kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, given)) if isinstance(leaf, Tensor)]
        own = [leaf for leaf in tensors if isinstance(leaf, _StandInTensor)]
        target = given.get("device")
        here = target is not None and torch.device(target) == DEVICE
        if not own and not here:
            return func(*args, **given)
        leaves = own and not here and (target is not None or _copied_away(name, args))
        if not here and name not in ("_to_copy", "copy_"):
            _check_same_device(func, tensors)
        self.seen.note(name)
        if leaves or _waits(name, args, given):
            self.seen.waits[name] += 1
        if here:
            given = {**given, "device": torch.device("cpu")}
        out = func(*tree_map(_unwrapped, args), **tree_map(_unwrapped, given))
        if leaves:
            return args[0] if name == "copy_" else out
        return tree_map(lambda value: _wrapped(func, value, args), out)


class _Uploading(TorchFunctionMode):
    """Makes tensors of plain numbers on the CPU first: torch would drop what they hold."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        made = func in (torch.tensor, torch.as_tensor) and not isinstance(args[0], Tensor)
        if made and torch.device(given.get("device") or "cpu") == DEVICE:
            return func(*args, **{**given, "device": None}).to(DEVICE)
        if func is Tensor.new_tensor and isinstance(args[0], _StandInTensor):
            made_like = {"dtype": args[0].dtype, **given}
            return torch.tensor(*args[1:], **made_like).to(DEVICE)
        return func(*args, **given)


def _name(func: Any) -> str:
    return str(func.overloadpacket.__name__)


def _waits(name: str, args: Any, given: dict[str, Any]) -> bool:
    """Returns whether the host must know values before it can go on, such as how many there are."""
    if name.startswith("index"):
        places = tree_leaves(args[1:2])
        return any(isinstance(each, Tensor) and each.dtype == torch.bool for each in places)
    return name in WAITING and given.get("output_size") is None


def _copied_away(name: str, args: Any) -> bool:
    return name == "copy_" and not isinstance(args[0], _StandInTensor)


def _check_same_device(func: Any, tensors: list[Tensor]) -> None:
    strange = [each for each in tensors if not isinstance(each, _StandInTensor) and each.ndim]
    assert not strange, (
        f"{func} got a tensor {tuple(strange[0].shape)} on {strange[0].device} among those of the "
        "stand-in device"
    )


def _unwrapped(value: Any) -> Any:
    return value.held if isinstance(value, _StandInTensor) else value


def _wrapped(func: Any, value: Any, args: Any) -> Any:
    """Returns a result as a tensor of the device; what worked in place gives the same object."""
    if not isinstance(value, Tensor):
        return value
    for given in tree_leaves(args):
        if isinstance(given, _StandInTensor) and given.held is value:
            return given
    assert value.dtype != torch.float64, f"{func} makes float64, which accelerators lack"
    return _StandInTensor(value)


@contextmanager
def counted() -> Iterator[Operations]:
    """Gives the count of torch's operations within the block, on whatever device they run."""
    seen = Operations()
    with _OperationCounter(seen):
        yield seen


@contextmanager
def stand_in() -> Iterator[Operations]:
    """Gives the count of operations and waits on the stand-in device, which works in the block.

    Tensors come to it by `on_stand_in`, or `tensor.to(DEVICE)`, and leave it by `.cpu()`.

    Raises:
        AssertionError: float64 was made there, or an operation got tensors of two devices.
    """
    seen = Operations()
    with _StandIn(seen), _Uploading():
        yield seen


def on_stand_in(tokens: VideoTokens) -> VideoTokens:
    """Returns tokens whose features, signals and mask are on the stand-in device, within it."""
    signals = {name: value.to(DEVICE) for name, value in tokens.signals.present().items()}
    given = {f.name: getattr(tokens, f.name) for f in fields(tokens)}
    moved = {
        name: given[name].to(DEVICE)
        for name in ("features", "mask", "layers")
        if given[name] is not None
    }
    return replace(tokens, **moved, signals=Signals(**signals))
