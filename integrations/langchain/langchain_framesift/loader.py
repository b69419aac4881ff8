"""Videos as documents: one for each segment, with what is said in it and its picture."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import NAMESPACE_URL, uuid5

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document
from pydantic import Field

from framesift import (
    FetchLimits,
    KeyframeShelf,
    ListedVideo,
    SiteOptions,
    VideoCompressor,
    list_videos,
    open_video,
)
from framesift.errors import FramesiftError, InvalidOptionError
from framesift.serving import (
    OptionOf,
    ReaderSpecs,
    SelectorName,
    error_line,
    folder_of,
    plain_address,
)
from langchain_framesift._documents import PictureFolder

MOST_LETTERS: Final = 1000
"""Longest name of a video that cannot be read; a data: URI may hold megabytes."""

logger = logging.getLogger(__name__)


class VideoLoader(PictureFolder, BaseLoader):
    """Loads videos into one document per segment.

    The text holds title, times, what is said, what stands on the screen where `text` reads it, and
    the colours that stand out, so it is never empty.
    Metadata: `source` is a link that plays the segment, `video` the address of the whole,
    `start_seconds`, `end_seconds`, `start_timestamp`, `keyframe_seconds`, `keyframe_path` of a JPEG
    that is named by its content, and as far as they are known `title`, `chapter`, `uploader`,
    `date`, `description` and `warnings`. Equal videos and settings give equal documents, ids
    included; a video and a part of it, `talk.mp4#t=10,20`, are two.

    A folder is searched for videos, and a playlist or channel is read as far as `most` goes. What
    of these cannot be read becomes a document whose metadata has the reason as `problem`; so does a
    video that is named by itself where `continue_on_error` is set.
    """

    videos: tuple[str | Path, ...] = Field(repr=False)
    """Paths, links, folders and playlists."""
    seconds_each: Annotated[float, OptionOf(KeyframeShelf, "seconds_each")] = 15.0
    """How much of a video one document covers on average."""
    max_side_px: int | None = Field(default=768, ge=1, strict=True)
    """Longest side of a picture, None for the video's own size."""
    selector: SelectorName = "keyframes"
    """Picks the frame that each segment is built around."""
    text: ReaderSpecs = ("subtitles",)
    """What reads the text of the documents, such as `("subtitles", "screen")`."""
    fps: Annotated[float, OptionOf(VideoCompressor, "fps")] = 1.0
    """Frames looked at per second of video."""
    most: int = Field(default=100, ge=1, strict=True)
    """Videos taken of one folder or playlist."""
    continue_on_error: bool = False
    """Whether a video that is named by itself and cannot be read ends the loading."""
    limits: FetchLimits = Field(default_factory=FetchLimits)
    """What may be opened. By default text may name files; give `FetchLimits(allow_files=False)`
    where it comes from strangers."""
    site: SiteOptions = Field(default_factory=SiteOptions)
    """What is taken of the pages of video sites: language, height, and whose login is used."""

    def __init__(self, *videos: str | Path | list[str | Path], **options: Any) -> None:
        """Takes what is to be loaded, and the options by name; nothing is opened yet.

        Raises:
            FramesiftError: what is given is no path or link, or an option is wrong or misspelt.
        """
        if "videos" in options:
            raise InvalidOptionError(
                "a VideoLoader takes videos without a name, before its options, such as "
                "VideoLoader('talk.mp4')"
            )
        named = [each for given in videos for each in _several(given)]
        for video in named:
            if not isinstance(video, str | Path):
                raise InvalidOptionError(
                    f"a {type(video).__name__} is not a video; give paths, links or folders"
                )
        super().__init__(videos=named, **options)

    def lazy_load(self) -> Iterator[Document]:
        """Yields the documents of each video in order of time, one video at a time.

        Raises:
            SourceError: a video cannot be fetched, or may not be.
            DecodeError: a file cannot be decoded.
        """
        for given in self.videos:
            # Only one's own code makes a Path, so what lies in such a folder may be opened too.
            limits = replace(self.limits, allow_files=True) if isinstance(given, Path) else None
            loader = self if limits is None else self.model_copy(update={"limits": limits})
            listed = loader._listed(given)
            if listed is None:
                yield from loader._loaded(given, must_raise=not self.continue_on_error)
            for video in listed or ():
                if video.problem is None:
                    yield from loader._loaded(video.uri, must_raise=False)
                else:
                    yield _problem(video.uri, video.problem)

    def _listed(self, given: str | Path) -> tuple[ListedVideo, ...] | None:
        """Returns the videos of a folder or playlist, None for what is one video itself."""
        folder = folder_of(given, self.limits)
        if folder is None and not str(given)[:8].lower().startswith(("http://", "https://")):
            return None
        listed = list_videos(given, self.limits, site=self.site, most=self.most)
        if folder is None and len(listed) == 1:
            return None
        for line in listed.warnings:
            logger.warning("%s", line)
        return listed.videos

    def _loaded(self, video: str | Path, *, must_raise: bool) -> Iterator[Document]:
        """Yields the documents of one video, or the one that says why there are none."""
        notes: list[str] = []
        try:
            sift = VideoCompressor(
                selector=self.selector, text=self.text, text_folder=self.folder, fps=self.fps
            )
            with open_video(video, self.limits, site=self.site) as local:
                moments = sift.moments(
                    local,
                    seconds_each=self.seconds_each,
                    max_side_px=self.max_side_px,
                    warn=notes.append,
                )
        except FramesiftError as error:
            if must_raise:
                raise
            yield _problem(str(video), error_line(error))
            return
        noted = {"warnings": "\n".join(notes)} if notes else {}
        yield from (self.document(local.address, moment, **noted) for moment in moments)


def _several(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _problem(video: str, reason: str) -> Document:
    """Returns the document of a video that cannot be read."""
    address = plain_address(video)[:MOST_LETTERS]
    return Document(
        id=str(uuid5(NAMESPACE_URL, address)),
        page_content=f"This video could not be read: {reason}",
        metadata={"source": address, "video": address, "problem": reason},
    )
