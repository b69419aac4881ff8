"""What goes between driver and actors, as JSON: an id may be no UTF-8, which Arrow refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from framesift.batching import Done, Item
from framesift.errors import StorageError


class WorkerError(StorageError):
    """A worker cannot begin, or cannot write."""


def json_of(value: Item | Done) -> str:
    """Returns a value in ASCII."""
    return json.dumps(asdict(value), default=str)


def item_of(text: str) -> Item:
    """Returns the video that `json_of` wrote."""
    return Item(**json.loads(text))


def done_of(row: Mapping[str, Any]) -> Done:
    """Returns how a video ended.

    Raises:
        WorkerError: the worker says that nothing can go on.
    """
    if row["problem"]:
        raise WorkerError(row["problem"])
    return Done(**json.loads(row["done"]))
