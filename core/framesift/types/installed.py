"""Entry points and modules that are installed, read again only where they may have changed.

Every spec string asks for them, and reading them opens a file of each installed package.
"""

from __future__ import annotations

import pkgutil
import sys
from functools import lru_cache
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TypeAlias

State: TypeAlias = tuple[str, int, int]
"""A folder, its number and its time, which changes when something in it is added or removed."""


def entry_points_of_parts() -> dict[str, dict[str, EntryPoint]]:
    """Returns the entry points of all groups that begin with `framesift.`, by group and name."""
    return _entry_points(tuple(_state(folder) for folder in sys.path))


def modules_of(folder: str) -> tuple[str, ...]:
    """Returns the names of the modules and packages of a folder."""
    return _modules(_state(folder))


def _state(folder: str) -> State:
    try:
        status = Path(folder).stat()
    except OSError:  # of `sys.path` not all need to exist
        return folder, 0, 0
    return folder, status.st_ino, status.st_mtime_ns


@lru_cache(maxsize=1)
def _entry_points(states: tuple[State, ...]) -> dict[str, dict[str, EntryPoint]]:
    installed = metadata.entry_points()
    return {
        group: {entry.name: entry for entry in installed.select(group=group)}
        for group in installed.groups
        if group.startswith("framesift.")
    }


@lru_cache(maxsize=64)
def _modules(state: State) -> tuple[str, ...]:
    return tuple(module.name for module in pkgutil.iter_modules([state[0]]))
