"""Parts for pipelines of Ray Data: classes for `Dataset.map_batches`.

    ds.map_batches(Compress, fn_constructor_kwargs={"keep": 0.25}, batch_size=1,
                   compute=ray.data.ActorPoolStrategy(min_size=1, max_size=8))

A row comes in with a column `video`, and where wanted `id` and the options that a manifest names.
It goes out with the columns of a batch's dataset; other columns stay beside them.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from framesift.batching import (
    OWN,
    Asked,
    Item,
    Store,
    Task,
    Work,
    decoded_by,
    result_of,
    rows_of,
    schema_of,
    store_of,
)
from framesift.errors import InvalidOptionError
from framesift_ray.contents import Contents, with_contents

FRAMES: Final = "frames"
Row = dict[str, Any]


class Compress:
    """Does one task of a batch on the videos of a batch of rows."""

    _takes: Sequence[str] = ()
    """Columns that go in and not out."""

    def __init__(
        self,
        *,
        task: Task = "compress",
        out: str | None = None,
        question: str | None = None,
        count: int = 8,
        seconds_each: float = 15.0,
        max_side_px: int | None = 768,
        **options: Any,
    ) -> None:
        """Takes what `framesift.batch` takes.

        Args:
            task: `compress`, `keyframes`, `segments` or `ask`.
            out: where files go, a folder that all machines share or such as `s3://bucket/out`; the
                rows name them. None for their content itself in the rows.
            question: about each video whose row has none.
            count: keyframes of a video.
            seconds_each: seconds of a segment.
            max_side_px: longest side of pictures.
            options: of `framesift.VideoCompressor`, by name.

        Raises:
            FramesiftError: an option is wrong, or a task of a model has none.
        """
        asked = Asked(
            question=question, count=count, seconds_each=seconds_each, max_side_px=max_side_px
        )
        self._work = Work(task=task, options=options, asked=asked)
        self._work.compressor()  # a wrong option is refused here, before any row
        self._out = out

    def __call__(self, batch: Any) -> Any:
        """Returns a table of Arrow with the rows of the videos."""
        table = arrow_of(batch)
        store = Contents() if self._out is None else store_of(self._out)
        places, rows = [], []
        for place, (item, given) in enumerate(videos_in(table, also=self._takes)):
            saved = self._result(item, given, store)
            told = {"id": item.id, "video": item.video, **saved}
            for row in rows_of({"warnings": [], **told}):
                places.append(place)
                rows.append(row)
        schema = schema_of(self._work.task)
        if isinstance(store, Contents):
            rows, schema = with_contents(rows, schema, store)
        return joined(table.drop_columns(list(self._takes)), places, rows, schema)

    def _result(self, item: Item, given: Row, store: Store) -> Row:
        return result_of(self._work, item, store)


class Decode:
    """Gives each row the frames of its video, for `Encode` on other machines."""

    def __init__(self, **options: Any) -> None:
        """Takes the options of `framesift.VideoCompressor`, the same ones as `Encode`.

        Raises:
            FramesiftError: an option is wrong.
        """
        self._work = Work(task="compress", options=options)
        self._work.compressor()

    def __call__(self, batch: Any) -> Any:
        """Returns the table with a column more, which `Encode` takes."""
        import pyarrow

        table = arrow_of(batch)
        if FRAMES in table.column_names:
            raise InvalidOptionError(
                f"the rows have a column {FRAMES!r} already, which Decode writes; drop or rename it"
            )
        frames = [self._frames(item) for item, _ in videos_in(table)]
        return table.append_column(FRAMES, pyarrow.array(frames, pyarrow.large_binary()))

    def _frames(self, item: Item) -> bytes:
        return pickle.dumps(decoded_by(self._work, item), protocol=pickle.HIGHEST_PROTOCOL)


class Encode(Compress):
    """Compresses videos whose frames `Decode` has read; a model may be on a GPU."""

    _takes = (FRAMES,)

    def __init__(
        self, *, out: str | None = None, question: str | None = None, **options: Any
    ) -> None:
        """Takes what `Compress` takes.

        Args:
            out: where files go; None for their content in the rows.
            question: about each video whose row has none.
            options: of `framesift.VideoCompressor`, the same ones as `Decode`.
        """
        super().__init__(out=out, question=question, **options)

    def _result(self, item: Item, given: Row, store: Store) -> Row:
        decoded = pickle.loads(given[FRAMES])
        if isinstance(decoded, dict):
            return cast(Row, decoded)
        return result_of(self._work, item, store, decoded)


def arrow_of(batch: Any) -> Any:
    """Returns a batch of any format of Ray Data as a table of Arrow."""
    from ray.data.block import BlockAccessor

    return BlockAccessor.for_block(BlockAccessor.batch_to_block(batch)).to_arrow()


def videos_in(table: Any, also: Sequence[str] = ()) -> Iterator[tuple[Item, Row]]:
    """Yields each video of a table, with the columns that are asked for beside.

    Raises:
        InvalidOptionError: there is no column `video`, or another one that is needed.
    """
    missing = {"video", *also} - set(table.column_names)
    if missing:
        raise InvalidOptionError(
            f"the rows have no column {min(missing)!r}, but {', '.join(table.column_names)}; name "
            "the column with the addresses `video`" + (", and put Decode before" if also else "")
        )
    names = [name for name in table.column_names if name in ("video", "id", *OWN, *also)]
    for row in table.select(names).to_pylist():
        given = {name: _value(name, value) for name, value in row.items()}
        own = {name: given[name] for name in OWN if given.get(name) is not None}
        video = "" if given["video"] is None else str(given["video"])
        name = given.get("id")
        yield Item(id=video if name is None else str(name), video=video, own=own), row


def _value(name: str, value: Any) -> Any:
    """Returns what a row says, where batches of NumPy have NaN for nothing, and 2.0 beside it."""
    if not isinstance(value, float):
        return value
    if math.isnan(value):
        return None
    return int(value) if value.is_integer() and name != "keep" else value


def joined(table: Any, places: Sequence[int], rows: Sequence[Row], schema: Any) -> Any:
    """Returns the rows of videos, each with the other columns of the row that it was made of."""
    import pyarrow

    own = pyarrow.Table.from_pylist(
        [{name: row.get(name) for name in schema.names} for row in rows], schema=schema
    )
    names = [name for name in table.column_names if name not in schema.names]
    beside = table.select(names).take(pyarrow.array(places, pyarrow.int64()))
    # Columns of the one may be none, and a table of no columns has no rows in Arrow.
    return pyarrow.Table.from_arrays(
        [*beside.columns, *own.columns], schema=pyarrow.schema([*beside.schema, *schema])
    )
