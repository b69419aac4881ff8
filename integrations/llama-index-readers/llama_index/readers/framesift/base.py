"""A reader of videos: files, folders and links become documents with times and pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, ClassVar, Final, Self

from llama_index.core.readers.base import BasePydanticReader, ResourcesReaderMixin
from llama_index.core.schema import Document
from llama_index.core.utils import get_cache_dir
from pydantic import Field, field_serializer, model_validator

from framesift import (
    FetchLimits,
    KeyframeShelf,
    ListedVideo,
    LocalVideo,
    Shelved,
    SiteOptions,
    VideoCompressor,
    VideoList,
    list_videos,
)
from framesift.errors import (
    FramesiftError,
    MissingDependencyError,
    SourceError,
    UnsupportedSourceError,
)
from framesift.serving import (
    SUFFIXES,
    OptionFields,
    OptionOf,
    ReaderSpecs,
    SelectorName,
    file_path,
    folder_of,
    home_path,
    local_copy,
    source_address,
)
from llama_index.readers.framesift._documents import documents, left_out

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES: Final = tuple(sorted(SUFFIXES - {".gif"}))
"""Endings of the names of files that a directory reader hands on; it reads a GIF as a picture."""
MOST_FILES: Final = 100_000
"""Videos of a folder that are read."""

Source = str | Path


class FramesiftVideoReader(OptionFields, BasePydanticReader, ResourcesReaderMixin):
    """Reads videos into one document for the whole and one with a picture for each segment.

    Pictures lie in `cache_dir` as `framesift.KeyframeShelf` says: by the content of the video and
    the settings, one for each segment, about 15 MB for an hour. A video that was read before is
    hashed, not decoded.
    """

    segment_seconds: Annotated[float, OptionOf(KeyframeShelf, "seconds_each")] = 15.0
    """How much of a video one segment covers on average."""
    max_side_px: int = Field(default=768, ge=16, strict=True)
    """Longest side of a picture; smaller frames keep their size."""
    selector: SelectorName = "keyframes"
    """Picks the frame that each segment is built around."""
    text: ReaderSpecs = ("subtitles",)
    """What reads the text of the documents, one or several, such as `["subtitles", "screen"]`."""
    fps: Annotated[float, OptionOf(VideoCompressor, "fps")] = 1.0
    """Frames looked at per second of video."""
    limits: FetchLimits = Field(default_factory=FetchLimits)
    """What a download may cost and where it may go; private addresses are refused by default."""
    site: SiteOptions = Field(default_factory=SiteOptions)
    """What is taken of the pages of video sites: languages, height, and whose login is used."""
    max_videos: int = Field(default=100, ge=1, strict=True)
    """Most videos that are read of one playlist or channel; folders are read whole."""
    cache_dir: Path | None = None
    """Where pictures lie; None for `framesift` in LlamaIndex's cache folder."""
    raise_on_error: bool = False
    """Whether one bad video of several ends the reading; else a document stands for it whose
    metadata says why under `problem`. A video that is given alone always raises."""
    _raises_alone: ClassVar[bool] = True

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
        """Returns a reader for each ending of `VIDEO_SUFFIXES`, for `SimpleDirectoryReader`.

        To it a file is one of many: a bad one becomes a document that says why, as in a folder.
        With `raise_on_error=True` the directory reader is told, and skips it or raises.
        """
        return dict.fromkeys(VIDEO_SUFFIXES, _OneOfMany(**dict(self)))

    def lazy_load_data(
        self,
        source: Source | Sequence[Source],
        *,
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterator[Document]:
        """Yields for each video its own document, then those of its segments in order of time.

        Args:
            source: a file, a folder, a link, one of a playlist or channel, or several of them.
            extra_info: goes into the metadata of every document.
            fs: file system of fsspec that `source` is a file in, None for this machine.

        Raises:
            SourceError: a video cannot be fetched, or a folder holds none.
            DecodeError: a file cannot be decoded.
        """
        alone = self._raises_alone and isinstance(source, str | Path)
        for place in _places(source):
            yield from self._documents(place, alone, extra_info or {}, fs)

    def list_resources(self, source: Source | Sequence[Source], **kwargs: Any) -> list[str]:
        """Returns the addresses of the videos of a folder, playlist or channel, or of one video."""
        return list(self.list_resources_with_info(source))

    def list_resources_with_info(
        self, source: Source | Sequence[Source], **kwargs: Any
    ) -> dict[str, dict[str, Any]]:
        """Returns title, duration and problem of each video of a list, as far as there are any."""
        listed = self._listed(source)
        for line in listed.warnings:
            logger.warning("%s", line)
        return {video.uri: _info(video) for video in listed}

    def get_resource_info(self, resource_id: str, **kwargs: Any) -> dict[str, Any]:
        """Returns title, duration and problem of one video, as far as there are any.

        Raises:
            UnsupportedSourceError: it lists several videos, or none.
        """
        found = list(self.list_resources_with_info(resource_id).values())
        if len(found) != 1:
            raise UnsupportedSourceError(f"{resource_id!r} lists {len(found)} videos; name one")
        return found[0]

    def load_resource(self, resource_id: str, **kwargs: Any) -> list[Document]:
        """Returns the documents of one video, as `load_data` does."""
        return self.load_data(resource_id, **kwargs)

    def load_resources(self, resource_ids: list[str], **kwargs: Any) -> list[Document]:
        """Returns the documents of several videos, as `load_data` does."""
        return self.load_data(resource_ids, **kwargs)

    async def aload_resources(
        self, resource_ids: list[str], **kwargs: Any
    ) -> dict[str, list[Document]]:
        """Returns the documents of several videos by their addresses."""
        return {name: await self.aload_data([name], **kwargs) for name in resource_ids}

    def _documents(
        self, place: Source, alone: bool, extra_info: dict[str, Any], fs: Any
    ) -> Iterator[Document]:
        """Yields the documents of a video, or of the videos of a folder or page.

        Args:
            place: where they are.
            alone: whether nothing else is read, so that what is wrong is raised.
            extra_info: goes into the metadata of every document.
            fs: file system of a file, None for this machine.
        """
        is_folder = fs is None and folder_of(place, self.limits) is not None
        listed = self._listed(place) if is_folder else None
        if listed is None:
            try:
                found = self._read(place, fs)
            except MissingDependencyError:
                raise  # no fault of the video
            except FramesiftError as error:
                listed = self._list_behind(place, error)
                if listed is None:
                    named = place if fs is None else str(fs.unstrip_protocol(str(place)))
                    yield from self._left_out(named, error, alone, extra_info)
                    return
            else:
                yield from documents(found, extra_info)
                return
        if not listed.videos:
            nothing = UnsupportedSourceError("; ".join(listed.warnings))
            yield from self._left_out(place, nothing, alone, extra_info)
            return
        for video in listed:
            one = file_path(video.uri) if is_folder else video.uri
            yield from self._documents(one, False, extra_info, None)
        for line in listed.warnings:
            yield from self._left_out(place, SourceError(line), False, extra_info)

    def _left_out(
        self, place: Source, error: FramesiftError, alone: bool, extra_info: dict[str, Any]
    ) -> Iterator[Document]:
        if alone or self.raise_on_error:
            raise error
        logger.warning("%r was left out: %s", source_address(place), error)
        yield left_out(source_address(place), error, extra_info)

    def _read(self, video: Source, fs: Any) -> Shelved:
        if fs is None:
            return self._shelf().read(video)
        with self._fetched(str(video), fs) as local:
            return self._shelf().read(local)

    def _list_behind(self, place: Source, error: FramesiftError) -> VideoList | None:
        """Returns what the page lists that could not be opened as one video, None for nothing."""
        # Asked only now: the page of one video need not be looked at twice.
        if not isinstance(error, UnsupportedSourceError) or "://" not in str(place):
            return None
        listed = self._listed(place)
        return (
            listed
            if any(video.problem is None and video.uri != place for video in listed)
            else None
        )

    def _listed(self, source: Source | Sequence[Source]) -> VideoList:
        is_folder = isinstance(source, str | Path) and folder_of(source, self.limits) is not None
        most = MOST_FILES if is_folder else self.max_videos
        return list_videos(source, self.limits, site=self.site, most=most)

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
                selector=self.selector,
                text=self.text,
                fps=self.fps,
                limits=self.limits,
                site=self.site,
            ),
            seconds_each=self.segment_seconds,
            max_side_px=self.max_side_px,
        )


class _OneOfMany(FramesiftVideoReader):
    """Is given the files of a folder one by one."""

    _raises_alone: ClassVar[bool] = False


def _places(source: Source | Sequence[Source]) -> Iterator[Source]:
    """Yields each path and link of a source.

    Raises:
        UnsupportedSourceError: it is, or holds, something else.
    """
    given: Any = source
    if isinstance(given, str | PurePath):
        yield given if isinstance(given, Path) else str(given)  # fsspec's are pure paths
    elif isinstance(given, Sequence) and not isinstance(given, bytes):
        for one in given:
            yield from _places(one)
    else:
        raise UnsupportedSourceError(
            f"{given!r:.100} is not a video; give a path, a link, or a list of them"
        )


def _info(video: ListedVideo) -> dict[str, Any]:
    names = ("title", "duration_seconds", "problem")
    return {name: value for name in names if (value := getattr(video, name)) is not None}
