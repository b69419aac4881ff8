"""Videos as documents: one for each segment, with what is said in it and its picture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from framesift import FetchLimits, Moment, VideoCompressor, open_video, save_keyframe
from framesift.serving import home_path


class VideoLoader(BaseLoader):
    """Loads videos into one document per segment.

    The text holds title, times, what is said, what stands on the screen where `text` reads it, and
    the colours that stand out, so it is never empty.
    Metadata: `source` is a link that plays the segment, `video` the address of the whole, `title`,
    `start_seconds`, `end_seconds`, `start_timestamp`, `keyframe_seconds`, and `keyframe_path` of a
    JPEG that is named by its content. Equal videos and settings give equal documents, ids included;
    a video and a part of it, `talk.mp4#t=10,20`, are two.
    """

    def __init__(
        self,
        *videos: str | Path,
        seconds_each: float = 15.0,
        max_side_px: int | None = 768,
        selector: str = "keyframes",
        text: str | Sequence[str] = "subtitles",
        fps: float = 1.0,
        keyframe_folder: str | Path | None = None,
        limits: FetchLimits | None = None,
    ) -> None:
        """Takes what is to be loaded; nothing is opened yet.

        Args:
            videos: paths and links.
            seconds_each: how much of a video one document covers on average.
            max_side_px: longest side of a picture, None for the video's own size.
            selector: picks the frame that each segment is built around.
            text: what reads the text of the documents, such as `("subtitles", "screen")`.
            fps: frames looked at per second of video.
            keyframe_folder: where pictures, and what was read, are kept; None for
                `framesift/keyframes` in the user's cache folder. Nothing is removed from it.
            limits: what may be opened. By default text may name files; give
                `FetchLimits(allow_files=False)` where it comes from strangers.
        """
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._videos = videos
        self._seconds_each = seconds_each
        self._max_side_px = max_side_px
        if keyframe_folder is None:
            keyframe_folder = cache / "framesift" / "keyframes"
        self._folder = home_path(keyframe_folder, "keyframe_folder")
        limits = limits or FetchLimits()
        self._sift = VideoCompressor(
            selector=selector, text=text, text_folder=self._folder, fps=fps, limits=limits
        )

    def lazy_load(self) -> Iterator[Document]:
        """Yields the documents of each video in order of time, one video at a time.

        Raises:
            SourceError: a video cannot be fetched, or may not be.
            DecodeError: a file cannot be decoded.
        """
        for video in self._videos:
            with open_video(video, self._sift.limits) as local:
                notes: list[str] = []
                moments = self._sift.moments(
                    local,
                    seconds_each=self._seconds_each,
                    max_side_px=self._max_side_px,
                    warn=notes.append,
                )
            noted = {"warnings": "\n".join(notes)} if notes else {}
            yield from (self._document(local.address, moment, noted) for moment in moments)

    def _document(
        self, video: str, moment: Moment, noted: dict[str, str] | None = None
    ) -> Document:
        segment = moment.segment
        assert moment.keyframe is not None, "what covers a video that is open has pictures"
        part = f"{video}#t={segment.start_seconds:.3f},{segment.end_seconds:.3f}"
        return Document(
            id=str(uuid5(NAMESPACE_URL, part)),
            page_content=segment.caption(),
            metadata={
                "source": segment.link,
                "video": segment.uri,
                "title": segment.title,
                "start_seconds": segment.start_seconds,
                "end_seconds": segment.end_seconds,
                "start_timestamp": segment.clock,
                "keyframe_seconds": segment.keyframe_seconds,
                "keyframe_path": str(save_keyframe(moment.keyframe, self._folder)),
                **(noted or {}),
            },
        )
