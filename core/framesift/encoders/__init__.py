"""The registry of encoders: one file is one encoder, and the file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.registry import Registry, RegistryPackage

if TYPE_CHECKING:
    from framesift.encoders.base import Encoder

registry: Registry[Encoder] = Registry(
    __name__,
    "framesift.encoders.base.Encoder",
    frozenset({"base", "edges", "still", "units", "whole_pictures"}),
)
sys.modules[__name__].__class__ = RegistryPackage
