"""The registry of selectors: one file is one selector, and the file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.registry import Registry, RegistryPackage

if TYPE_CHECKING:
    from framesift.selectors.base import Selector

registry: Registry[Selector] = Registry(
    __name__, "framesift.selectors.base.Selector", beside=frozenset({"base", "question_scope"})
)
sys.modules[__name__].__class__ = RegistryPackage
