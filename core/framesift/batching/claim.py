"""What a folder of results is of, so that no other batch and no second run writes there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from framesift._version import __version__
from framesift.batching.dataset import VERSION
from framesift.batching.store import DATA, FILES, ROWS, STRETCHES, Store
from framesift.batching.work import Work
from framesift.disk.writing import writing_to
from framesift.errors import InvalidOptionError
from framesift.types.options import shown

ABOUT: Final = "batch.json"


@contextmanager
def alone(store: Store) -> Iterator[None]:
    """Keeps other runs of this machine out of a folder, and removes what killed ones left there.

    An object store has no lock; two runs there write equal rows, at twice the cost.
    """
    local = "://" not in store.place
    with writing_to(Path(store.place), wait_seconds=0) if local else nullcontext():
        store.sweep()
        yield


def claim(store: Store, work: Work, *, write: bool = True) -> None:
    """Writes what the batch is, or makes sure that it is the one that lies there.

    Raises:
        InvalidOptionError: another batch lies there, and the line names what differs; or files of
            somebody else do, which would be removed or mixed with results.
    """
    wanted = about(work)
    content = store.read(ABOUT)
    if content is None:
        for folder in (DATA, FILES, ROWS, STRETCHES):
            if (there := next(iter(store.names(folder)), None)) is not None:
                raise InvalidOptionError(
                    f"{store.place} holds {there[:120]!r} and no {ABOUT}, so {folder}/ is not of a "
                    "batch; give another folder for the results"
                )
        if write:
            store.write(ABOUT, json.dumps({**wanted, "framesift": __version__}, indent=2).encode())
        return
    try:
        there = json.loads(content)
        different = [name for name in wanted if there.get(name) != wanted[name]]
    except (ValueError, AttributeError):
        raise InvalidOptionError(
            f"{store.place} holds a {ABOUT} of another program; give another folder"
        ) from None
    if different:
        name = different[0]
        raise InvalidOptionError(
            f"{store.place} holds a batch with {name}={shown(there.get(name))}, not "
            f"{shown(wanted[name])}; give the same options, or another folder"
        )


def about(work: Work) -> dict[str, Any]:
    """Returns everything that decides the results, JSON-safe."""
    told: dict[str, Any] = {"schema": VERSION, "task": work.task}
    for name, value in work.options.items():
        if name not in ("limits", "site", "text_folder"):
            value = list(value) if isinstance(value, tuple) else value
            told[name] = str(value) if isinstance(value, Path) else value
    shared = {each.name: getattr(work.asked, each.name) for each in fields(work.asked)}
    # The right answer is of a row, and never of all.
    return told | {name: shared[name] for name in shared if name not in ("answer", "choices")}
