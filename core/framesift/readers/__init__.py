"""The registry of readers of text: one file is one reader, its file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.registry import Registry, RegistryPackage

if TYPE_CHECKING:
    from framesift.readers.base import Reader

registry: Registry[Reader] = Registry(
    __name__,
    "framesift.readers.base.Reader",
    beside=frozenset(
        {
            "base",
            "changed",
            "following",
            "likeness",
            "merging",
            "ocr",
            "pieces",
            "reading_order",
            "seen",
        }
    ),
)
sys.modules[__name__].__class__ = RegistryPackage
