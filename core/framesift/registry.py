"""The folder is the registry: a file's name is the public name of the one part it holds.

Listing imports nothing, so a broken or heavy part cannot break the others. Third parties add
parts by entry points in the group of the folder's dotted name, such as `framesift.strategies`.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from dataclasses import MISSING, Field, dataclass, fields
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from framesift.errors import (
    FramesiftError,
    InvalidOptionError,
    MissingDependencyError,
    UnknownNameError,
)
from framesift.types.options import shown
from framesift.types.spec import bracketed, one_deeper, parse_options

Part = TypeVar("Part")


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
class Registry(Generic[Part]):
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

    def get(self, name: str) -> type[Part]:
        """Returns the class behind `name`.

        Raises:
            UnknownNameError: no such part; the message names the closest one.
        """
        base = self._base()
        if name in self._own_names():
            return self._only_part(f"{self.package}.{name.replace('-', '_')}", base)
        if name in (found := self._entry_points()):
            return cast(type[Part], found[name].load())
        raise UnknownNameError(self._unknown(name))

    def create(self, spec: str | Part, /, **options: Any) -> Part:
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

    def _created(self, spec: str, options: dict[str, Any]) -> Part:
        name, _, text = spec.strip().partition(":")
        part = self.get(name.strip())
        written = parse_options(spec, text)
        known = {field.name: field for field in part_options(part)}
        for key in (*written, *options):
            if key not in known:
                raise InvalidOptionError(self._no_option(name, key, known))
        hints = get_type_hints(part)
        values = {key: _coerce(spec, key, value, hints[key]) for key, value in written.items()}
        try:
            return part(**{**values, **options})
        except FramesiftError:
            raise
        except (TypeError, ValueError) as error:
            raise InvalidOptionError(f"{shown(spec)}: {error}") from error

    def facts(self) -> list[dict[str, Any]]:
        """Returns what every part says of itself, options and their defaults included."""
        return [{"name": name, **_facts(self.get(name))} for name in self.names()]

    def _own_names(self) -> list[str]:
        folder = Path(str(importlib.import_module(self.package).__file__)).parent
        modules = (module.name for module in pkgutil.iter_modules([str(folder)]))
        parts = (name for name in modules if name[0] != "_" and name not in self.beside)
        return [name.replace("_", "-") for name in parts]

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self.package)}

    def _base(self) -> type[Part]:
        module, _, name = self.base.rpartition(".")
        return cast(type[Part], getattr(importlib.import_module(module), name))

    def _only_part(self, module: str, base: type[Part]) -> type[Part]:
        found = importlib.import_module(module)
        parts = [
            value
            for value in vars(found).values()
            if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module
        ]
        if len(parts) != 1:
            raise ImportError(f"{module} must define exactly one {self.kind}, found {parts}")
        return parts[0]

    def _unknown(self, name: str) -> str:
        names = self.names()
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown {self.kind} {shown(name)}; {hint}choose one of: {', '.join(names)}"

    def _no_option(self, name: str, key: str, known: dict[str, Field[Any]]) -> str:
        close = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]!r}? " if close else ""
        allowed = ", ".join(known) or "none"
        return f"{self.kind} {name!r} has no option {key!r}; {hint}its options: {allowed}"


class RegistryPackage(ModuleType):
    """A plural folder that lists its names when called: `framesift.strategies()`."""

    registry: Registry[Any]

    def __call__(self) -> list[str]:
        """Returns the sorted public names, importing none of the parts."""
        return self.registry.names()


def part_options(part: type) -> list[Field[Any]]:
    """Returns the options of a part's class: the fields that its constructor takes."""
    return [field for field in fields(part) if field.init]


def option_default(option: Field[Any]) -> Any:
    """Returns the default of an option, or None where it must be given."""
    if option.default is not MISSING:
        return option.default
    return None if option.default_factory is MISSING else option.default_factory()


def output_of(strategy: Any) -> str:
    """Returns whether a strategy's outputs are tokens `kept` as they are or `merged` from several.

    One that holds others says whose outputs its own are like.
    """
    return strategy.output or ("merged" if strategy.merges else "kept")


def describe(part: Any) -> str:
    """Returns the spec string of a part: its name and the options that differ from the default."""
    name = type(part).__module__.rpartition(".")[2].replace("_", "-")
    changed = {
        option.name: getattr(part, option.name)
        for option in part_options(type(part))
        if getattr(part, option.name) != option_default(option)
    }
    options = ",".join(f"{key}={bracketed(value)}" for key, value in changed.items())
    return f"{name}:{options}" if options else name


def _facts(part: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {"summary": part.summary}
    for name in ("needs", "gives"):
        if hasattr(part, name):
            facts[name] = sorted(getattr(part, name))
    if getattr(part, "paper", None):
        facts["paper"] = part.paper
    if hasattr(part, "cost"):
        facts["output"] = output_of(part)
        facts.update({name: getattr(part, name) for name in ("applies_to", "cost")})
    facts["options"] = {option.name: option_default(option) for option in part_options(part)}
    return facts


def _coerce(spec: str, key: str, value: Any, hint: Any) -> Any:
    if isinstance(value, str) and value.lower() == "none":
        value = None
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise InvalidOptionError(
            f"{shown(spec)}: option {key}={shown(value)} does not fit: {problem}"
        ) from error
