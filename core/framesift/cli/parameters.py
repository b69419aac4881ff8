"""Kinds of options that several commands have."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from framesift.types.schema import adapter
from framesift.types.schema import allowed as words

Command = Callable[..., None]
Option = Callable[[Command], Command]
Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class GivenPath(click.Path):
    """A path that is not empty: an unset variable of a shell means no file and no folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path."""
        if value == "":
            self.fail("it is empty; give a path, or leave the option out", param, ctx)
        return super().convert(value, param, ctx)


def number(*names: str, allows: Any, help: str, default: Any = None) -> Option:
    """Returns an option that is a number; its help ends with the range of the annotation."""
    allowed = adapter(allows).json_schema()
    kind = int if allowed["type"] == "integer" else float
    help = f"{help}: {words(allowed)}."
    return click.option(*names, type=kind, default=default, help=help)


def names_of(plural: str) -> Completion:
    """Returns what completes an option to the names of parts, such as `strategies`.

    What is no beginning of a name is completed to folders, since some parts are read from one.
    """

    def complete(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
        names = importlib.import_module(f"framesift.{plural}").registry.names()
        found = [CompletionItem(name) for name in names if name.startswith(typed)]
        return found or [CompletionItem(typed, type="dir")]

    return complete


def with_options(command: Command, options: list[Option]) -> Command:
    """Gives a command its options, in their order."""
    wrapped = command
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped
