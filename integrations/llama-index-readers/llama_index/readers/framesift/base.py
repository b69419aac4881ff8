"""A reader of videos: files, folders and links become documents with times and pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Self

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document
from llama_index.core.utils import get_cache_dir
from pydantic import Field, field_serializer, model_validator

from framesift import FetchLimits, KeyframeShelf, LocalVideo, VideoCompressor
from framesift.errors import FramesiftError, UnsupportedSourceError
from framesift.serving import (
    OptionFields,
    OptionOf,
    ReaderSpecs,
    folder_of,
    home_path,
    local_copy,
)
from llama_index.readers.framesift._documents import documents

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES: Final = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm")
"""Endings of the names of files that are read in a folder."""

Source = str | Path


class FramesiftVideoReader(OptionFields, BasePydanticReader):
    """Reads videos into one document for the whole and one with a picture for each segment.

    Pictures lie in `cache_dir` as `framesift.KeyframeShelf` says: by the content of the video and
    the settings, one for each segment, about 15 MB for an hour. A video that was read before is
    hashed, not decoded.
    """

    segment_seconds: Annotated[float, OptionOf(KeyframeShelf, "seconds_each")] = 15.0
    """How much of a video one segment covers on average."""
    max_side_px: int = Field(default=768, ge=16, strict=True)
    """Longest side of a picture; smaller frames keep their size."""
    selector: str = "keyframes"
    """Picks the frame that each segment is built around."""
    text: ReaderSpecs = ("subtitles",)
    """What reads the text of the documents, one or several, such as `["subtitles", "screen"]`."""
    fps: Annotated[float, OptionOf(VideoCompressor, "fps")] = 1.0
    """Frames looked at per second of video."""
    limits: FetchLimits = Field(default_factory=FetchLimits)
    """What a download may cost and where it may go; private addresses are refused by default."""
    cache_dir: Path | None = None
    """Where pictures lie; None for `framesift` in LlamaIndex's cache folder."""
    raise_on_error: bool = False
    """Whether one bad video of several ends the reading; else it is logged and left out. A video
    that is given alone always raises, and `SimpleDirectoryReader` then skips it or not."""

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which the reader is stored."""
        return "FramesiftVideoReader"

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        self._shelf()
        return self

    @field_serializer("cache_dir")
    def _as_text(self, folder: Path | None) -> str | None:
        return None if folder is None else str(folder)

    def file_extractor(self) -> dict[str, FramesiftVideoReader]:
        """Returns this reader for each ending of `VIDEO_SUFFIXES`, for `SimpleDirectoryReader`."""
        return dict.fromkeys(VIDEO_SUFFIXES, self)

    def lazy_load_data(
        self,
        source: Source | Sequence[Source],
        *,
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterator[Document]:
        """Yields for each video its own document, then those of its segments in order of time.

        Args:
            source: a file, a folder, a link, or several of them.
            extra_info: goes into the metadata of every document.
            fs: file system of fsspec that `source` is a file in, None for this machine.

        Raises:
            SourceError: a video cannot be fetched, or a folder holds none.
            DecodeError: a file cannot be decoded.
        """
        if fs is not None:
            with self._fetched(str(source), fs) as local:
                yield from documents(self._shelf().read(local), extra_info or {})
        elif isinstance(source, str | Path) and folder_of(source, self.limits) is None:
            yield from documents(self._shelf().read(source), extra_info or {})
        else:
            for video in self._videos(source):
                try:
                    segments = self._shelf().read(video)
                except FramesiftError as error:
                    if self.raise_on_error:
                        raise
                    logger.warning("%r was left out: %s", str(video), error)
                else:
                    yield from documents(segments, extra_info or {})

    def _videos(self, source: Source | Sequence[Source]) -> Iterator[Source]:
        given: Any = source
        if isinstance(given, bytes) or not isinstance(given, str | Path | Sequence):
            raise UnsupportedSourceError(
                f"{given!r:.100} is not a video; give a path, a link, or a list of them"
            )
        if not isinstance(source, str | Path):
            for one in source:
                yield from self._videos(one)
        elif (folder := folder_of(source, self.limits)) is None:
            yield source
        else:
            yield from _videos_in(folder)

    def _fetched(self, path: str, fs: Any) -> LocalVideo:
        uri = str(fs.unstrip_protocol(path))
        size = fs.size(path)
        return local_copy(
            uri, lambda to: fs.get_file(path, str(to)), size_bytes=size, limits=self.limits
        )

    def _shelf(self) -> KeyframeShelf:
        return KeyframeShelf(
            folder=home_path(self.cache_dir or Path(get_cache_dir()) / "framesift", "cache_dir"),
            compressor=VideoCompressor(
                selector=self.selector, text=self.text, fps=self.fps, limits=self.limits
            ),
            seconds_each=self.segment_seconds,
            max_side_px=self.max_side_px,
        )


def _videos_in(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    if not files:
        raise UnsupportedSourceError(
            f"{str(folder)!r} holds no video; files must end in {', '.join(VIDEO_SUFFIXES)}"
        )
    return files
