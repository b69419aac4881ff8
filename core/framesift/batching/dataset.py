"""The rows of a batch as a Parquet dataset, `OUT/data/part-*.parquet`.

One row a video, or a row a segment; a video that failed has one row, with its error. Files are
named by paths from OUT on. pandas, Polars, `datasets` and DuckDB read the folder as it is.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from framesift.batching.items import Item
from framesift.batching.store import DATA, Store, row_name
from framesift.batching.tasks import Task
from framesift.batching.work import read_row
from framesift.registry import require
from framesift.types.text import whole_characters

VERSION: Final = 1
"""Of the columns; a dataset of another one is refused."""
ROWS_EACH: Final = 10_000
"""Videos in one file of the dataset."""
COMMON: Final = {
    "id": "string",
    "video": "string",
    "status": "string",
    "error": "string",
    "error_kind": "string",
    "warnings": "list<string>",
    "title": "string",
}
COLUMNS: Final[Mapping[Task, Mapping[str, str]]] = {
    "compress": {
        "duration_seconds": "double",
        "frames_in": "int64",
        "frames_out": "int64",
        "tokens_in": "int64",
        "tokens_out": "int64",
        "tokens": "string",
        "report": "string",
    },
    "keyframes": {"keyframes": "list<frame>"},
    "segments": {
        "segment": "int64",
        "segments": "int64",
        "start_seconds": "double",
        "end_seconds": "double",
        "keyframe_seconds": "double",
        "picture": "string",
        "text": "string",
        "screen_text": "string",
        "chapter": "string",
        "colors": "list<string>",
        "reason": "string",
        "link": "string",
        "caption": "string",
    },
    "ask": {
        "question": "string",
        "answer": "string",
        "not_shown": "bool",
        "evidence": "list<stretch>",
        "tokens_in": "int64",
        "tokens_out": "int64",
    },
    "label": {
        "question": "string",
        "answer": "string",
        "choices": "list<string>",
        "fps": "double",
        "times_seconds": "list<double>",
        "spatial": "list<double>",
        "temporal": "list<double>",
        "labels": "list<double>",
        "judge": "string",
        "temporal_judge": "string",
        "normalize": "string",
        "include_choices": "bool",
        "model": "string",
    },
}
"""Columns beside `COMMON`, with their types, by task."""
_FRAME: Final = {
    "time_seconds": "double",
    "picture": "string",
    "width_px": "int64",
    "height_px": "int64",
    "reason": "string",
}
_STRETCH: Final = {"start_seconds": "double", "end_seconds": "double", "reason": "string"}


def schema_of(task: Task) -> Any:
    """Returns the schema of a task's dataset, as pyarrow has it."""
    arrow = require("pyarrow", extra="batch")
    kinds: dict[str, Callable[[], Any]] = {
        "string": arrow.string,
        "double": arrow.float64,
        "int64": arrow.int64,
        "bool": arrow.bool_,
        "list<double>": lambda: arrow.list_(arrow.float64()),
        "list<string>": lambda: arrow.list_(arrow.string()),
        "list<frame>": lambda: arrow.list_(struct(_FRAME)),
        "list<stretch>": lambda: arrow.list_(struct(_STRETCH)),
    }

    def struct(columns: Mapping[str, str]) -> Any:
        return arrow.struct([(name, kinds[kind]()) for name, kind in columns.items()])

    fields = [(name, kinds[kind]()) for name, kind in {**COMMON, **COLUMNS[task]}.items()]
    return arrow.schema(fields, metadata={"framesift.task": task, "framesift.schema": str(VERSION)})


def write_dataset(store: Store, task: Task, items: Sequence[Item]) -> int:
    """Returns how many rows the dataset has now, which holds all finished videos of `items`.

    The files are made anew in the order of the videos, so equal rows give equal files; those of an
    earlier run that are not among them are removed at the end, and no file of another name is.
    """
    arrow = require("pyarrow", extra="batch")
    parquet = require("pyarrow.parquet", extra="batch")
    schema, written, count = schema_of(task), set(), 0
    for number, start in enumerate(range(0, len(items), ROWS_EACH)):
        rows = [row for item in items[start : start + ROWS_EACH] for row in _rows(store, item)]
        if not rows:
            continue
        table = arrow.Table.from_pylist(rows, schema=schema)
        buffer = io.BytesIO()
        parquet.write_table(table, buffer, compression="zstd")
        name = _part(number)
        if store.read(name) != buffer.getvalue():
            store.write(name, buffer.getvalue())
        written.add(name)
        count += len(rows)
    for name in list(store.names(DATA)):
        digits = name.removeprefix(f"{DATA}/part-").removesuffix(".parquet")
        if name not in written and digits.isdecimal() and name == _part(int(digits)):
            store.remove(name)
    return count


def _part(number: int) -> str:
    return f"{DATA}/part-{number:05d}.parquet"


def _rows(store: Store, item: Item) -> Iterator[dict[str, Any]]:
    """Yields the rows of a finished video."""
    content = store.read(row_name(item.id))
    saved = None if content is None else read_row(content)
    if saved is None:
        return
    yield from rows_of(saved)


def rows_of(saved: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the rows of one video, of what its file in `rows/` says."""
    common = {name: saved.get(name) for name in COMMON} | saved.get("facts", {})
    for row in saved.get("rows") or [{}]:
        yield {name: _encodable(value) for name, value in {**common, **row}.items()}


def _encodable(value: Any) -> Any:
    """Returns a value whose texts Parquet takes: names of files may be no UTF-8."""
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, list):
        return list(map(_encodable, value))
    if isinstance(value, dict):
        return {name: _encodable(each) for name, each in value.items()}
    return value
