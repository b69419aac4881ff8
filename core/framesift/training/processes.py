"""A training that `accelerate launch` runs in several processes, each with a device of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from framesift.registry import require


def device() -> str:
    """Returns the device of this process."""
    return str(_state().device)


def count() -> int:
    """Returns how many processes train together."""
    return int(_state().num_processes)


def is_main() -> bool:
    """Returns whether this process writes what comes out."""
    return bool(_state().is_main_process)


def main_first() -> AbstractContextManager[None]:
    """Lets the main process do first what the others then find done."""
    state = _state()
    whole: AbstractContextManager[None] = state.main_process_first()
    return whole if state.num_processes > 1 else nullcontext()


def wait_for_all() -> None:
    """Returns when all processes have come here."""
    _state().wait_for_everyone()


def _state() -> Any:
    return require("accelerate", extra="train").PartialState(cpu=not torch.cuda.is_available())
