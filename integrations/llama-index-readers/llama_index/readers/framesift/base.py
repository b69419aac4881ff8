"""A reader of videos: files, folders and links become documents with times and pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document
from llama_index.core.utils import get_cache_dir
from pydantic import Field, field_serializer, model_validator

from framesift import FetchLimits, KeyframeShelf, LocalVideo, VideoCompressor
from framesift.disk import temporary
from framesift.disk.writing import home_path
from framesift.errors import (
    FramesiftError,
    SourceError,
    UnsupportedSourceError,
    VideoTooLargeError,
)
from framesift.sources.file import file_path, is_folder
from framesift.types.options import shown
from llama_index.readers.framesift._documents import documents

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES: Final = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm")
"""Endings of the names of files that are read in a folder."""

Source = str | Path


class FramesiftVideoReader(BasePydanticReader):
    """Reads videos into one document for the whole and one with a picture for each segment.

    Pictures lie in `cache_dir` as `framesift.KeyframeShelf` says: by the content of the video and
    the settings, one for each segment, about 15 MB for an hour. A video that was read before is
    hashed, not decoded.
    """

    segment_seconds: float = Field(default=15.0, gt=0, allow_inf_nan=False, strict=True)
    """How much of a video one segment covers on average."""
    max_side_px: int = Field(default=768, ge=16, strict=True)
    """Longest side of a picture; smaller frames keep their size."""
    selector: str = "keyframes"
    """Picks the frame that each segment is built around."""
    fps: float = Field(default=1.0, gt=0, allow_inf_nan=False, strict=True)
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
        elif isinstance(source, str | Path) and not self._is_folder(source):
            yield from documents(self._shelf().read(source), extra_info or {})
        else:
            for video in self._videos(source):
                try:
                    found = self._shelf().read(video)
                except FramesiftError as error:
                    if self.raise_on_error:
                        raise
                    logger.warning("%r was left out: %s", str(video), error)
                else:
                    yield from documents(found, extra_info or {})

    def _videos(self, source: Source | Sequence[Source]) -> Iterator[Source]:
        given: Any = source
        if isinstance(given, bytes) or not isinstance(given, str | Path | Sequence):
            raise UnsupportedSourceError(
                f"{shown(given)} is no video; give a path, a link, or a list of them"
            )
        if not isinstance(source, str | Path):
            for one in source:
                yield from self._videos(one)
        elif not self._is_folder(source):
            yield source
        else:
            inside = file_path(str(source)).rglob("*")
            files = sorted(path for path in inside if path.suffix.lower() in VIDEO_SUFFIXES)
            if not files:
                raise UnsupportedSourceError(
                    f"{str(source)!r} holds no video; files must end in {', '.join(VIDEO_SUFFIXES)}"
                )
            yield from files

    def _is_folder(self, source: Source) -> bool:
        if source == "":
            return False  # not the folder that one works in
        may_look = isinstance(source, Path) or (self.limits.allow_files and "://" not in source)
        return may_look and is_folder(str(source))

    def _fetched(self, path: str, fs: Any) -> LocalVideo:
        size = fs.size(path)
        if size is not None and size > self.limits.max_bytes:
            raise VideoTooLargeError(
                f"{path!r} holds {size} bytes, allowed are {self.limits.max_bytes}; give a smaller "
                "video or raise max_bytes"
            )
        uri = str(fs.unstrip_protocol(path))
        with temporary.kept_on_success() as folder:
            copy = folder / (Path(path).name or "video")
            try:
                fs.get_file(path, str(copy))
            except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
                raise SourceError(f"{uri!r} cannot be read: {error}; give a video file") from error
            return LocalVideo(path=copy, uri=uri, temporary_folder=folder)

    def _shelf(self) -> KeyframeShelf:
        return KeyframeShelf(
            folder=home_path(self.cache_dir or Path(get_cache_dir()) / "framesift", "cache_dir"),
            compressor=VideoCompressor(selector=self.selector, fps=self.fps, limits=self.limits),
            seconds_each=self.segment_seconds,
            max_side_px=self.max_side_px,
        )
