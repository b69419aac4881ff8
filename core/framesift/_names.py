"""Imports public names of a package when they are first used; names that were renamed warn.

What a package's `__init__.py` imports for type checkers is the one table of its public names:

    if TYPE_CHECKING:
        from framesift.types.answer import Answer as Answer

    PublicNames(globals())

Type checkers and editors read the block as it stands. Python does not run it, but reads from it
where each name lives.
"""

from __future__ import annotations

import ast
import importlib
import sys
import typing
import warnings
from collections.abc import Mapping
from functools import reduce
from importlib.util import find_spec
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any, Final

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class PublicNames:
    """Gives a package `__getattr__`, `__dir__` and `__all__` for the names in its table."""

    def __init__(self, package: dict[str, Any], renamed: Mapping[str, str] = _NOTHING) -> None:
        """Reads the table of the package.

        Args:
            package: its `globals()`.
            renamed: names of before, of objects or modules, and the new ones of the same package;
                the old ones work for one release, with a warning.
        """
        self._package, self._renamed = package, renamed
        self._name: str = package["__name__"]
        source = package["__spec__"].loader.get_source(self._name)
        if source is None:
            raise ImportError(
                f"{self._name} reads its public names from its source, which is not there; keep "
                "the .py files of framesift, in a frozen program too"
            )
        self._homes = _table(source)
        names = sorted({*self._homes, *{"__version__"} & package.keys()})
        for old, new in renamed.items():
            if new.isidentifier() and find_spec(f"{self._name}.{new}"):
                package[old] = _RenamedModule(f"{self._name}.{old}", f"{self._name}.{new}")
        package.update(__all__=names, __getattr__=self._load, __dir__=lambda: names)

    def _load(self, name: str) -> Any:
        """Returns the object that a name of the package stands for: its `__getattr__`."""
        if name in self._renamed:
            _warn(f"{self._name}.{name}", new := f"{self._name}.{self._renamed[name]}")
            return reduce(getattr, new.split(".")[1:], sys.modules[self._name])
        if name not in self._homes:
            raise AttributeError(f"module {self._name!r} has no attribute {name!r}")
        home = self._homes[name]
        if home == self._name or not hasattr(importlib.import_module(home), name):
            return importlib.import_module(f"{home}.{name}")
        value = getattr(sys.modules[home], name)
        if home.startswith(f"{self._name}."):
            _move(value, self._name)
        self._package[name] = value
        return value


def _table(source: str) -> dict[str, str]:
    """Returns the module of each name that is imported under `if TYPE_CHECKING:`."""
    blocks = (node for node in ast.parse(source).body if isinstance(node, ast.If))
    imports = (node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom))
    return {alias.name: str(node.module) for node in imports for alias in node.names}


class _RenamedModule(ModuleType):
    """A module under the name that it had before."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__(old, f"`{new}` under the name that it had before, for one release.")
        self._new = new
        sys.modules[old] = self

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return dir(self)
        if name.startswith("__"):
            raise AttributeError(name)
        _warn(self.__name__, self._new)
        return getattr(importlib.import_module(self._new), name)

    def __dir__(self) -> list[str]:
        return [name for name in dir(importlib.import_module(self._new)) if name[0] != "_"]


def _warn(old: str, new: str) -> None:
    line = f"{old} is now {new}; the old name goes with the next release"
    warnings.warn(line, DeprecationWarning, stacklevel=3)


def _move(value: Any, package: str) -> None:
    """Makes a public object say that it is of the package, not of the file that defines it.

    Of several packages that have it, it names the outermost one.
    """
    if not isinstance(value, type | FunctionType) or value.__module__.count(".") < package.count(
        "."
    ):
        return
    if isinstance(value, type):
        # Annotations are texts, which are read with the names of the module that a class names.
        hints = typing.get_type_hints(value, include_extras=True)
        value.__annotations__ = {name: hints[name] for name in _own_annotations(value)}
        for name, field in vars(value).get("__dataclass_fields__", {}).items():
            field.type = hints[name]
    value.__module__ = package


def _own_annotations(kind: type) -> Mapping[str, Any]:
    own: Mapping[str, Any] = vars(kind).get("__annotations__", {})
    return own
