"""Documents of what `framesift batch --task segments` wrote; no video is opened again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document

from framesift.errors import InvalidOptionError, MissingDependencyError
from llama_index.readers.framesift._documents import missing, stored


class FramesiftBatchReader(BasePydanticReader):
    """Reads the results of a batch: a document a segment, with its keyframe and its times."""

    is_remote: bool = False

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which the reader is stored."""
        return "FramesiftBatchReader"

    def lazy_load_data(self, out: str | Path, **_: Any) -> Iterator[Document]:
        """Yields a document for each segment, in the order of the videos and of time.

        A video that failed has one too, whose `metadata["problem"]` says why. Pictures are files
        below `out`, which stay there.

        Args:
            out: folder that `framesift batch --task segments` or `framesift.batch` wrote.

        Raises:
            InvalidOptionError: it holds no segments.
            MissingDependencyError: pyarrow is not installed.
        """
        try:
            from pyarrow import dataset
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                "'pyarrow' is not installed; run: pip install 'framesift[batch]'"
            ) from error
        folder = Path(out).expanduser().absolute()
        if not (folder / "data").is_dir():
            raise InvalidOptionError(
                f"{str(out)!r} holds no results of a batch; give what --out named"
            )
        rows = dataset.dataset(folder / "data", format="parquet")
        if "segment" not in rows.schema.names:
            raise InvalidOptionError(
                f"{str(out)!r} holds a batch of another task; make one by --task segments"
            )
        for batch in rows.to_batches(batch_size=1000):
            for row in batch.to_pylist():
                yield missing(row) if row["status"] == "failed" else stored(row, folder)
