"""The registry of scorers: one file is one scorer, and the file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.registry import Registry, RegistryPackage

if TYPE_CHECKING:
    from framesift.scorers.base import Scorer

registry: Registry[Scorer] = Registry(
    __name__,
    "framesift.scorers.base.Scorer",
    beside=frozenset({"base", "candidates", "text_search"}),
)
sys.modules[__name__].__class__ = RegistryPackage
