"""Parts and their registries: a file's name is the public name of the one part that it holds.

Listing imports nothing, so a broken or heavy part cannot break the others. Third parties add
parts by entry points in the group of the folder's dotted name, such as `framesift.strategies`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import sys
from abc import ABC
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, dataclass, fields
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar, cast

from framesift.errors import (
    FramesiftError,
    InvalidOptionError,
    MissingDependencyError,
    UnknownNameError,
)
from framesift.types.installed import entry_points_of_parts, modules_of
from framesift.types.options import Options, Reaches, SpecOf, checked_option, shown
from framesift.types.schema import hints, marks
from framesift.types.spec import (
    bracketed,
    complete,
    one_deeper,
    parse_options,
    split_spec,
    unknown_option,
    unknown_part,
)

logger = logging.getLogger(__name__)

AnyPart = TypeVar("AnyPart", bound="Part")


class Part(Options, ABC):
    """What strategies, encoders, selectors, decoders, sources and vision LLMs have in common.

    The instance is the configuration: the fields of a part's dataclass are its options.
    """

    summary: ClassVar[str] = ""
    """One line for tables and listings."""

    @property
    def spec(self) -> str:
        """The spec string that makes this part again: its name and the options that differ."""
        name = registered_name(type(self))
        changed = {
            option.name: getattr(self, option.name)
            for option in part_options(type(self))
            if getattr(self, option.name) != option_default(option)
        }
        options = ",".join(
            f"{key}={bracketed(value.spec if isinstance(value, Part) else value)}"
            for key, value in changed.items()
        )
        return f"{name}:{options}" if options else name

    @classmethod
    def facts(cls) -> dict[str, Any]:
        """Returns what listings say of the part: its options with defaults, and their schema."""
        schema = cls.options_schema()
        options = {name: each.get("default") for name, each in schema["properties"].items()}
        return {"summary": cls.summary, "options": options, "schema": schema}


def require(module: str, *, extra: str) -> Any:
    """Returns an optional `module`, or says which extra brings it.

    Raises:
        MissingDependencyError: with the exact `pip install`.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"{module!r} is not installed; run: pip install 'framesift[{extra}]'"
        ) from error


