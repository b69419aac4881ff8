"""Videos made on the fly with known ground truth: the offline default of docs and tests."""

from __future__ import annotations

import difflib
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from pydantic import ValidationError

from framesift.disk import temporary
from framesift.errors import (
    DownloadError,
    InvalidOptionError,
    UnsupportedSourceError,
    VideoTooLargeError,
)
from framesift.fetching.limits import FetchLimits
from framesift.run import progress_bar
from framesift.sources.base import Source
from framesift.synthetic.film import Scene, SceneSettings
from framesift.synthetic.scenes import SCENES, make_scene
from framesift.types.video import LocalVideo

PREFIX = "synthetic://"
FILE_NAME = "video.mp4"
KEYFRAME_SECONDS = 2
ENCODER_OPTIONS = {"preset": "veryfast", "crf": "20", "threads": "1", "bf": "0"}


@dataclass(frozen=True, kw_only=True)
class SyntheticSource(Source):
    """Draws a scene and encodes it as H.264, the same bytes each time in one environment.

    The query sets `seconds` (1 to 7200), `seed`, `width` and `height` (even, 64 to 4096), `fps` (1
    to 60), `noise` (grey levels) and `drift` (part of the width by which the backdrop slides in a
    second, -1 to 1): `synthetic://number?seconds=60&seed=7`.
    """

    summary: ClassVar[str] = (
        "synthetic://NAME: a small video with known ground truth, made on the fly"
    )

    def matches(self, uri: str) -> bool:
        """Returns whether `uri` starts with `synthetic://`."""
        return uri.lower().startswith(PREFIX)

    def open(self, uri: str, limits: FetchLimits, *, text_only: bool = False) -> LocalVideo:
        """Returns the scene as a video in a temporary folder, with its `truth`.

        Raises:
            UnsupportedSourceError: no such scene.
            InvalidOptionError: the query has an unknown option or a value out of range.
            VideoTooLargeError: longer or larger than `limits` allow.
            DownloadError: making it takes longer than `limits` allow.
        """
        name, settings = parse_uri(uri)
        if settings.seconds > limits.max_duration_seconds:
            raise VideoTooLargeError(
                f"{uri[:200]!r} lasts {settings.seconds:g} s, allowed are "
                f"{limits.max_duration_seconds:g} s; lower seconds or raise max_duration_seconds"
            )
        scene = make_scene(name, settings)
        if text_only:
            return _local_video(scene, uri, folder=None)
        with temporary.kept_on_success() as folder:
            _encode(scene, folder / FILE_NAME, uri, limits)
            return _local_video(scene, uri, folder=folder)


def parse_uri(uri: str) -> tuple[str, SceneSettings]:
    """Returns the scene's name and settings that `synthetic://NAME?option=value&...` asks for.

    Raises:
        UnsupportedSourceError: no such scene; the message names the closest one.
        InvalidOptionError: an option does not exist, is given twice or is out of range.
    """
    name, _, query = uri[len(PREFIX) :].partition("?")
    if name not in SCENES:
        raise UnsupportedSourceError(
            f"unknown scene {name[:80]!r} in {uri[:200]!r}; {_closest(name[:80], SCENES)}"
            f"choose one of: {', '.join(SCENES)}"
        )
    options = _options(uri, query)
    try:
        return name, SceneSettings.model_validate({"seconds": SCENES[name].seconds, **options})
    except ValidationError as error:
        problem = error.errors()[0]
        given = "&".join(f"{key}={options[str(key)]}" for key in problem["loc"]) or query
        raise InvalidOptionError(
            f"{uri[:200]!r}: {given[:200]!r} does not fit: {problem['msg']}"
        ) from error


def _options(uri: str, query: str) -> dict[str, str]:
    known = SceneSettings.model_fields
    pairs = parse_qsl(query, keep_blank_values=True)
    for key, count in Counter(key for key, _ in pairs).items():
        if key not in known:
            raise InvalidOptionError(
                f"{uri[:200]!r} has an unknown option {key[:80]!r}; {_closest(key[:80], known)}"
                f"the options are: {', '.join(known)}"
            )
        if count > 1:
            raise InvalidOptionError(f"{uri[:200]!r} sets {key!r} {count} times; set it once")
    return dict(pairs)


def _closest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    return f"did you mean {close[0]!r}? " if close else ""


def _local_video(scene: Scene, uri: str, *, folder: Path | None) -> LocalVideo:
    return LocalVideo(
        path=folder / FILE_NAME if folder else None,
        uri=uri,
        title=scene.title,
        duration_seconds=scene.duration_seconds,
        chapters=scene.chapters,
        subtitles=scene.subtitles,
        truth=scene.truth,
        temporary_folder=folder,
    )


def _encode(scene: Scene, path: Path, uri: str, limits: FetchLimits) -> None:
    """Writes the scene to `path`, held to the limits' time and size."""
    deadline = time.monotonic() + limits.total_seconds
    count = scene.settings.frame_count
    with av.open(str(path), "w") as container, progress_bar("draw", total=count) as bar:
        stream = _h264_stream(container, scene.settings)
        for index, frame in enumerate(_video_frames(scene)):
            frame.pts = index
            container.mux(stream.encode(frame))
            bar.update(1)
            if time.monotonic() > deadline:
                raise DownloadError(
                    f"{uri!r} was not made within {limits.total_seconds:g} s; ask for fewer "
                    "seconds or a smaller size, or raise total_seconds"
                )
        container.mux(stream.encode())
    if path.stat().st_size > limits.max_bytes:
        raise VideoTooLargeError(
            f"{uri!r} takes {path.stat().st_size} bytes, allowed are {limits.max_bytes}; ask for "
            "fewer seconds or a smaller size, or raise max_bytes"
        )


def _h264_stream(container: OutputContainer, settings: SceneSettings) -> VideoStream:
    stream = container.add_stream("libx264", rate=settings.fps, options=ENCODER_OPTIONS)
    stream.width, stream.height, stream.pix_fmt = settings.width, settings.height, "yuv420p"
    stream.gop_size = KEYFRAME_SECONDS * settings.fps
    stream.codec_context.time_base = Fraction(1, settings.fps)
    stream.codec_context.thread_count = 1
    stream.codec_context.colorspace = Colorspace.SMPTE170M
    stream.codec_context.color_range = ColorRange.MPEG
    return stream


def _video_frames(scene: Scene) -> Iterator[av.VideoFrame]:
    """Yields the frames for the encoder, converted once where the picture stays the same."""
    shown, frame = None, None
    for picture in scene.frames():
        if frame is None or picture is not shown:
            planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8)
            shown, frame = picture, av.VideoFrame.from_ndarray(planes, format="yuv420p")
        yield frame
