"""The registry of strategies: one file is one strategy, and the file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.registry import Registry, RegistryPackage

if TYPE_CHECKING:
    from framesift.strategies.base import Strategy

registry: Registry[Strategy] = Registry(
    __name__,
    "framesift.strategies.base.Strategy",
    frozenset({"base", "determinantal", "dpc_knn", "shares", "slow_fast_layout", "streaming"}),
)
sys.modules[__name__].__class__ = RegistryPackage
