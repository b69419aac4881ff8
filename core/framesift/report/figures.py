"""Frames as a reader sees them: matched to the plan, thinned out, dropped patches dimmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
from PIL import Image

from framesift.report.coverage import cells, coverage, covered_pixels, dimmed
from framesift.report.segments import Indices, Mask, SegmentedFrames, frames_together
from framesift.types.compressed import CompressedVideo, Keyframe
from framesift.types.frames import Frames
from framesift.types.segments import SegmentTokens
from framesift.types.selection import SelectionReport


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
    segment: int | None
    """Number of the segment whose tokens stand for it, from 0; None where there are no segments."""
    is_in_detail: bool
    """Whether it is the one frame that its segment shows in detail."""
    encoded_seconds: tuple[float, float] | None
    """Earliest and latest time at which what is kept was encoded; None where that is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFigure:
    """One segment with the frames that its tokens stand for."""

    tokens: SegmentTokens
    together: int
    """For how many frames its temporal tokens stand: all, or all but the key frame."""
    figures: tuple[FrameFigure, ...]
    """Those of its frames that are shown, in time order."""


def frame_figures(
    video: CompressedVideo,
    frames: Frames,
    keyframes: Sequence[Keyframe],
    *,
    limit: int,
    size_px: int,
) -> list[FrameFigure]:
    """Returns at most `limit` figures in time order: all frames, or an even choice and keyframes.

    Where the strategy works on segments, whole segments are chosen, and frames that no token stands
    for are left out.

    Args:
        video: the plan and its times.
        frames: pictures of the sampled frames, or of some of them.
        keyframes: their frames are marked, and not left out where others are.
        limit: largest number of figures.
        size_px: longest side of a figure; smaller pictures stay as they are.

    Raises:
        ValueError: no pictures, none of a segment where there are segments, or times and plan
            disagree about the number of frames.
    """
    seconds = video.frame_seconds.numpy()
    shares = coverage(video.plan, video.report.grid)
    if not len(frames) or len(shares) != len(seconds):
        raise ValueError(
            f"{frames!r} for a plan of {len(shares)} frames at {len(seconds)} times must hold at "
            "least one picture, and every frame of the plan needs one time"
        )
    if video.report.views is not None:
        return [_picture_figure(video, frames.data[0], shares, bool(keyframes), size_px)]
    counts, labels = video.plan.frame_counts(), cells(video.plan, video.report.grid)
    marked = nearest(np.array([key.pts_seconds for key in keyframes]), seconds)
    pictures, places = _matched(frames, seconds)
    segmented = SegmentedFrames.of(video)
    shown = _shown(segmented, places, np.isin(places, marked), limit)
    if not len(shown):
        raise ValueError(f"{frames!r} must show a frame that a segment of the plan holds")
    return [
        FrameFigure(
            image=_figure(frames.data[picture], shares[place], labels[place], size_px),
            index=place,
            pts_seconds=float(seconds[place]),
            kept=int(counts[place]),
            is_keyframe=place in marked,
            segment=None if segmented is None else int(segmented.number[place]),
            is_in_detail=segmented is not None and bool(segmented.in_detail[place]),
            encoded_seconds=_encoded(video, place),
        )
        for picture, place in zip(pictures[shown].tolist(), places[shown].tolist(), strict=True)
    ]


def shown_seconds(
    video: CompressedVideo, keyframe_seconds: Sequence[float], *, limit: int
) -> list[float]:
    """Returns the times of the frames that `frame_figures` shows where it has all pictures.

    Args:
        video: the plan and its times.
        keyframe_seconds: times of the keyframes.
        limit: largest number of figures.
    """
    seconds = video.frame_seconds.numpy()
    places = np.arange(len(seconds))
    marked = np.isin(places, nearest(np.array(keyframe_seconds), seconds))
    times: list[float] = seconds[_shown(SegmentedFrames.of(video), places, marked, limit)].tolist()
    return times


def segment_figures(
    video: CompressedVideo, figures: Sequence[FrameFigure]
) -> list[SegmentFigure] | None:
    """Returns the segments of which frames are shown; None where there are no segments."""
    segments, segmented = video.report.segments, SegmentedFrames.of(video)
    if segments is None or segmented is None:
        return None
    together = frames_together(video, segmented)
    return [
        SegmentFigure(tokens=segments[number], together=int(together[number]), figures=tuple(own))
        for number, own in groupby(figures, lambda figure: figure.segment)
        if number is not None
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


def _shown(
    segmented: SegmentedFrames | None, places: Indices, is_keyframe: Mask, limit: int
) -> Indices:
    """Returns which of the frames with a picture are shown, as positions in `places`.

    Args:
        segmented: the frames by segment, None where there are no segments.
        places: the frames with a picture, among the sampled ones.
        is_keyframe: whether each of them is one.
        limit: most frames.
    """
    if segmented is None:
        return _chosen(is_keyframe, limit)
    numbers = segmented.number[places]
    present, sizes = np.unique(numbers[numbers >= 0], return_counts=True)
    has_keyframe = np.isin(present, numbers[is_keyframe])
    fitting = len(present) if sizes.sum() <= limit else max(1, limit // int(sizes.max()))
    whole = present[_chosen(has_keyframe, fitting)]
    inside = np.isin(numbers, whole).nonzero()[0]
    # Only where one segment alone is too long are some of its frames left out.
    return inside[_chosen((is_keyframe | segmented.in_detail[places])[inside], limit)]


def _chosen(is_keyframe: Mask, limit: int) -> Indices:
    """Returns the positions shown: keyframes, and the others evenly spread over what is left."""
    if len(is_keyframe) <= limit:
        return np.arange(len(is_keyframe))
    keys = _evenly(is_keyframe.nonzero()[0], limit)
    others = _evenly((~is_keyframe).nonzero()[0], limit - len(keys))
    return np.sort(np.concatenate([keys, others]))


def _evenly(positions: Indices, count: int) -> Indices:
    count = min(count, len(positions))
    return positions.take(np.linspace(0, len(positions) - 1, count).round().astype(np.int64))


def _picture_figure(
    video: CompressedVideo,
    pixels: npt.NDArray[np.uint8],
    shares: npt.NDArray[np.float32],
    is_keyframe: bool,
    size_px: int,
) -> FrameFigure:
    """Returns a still picture, dark where no patch of any of its views is kept."""
    small = np.asarray(shrunk(Image.fromarray(pixels), size_px))
    lit = covered_pixels(shares, video.report.views or [], small.shape[:2])
    return FrameFigure(
        image=Image.fromarray(dimmed(small, lit, np.zeros_like(lit, dtype=np.int64))),
        index=0,
        pts_seconds=float(video.frame_seconds[0]),
        kept=video.plan.num_out,
        is_keyframe=is_keyframe,
        segment=None,
        is_in_detail=False,
        encoded_seconds=None,
    )


def _figure(
    pixels: npt.NDArray[np.uint8], shares: npt.NDArray[np.float32], labels: Indices, size_px: int
) -> Image.Image:
    small = np.asarray(shrunk(Image.fromarray(pixels), size_px))
    return Image.fromarray(dimmed(small, shares, labels))
