"""The folder in which a training keeps its checkpoints: it belongs to one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from framesift.disk.writing import json_value, read_file, storing, write_atomically
from framesift.errors import InvalidOptionError

RECIPE: Final = "recipe.json"


def claim(work: Path, run: dict[str, Any]) -> None:
    """Notes in `work` what is trained there, whose checkpoints are of no use to other runs.

    Args:
        work: the folder.
        run: recipe, models and data, by name.

    Raises:
        InvalidOptionError: another run is noted there, or what is noted cannot be read.
    """
    path, mine = work / RECIPE, json.loads(json.dumps(run))
    noted = json_value(read_file(path)) if path.is_file() else mine
    if not isinstance(noted, dict):
        raise InvalidOptionError(
            f"{str(path)!r} does not hold the recipe of a run; pass another work folder, or "
            "remove this one"
        )
    if other := [name for name in mine if name in noted and noted[name] != mine[name]]:
        given = ", ".join(f"{name}={mine[name]} and not {noted[name]}" for name in other)
        raise InvalidOptionError(
            f"{str(work)!r} holds another run, as now {given}; pass another work folder, "
            "or remove this one"
        )
    write_atomically(path, json.dumps(mine).encode())


def make_place(out: Path) -> None:
    """Makes the folder of what is trained: at its end it would be late to learn that none can be.

    Raises:
        StorageError: something else stands there, or the disk takes no folder.
    """
    with storing(out):
        out.mkdir(parents=True, exist_ok=True)
