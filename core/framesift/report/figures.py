"""Frames as a reader sees them: matched to the plan, thinned out, dropped patches dimmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from framesift.report.coverage import coverage, dimmed
from framesift.types.compressed import CompressedVideo, Keyframe
from framesift.types.frames import Frames
from framesift.types.selection import SelectionReport

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFigure:
    """One sampled frame with its dropped patches dimmed."""

    image: Image.Image
    index: int
    """Place among the sampled frames."""
    pts_seconds: float
    kept: int
    """Tokens that still come from this frame."""
    is_keyframe: bool
    encoded_seconds: tuple[float, float] | None
    """Earliest and latest time at which what is kept was encoded; None where that is its own."""


def frame_figures(
    video: CompressedVideo,
    frames: Frames,
    keyframes: Sequence[Keyframe],
    *,
    limit: int,
    size_px: int,
) -> list[FrameFigure]:
    """Returns at most `limit` figures in time order: all frames, or an even choice and keyframes.

    Args:
        video: the plan and its times.
        frames: pictures of the sampled frames, or of some of them.
        keyframes: their frames are marked, and not left out where others are.
        limit: largest number of figures.
        size_px: longest side of a figure; smaller pictures stay as they are.

    Raises:
        ValueError: no pictures, or times and plan disagree about the number of frames.
    """
    seconds = video.frame_seconds.numpy()
    shares = coverage(video.plan, video.report.grid)
    if not len(frames) or len(shares) != len(seconds):
        raise ValueError(
            f"{frames!r} for a plan of {len(shares)} frames at {len(seconds)} times must hold at "
            "least one picture, and every frame of the plan needs one time"
        )
    counts = video.plan.frame_counts()
    marked = nearest(np.array([key.pts_seconds for key in keyframes]), seconds)
    pictures, places = _matched(frames, seconds)
    return [
        FrameFigure(
            image=_figure(frames.data[pictures[i]], shares[places[i]], size_px),
            index=int(places[i]),
            pts_seconds=float(seconds[places[i]]),
            kept=int(counts[places[i]]),
            is_keyframe=bool(np.isin(places[i], marked)),
            encoded_seconds=_encoded(video, int(places[i])),
        )
        for i in _chosen(np.isin(places, marked), limit)
    ]


def picked_frames(selection: SelectionReport, frames: Frames) -> list[Keyframe]:
    """Returns the frames that a selector chose as keyframes, from their pictures.

    Args:
        selection: the choice.
        frames: the pictures of the chosen frames, in order of time.
    """
    return [
        Keyframe(image=Image.fromarray(pixels), pts_seconds=seconds, score=score, reason=reason)
        for pixels, seconds, score, reason in zip(
            frames.data,
            selection.picked_seconds,
            selection.scores,
            selection.reasons,
            strict=True,
        )
    ]


def _encoded(video: CompressedVideo, frame: int) -> tuple[float, float] | None:
    """Returns between which times the tokens of a frame were encoded; None for its own time."""
    if video.encoded_seconds is None:
        return None
    times = video.encoded_seconds[video.positions[:, 0].round() == frame]
    if not len(times) or float(times.min()) >= float(video.frame_seconds[frame]):
        return None
    return float(times.min()), float(times.max())


def nearest(times: npt.NDArray[np.float64], among: npt.NDArray[np.float64]) -> Indices:
    """Returns the position in ascending `among` of the time nearest to each of `times`."""
    return np.searchsorted((among[1:] + among[:-1]) / 2, times)


def shrunk(image: Image.Image, size_px: int) -> Image.Image:
    """Returns an RGB copy of `image` whose longest side is at most `size_px`."""
    small = image.convert("RGB")
    small.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
    return small


def _matched(frames: Frames, seconds: npt.NDArray[np.float64]) -> tuple[Indices, Indices]:
    """Returns the nearest picture and the place of every sampled frame that has one."""
    places = nearest(frames.pts_seconds, seconds)
    closest_first = np.argsort(np.abs(frames.pts_seconds - seconds[places]), kind="stable")
    pictured, first = np.unique(places[closest_first], return_index=True)
    return closest_first[first], pictured


def _chosen(is_keyframe: npt.NDArray[np.bool_], limit: int) -> Indices:
    """Returns the positions shown: keyframes, and the others evenly spread over what is left."""
    if len(is_keyframe) <= limit:
        return np.arange(len(is_keyframe))
    keys = _evenly(is_keyframe.nonzero()[0], limit)
    others = _evenly((~is_keyframe).nonzero()[0], limit - len(keys))
    return np.sort(np.concatenate([keys, others]))


def _evenly(positions: Indices, count: int) -> Indices:
    count = min(count, len(positions))
    return positions.take(np.linspace(0, len(positions) - 1, count).round().astype(np.int64))


def _figure(
    pixels: npt.NDArray[np.uint8], shares: npt.NDArray[np.float32], size_px: int
) -> Image.Image:
    small = np.asarray(shrunk(Image.fromarray(pixels), size_px))
    return Image.fromarray(dimmed(small, shares))
