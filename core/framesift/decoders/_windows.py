"""Gathers single pictures into windows of frames, and tells what damage cost."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from framesift.decoders._orientation import Image
from framesift.decoders._timeline import Timeline
from framesift.errors import CorruptVideoError
from framesift.types.frames import Frames
from framesift.types.video import Warn

WINDOW_BYTES: Final = 2**28
"""Most bytes of the pictures of one window, unless a single one has more."""

logger = logging.getLogger(__name__)


def windows(
    path: Path,
    timeline: Timeline,
    images: Iterator[tuple[int, Image]],
    positions: Sequence[int],
    window: int,
    warn: Warn | None,
) -> Iterator[Frames]:
    """Yields `images`, which come with their positions, as frames of at most `window` pictures.

    Raises:
        CorruptVideoError: not one of the frames at `positions` came.
    """
    missing, info = set(positions), timeline.index.info
    fitting = max(1, WINDOW_BYTES // (3 * info.width_px * info.height_px))
    while len(frames := _gather(timeline, images, min(window, fitting))):
        missing.difference_update(frames.indices.tolist())
        yield frames
    if positions and len(missing) == len(positions):
        raise CorruptVideoError(
            f"{path.name!r}: none of the {len(positions)} asked frames can be decoded; "
            "give an undamaged file or try another decoder"
        )
    if damage := _damage(timeline, len(positions), missing):
        (warn or logger.warning)(f"{path.name!r} is damaged: {damage}")
    if timeline.jumps:
        (warn or logger.warning)(f"the clock of {path.name!r} {_jumps(timeline)}")


def _gather(timeline: Timeline, images: Iterator[tuple[int, Image]], window: int) -> Frames:
    data = np.empty((0, 0, 0, 3), dtype=np.uint8)
    indices: list[int] = []
    for position, image in islice(images, window):
        if not indices:
            data = np.empty((window, *image.shape), dtype=np.uint8)
        data[len(indices)] = image
        indices.append(position)
    return Frames(
        data=data[: len(indices)],
        pts_seconds=timeline.index.pts_seconds[indices],
        indices=np.array(indices, dtype=np.int64),
    )


def _damage(timeline: Timeline, asked: int, missing: set[int]) -> str:
    pts_seconds = timeline.index.pts_seconds
    facts = []
    if missing:
        first_seconds = pts_seconds[min(missing)]
        facts.append(
            f"{len(missing)} of {asked} asked frames are lost, from {first_seconds:.2f} s on"
        )
    if timeline.index.is_cut:
        facts.append(f"the file breaks off, no frames after {timeline.last_seconds:.2f} s")
    return "; ".join(facts)


def _jumps(timeline: Timeline) -> str:
    """Returns how often the clock jumps, and where first and by how much."""
    first, tick_seconds = timeline.jumps[0], float(timeline.time_base)
    times = "once" if len(timeline.jumps) == 1 else f"{len(timeline.jumps)} times, first"
    return (
        f"jumps {times} at {first.at_ticks * tick_seconds - timeline.zero_seconds:.2f} s by "
        f"{first.by_ticks * tick_seconds:+.2f} s, as in joined recordings; what comes after it "
        "follows at once"
    )
