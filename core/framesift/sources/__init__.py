"""The registry of sources: one file is one source, and the file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.registry import Registry, RegistryPackage

if TYPE_CHECKING:
    from framesift.sources.base import Source

registry: Registry[Source] = Registry(
    __name__,
    "framesift.sources.base.Source",
    frozenset({"base", "beneath", "link_times", "listing", "sites", "timed_text", "tracks"}),
)
sys.modules[__name__].__class__ = RegistryPackage
