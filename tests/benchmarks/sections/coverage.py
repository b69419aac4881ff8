"""Do keyframes find what happens? Events of synthetic videos, against even and scene-wise picks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from pathlib import Path
from typing import Final

from benchmarks.effort import Effort
from benchmarks.process import Json
from framesift.compression.compressor import VideoCompressor
from framesift.decoders import registry as decoders
from framesift.decoders.sampling import at_fps
from framesift.sources.base import open_video
from framesift.types.video import LocalVideo

SCENES: Final = {"number": 30, "events": 30, "mixed": 30}
"""Scenes with short events in still surroundings, and how many seconds of each."""
FIRST_SEED: Final = 5000
"""Seeds from here on were never looked at while the selectors were made."""
SELECTORS: Final = ("keyframes", "uniform", "scene")

Span = tuple[float, float]


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how many events keyframes find, over seeds of each scene."""
    rows = []
    for scene, seconds in SCENES.items():
        counts_of = {name: [0, 0] for name in SELECTORS}
        for seed in range(FIRST_SEED, FIRST_SEED + effort.coverage_videos):
            uri = f"synthetic://{scene}?seconds={seconds}&seed={seed}&width=480&height=270"
            with open_video(uri) as video:
                spans = list(_visible(video))
                for name in SELECTORS:
                    hits = _hits(video, spans, name)
                    counts_of[name] = [counts_of[name][0] + hits, counts_of[name][1] + len(spans)]
        rows += [share_row(scene, name, *counts) for name, counts in counts_of.items()]
    return {
        "question": "share of events that have a keyframe, with one keyframe more than events; "
        "95 % Wilson interval; synthetic videos with seeds that were held out",
        "rows": rows,
    }


def _visible(video: LocalVideo) -> Iterator[Span]:
    """Yields when each event is on, of those that are on at a sampled time."""
    assert video.path is not None
    index = decoders.create("pyav").index(video.path)
    times = index.pts_seconds[at_fps(index, VideoCompressor.fps)]
    for event in video.truth["events"]:
        span = event["start_seconds"], event["end_seconds"]
        if ((span[0] <= times) & (times <= span[1])).any():
            yield span


def _hits(video: LocalVideo, spans: Sequence[Span], selector: str) -> int:
    frames = VideoCompressor(selector=selector).keyframes(video, count=len(spans) + 1)
    times = [frame.pts_seconds for frame in frames]
    return sum(any(start <= time <= end for time in times) for start, end in spans)


def share_row(video: str, name: str, hits: int, events: int) -> Json:
    """Returns a row of results: a share with its interval."""
    low, high = wilson(hits, events)
    return {
        "video": video,
        "name": name,
        "events": events,
        "found": hits,
        "share": round(hits / events, 4),
        "interval": [round(low, 4), round(high, 4)],
    }


def wilson(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Returns the Wilson score interval of a share."""
    share, spread = hits / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)
