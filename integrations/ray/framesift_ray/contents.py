"""What would be files of a store, in the rows themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from framesift.batching import Store

FILES: Final = ("tokens", "report", "picture")
"""Columns that name a file."""


class Contents(Store):
    """Files of a few rows, in memory."""

    place = "memory://"

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def write(self, name: str, content: bytes | Iterable[bytes | memoryview]) -> None:
        """Keeps a file."""
        self._files[name] = content if isinstance(content, bytes) else b"".join(content)

    def read(self, name: str) -> bytes | None:
        """Returns what a file holds; None where it is not there."""
        return self._files.get(name)

    def has(self, name: str) -> bool:
        """Returns whether a file is there."""
        return name in self._files

    def names(self, folder: str) -> Iterator[str]:
        """Yields the names of the files in a folder."""
        yield from sorted(name for name in self._files if name.startswith(f"{folder}/"))

    def remove(self, name: str) -> None:
        """Drops a file."""
        self._files.pop(name, None)


def with_contents(
    rows: Sequence[dict[str, Any]], schema: Any, files: Store
) -> tuple[list[dict[str, Any]], Any]:
    """Returns rows and their schema with what files hold in place of their names."""
    import pyarrow

    fields = [pyarrow.field(field.name, _kind(field.name, field.type)) for field in schema]
    return [_filled(row, files) for row in rows], pyarrow.schema(fields)


def _kind(name: str, kind: Any) -> Any:
    import pyarrow

    if name in FILES:
        return pyarrow.large_binary()
    if pyarrow.types.is_list(kind):
        return pyarrow.list_(_kind("", kind.value_type))
    if pyarrow.types.is_struct(kind):
        return pyarrow.struct([(each.name, _kind(each.name, each.type)) for each in kind])
    return kind


def _filled(value: Any, files: Store) -> Any:
    if isinstance(value, list):
        return [_filled(each, files) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: files.read(each) if name in FILES and each is not None else _filled(each, files)
        for name, each in value.items()
    }
