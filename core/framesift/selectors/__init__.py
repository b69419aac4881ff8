"""The registry of selectors: one file is one selector, and the file's name is its public name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from framesift.errors import UnknownNameError
from framesift.registry import Registry, RegistryPackage
from framesift.scorers import registry as scorers

if TYPE_CHECKING:
    from framesift.selectors.base import Selector


class SelectorRegistry(Registry["Selector"]):
    """The selectors by name; it knows scorers, which are no selectors, but options of some."""

    def get(self, name: str) -> type[Selector]:
        """Returns the class behind `name`.

        Raises:
            UnknownNameError: no such selector; says how a scorer is written.
            MissingDependencyError: it is of another package, and cannot be imported.
        """
        try:
            return super().get(name)
        except UnknownNameError as error:
            if name not in scorers.names():
                raise
            raise UnknownNameError(
                f"{name!r} is a scorer, which says what each frame is worth, and no selector; give "
                f"it to one that picks by scores, as 'nms:scorer={name}', or with options in "
                f"brackets, as 'nms:scorer=[{name}:option=value]'"
            ) from error


registry = SelectorRegistry(
    __name__, "framesift.selectors.base.Selector", beside=frozenset({"base", "question_scope"})
)
sys.modules[__name__].__class__ = RegistryPackage
