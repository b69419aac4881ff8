"""The registry of vision LLMs: one file is one family, and the file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.registry import Registry, RegistryPackage

if TYPE_CHECKING:
    from framesift.vlms.base import VLM

registry: Registry[VLM] = Registry(
    __name__,
    "framesift.vlms.base.VLM",
    frozenset(
        {"any_resolution", "base", "blocks", "knowledge", "layout", "load", "marks", "origin"}
        | {"prompt"}
    ),
)
sys.modules[__name__].__class__ = RegistryPackage