@dataclass(frozen=True, slots=True)
class Registry(Generic[AnyPart]):
    """The parts of one plural folder, by name."""

    package: str
    """Dotted name of the folder, for example `framesift.strategies`."""
    base: str
    """Dotted name of the class that every part of the folder derives from."""
    beside: frozenset[str] = frozenset({"base"})
    """Modules of the folder that hold no part, but what other folders use of it."""

    @property
    def kind(self) -> str:
        """What one part is called in messages, for example `strategy`."""
        return self.base.rpartition(".")[2].lower()

    def names(self) -> list[str]:
        """Returns the sorted public names, importing none of the parts."""
        return sorted({*self._own_names(), *self._entry_points()})

    def get(self, name: str) -> type[AnyPart]:
        """Returns the class behind `name`.

        Raises:
            UnknownNameError: no such part; the message names the closest one.
            MissingDependencyError: it is of another package, and cannot be imported.
        """
        base = self._base()
        if name in self._own_names():
            return self._only_part(f"{self.package}.{name.replace('-', '_')}", base)
        if name in (entries := self._entry_points()):
            return self._loaded(entries[name], base)
        raise UnknownNameError(unknown_part(self.kind, name, self.names()))

    def create(self, spec: str | AnyPart, /, **options: Any) -> AnyPart:
        """Returns the part that a spec string such as `"temporal:threshold=0.9"` describes.

        An object that is a part already is returned as it is. Values in the string are read by
        the type of the option; `options` override them. A value that holds commas or is a spec
        string with options of its own stands in brackets: `"outer:inner=[temporal:a=1,b=2]"`.

        Raises:
            UnknownNameError: no such part.
            InvalidOptionError: no such option, or a value of the wrong type or range.
        """
        if not isinstance(spec, str):
            if isinstance(spec, self._base()):
                return spec
            raise InvalidOptionError(
                f"{self.kind}={shown(spec)} must be the name of one, such as {self.names()[0]!r}, "
                f"a spec string or a {self._base().__name__}"
            )
        with one_deeper(spec):
            return self._created(spec, options)

    def reaches(self, spec: str) -> list[str]:
        """Returns the options of a spec that name a file, a folder, a hub id or an address.

        They come as `"clip:model=FOLDER"`, also those of parts within parts and those that have
        such a default. No part is made, so nothing is opened.
        """
        chained = split_spec(spec, "|") if "chain" in self.names() else [spec]
        with one_deeper(spec):
            return [found for each in chained for found in self._reached(each)]

    def _reached(self, spec: str) -> Iterator[str]:
        part, written = self._read(spec)
        for option in part_options(part):
            value = written.get(option.name, option_default(option))
            for mark in marks(hints(part)[option.name]) if isinstance(value, str) else ():
                if isinstance(mark, SpecOf):
                    yield from importlib.import_module(mark.package).registry.reaches(value)
                elif isinstance(mark, Reaches) and value not in mark.shipped:
                    yield f"{registered_name(part)}:{option.name}={value}"

    def _read(self, spec: str, options: Iterable[str] = ()) -> tuple[type[AnyPart], dict[str, Any]]:
        name, _, text = spec.strip().partition(":")
        part = self.get(name.strip())
        written = parse_options(spec, text)
        known = [field.name for field in part_options(part)]
        for key in (*written, *options):
            if key not in known:
                raise InvalidOptionError(unknown_option(f"{self.kind} {name!r}", key, known))
        values = {key: checked_option(part, key, written[key], is_text=True) for key in written}
        return part, values

    def _created(self, spec: str, options: dict[str, Any]) -> AnyPart:
        part, values = self._read(spec, options)
        try:
            return part(**complete(spec, part_options(part), {**values, **options}))
        except FramesiftError:
            raise
        except (TypeError, ValueError) as error:
            raise InvalidOptionError(f"{shown(spec)}: {error}") from error

    def parts(self) -> dict[str, type[AnyPart]]:
        """Returns the classes by name, without those of other packages that cannot be imported.

        Each of those is logged once as a warning.
        """
        parts = {}
        for name in self.names():
            try:
                parts[name] = self.get(name)
            except MissingDependencyError as error:
                _warn_once(str(error))
        return parts

    def facts(self) -> list[dict[str, Any]]:
        """Returns what every part says of itself, options and their defaults included."""
        return [{"name": name, **part.facts()} for name, part in self.parts().items()]

    def schema(self, name: str) -> dict[str, Any]:
        """Returns the JSON schema of a part's options: type, range, default and description.

        Raises:
            UnknownNameError: no such part.
        """
        return self.get(name).options_schema()

    def _own_names(self) -> list[str]:
        folder = Path(str(importlib.import_module(self.package).__file__)).parent
        parts = (
            name for name in modules_of(str(folder)) if name[0] != "_" and name not in self.beside
        )
        return [name.replace("_", "-") for name in parts]

    def _entry_points(self) -> dict[str, EntryPoint]:
        return entry_points_of_parts().get(self.package, {})

    def _loaded(self, entry: EntryPoint, base: type[AnyPart]) -> type[AnyPart]:
        about = f"{self.kind} {entry.name!r} of another package ({entry.value})"
        try:
            part = entry.load()
        except Exception as error:  # code of somebody else may raise anything
            reason = f"{type(error).__name__}: {error}"
            raise MissingDependencyError(
                f"{about} cannot be imported: {reason}; mend, update or uninstall that package"
            ) from error
        if not (inspect.isclass(part) and issubclass(part, base)):
            raise MissingDependencyError(
                f"{about} is {shown(part)}, not a class that derives from {self.base}; mend, "
                "update or uninstall that package"
            )
        return part

    def _base(self) -> type[AnyPart]:
        module, _, name = self.base.rpartition(".")
        return cast(type[AnyPart], getattr(importlib.import_module(module), name))

    def _only_part(self, module: str, base: type[AnyPart]) -> type[AnyPart]:
        imported = importlib.import_module(module)
        parts = [
            value
            for value in vars(imported).values()
            if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module
        ]
        if len(parts) != 1:
            raise ImportError(f"{module} must define exactly one {self.kind}, found {parts}")
        return parts[0]


class RegistryPackage(ModuleType):
    """A plural folder that lists its names when called: `framesift.strategies()`."""

    registry: Registry[Any]

    def __call__(self) -> list[str]:
        """Returns the sorted public names, importing none of the parts."""
        return self.registry.names()


def registered_name(part: type) -> str:
    """Returns the name that a part's class is known by: that of its file, or its entry point's.

    For a class of another package that no entry point names it is that of the module as well.
    """
    package, _, module = part.__module__.rpartition(".")
    if package.partition(".")[0] != "framesift":
        for _, entries in sorted(entry_points_of_parts().items()):
            for name, entry in entries.items():
                if _names_class(entry, part):
                    return name
    return module.replace("_", "-")


def _names_class(entry: EntryPoint, part: type) -> bool:
    """Returns whether an entry point stands for a class, importing nothing."""
    named: Any = sys.modules.get(entry.module)
    for name in entry.attr.split("."):
        named = getattr(named, name, None)
    return named is part


@functools.cache
def _warn_once(line: str) -> None:
    logger.warning(line)


def part_options(part: type) -> list[Field[Any]]:
    """Returns the options of a part's class: the fields that its constructor takes."""
    return [field for field in fields(part) if field.init]


def option_default(option: Field[Any]) -> Any:
    """Returns the default of an option, or None where it must be given."""
    if option.default is not MISSING:
        return option.default
    return None if option.default_factory is MISSING else option.default_factory()
