"""The registry of decoders: one file is one decoder, and the file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.registry import Registry, RegistryPackage

if TYPE_CHECKING:
    from framesift.decoders.base import Decoder

registry: Registry[Decoder] = Registry(
    __name__,
    "framesift.decoders.base.Decoder",
    frozenset({"ahead", "base", "motion", "sampling", "seeking", "sound", "stills"}),
)
sys.modules[__name__].__class__ = RegistryPackage
