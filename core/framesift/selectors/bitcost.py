"""Picks frames so that as many bits of news lie between them, from packet sizes alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import torch

from framesift.errors import InvalidOptionError
from framesift.scorers.candidates import Candidates
from framesift.selectors._fill import first_at, part_middles
from framesift.selectors.base import Selection, Selector
from framesift.types.options import Share

Bytes = npt.NDArray[np.float64]
BEAT: Final = 0.9
"""Share of the largest distance of key frames from which one is taken to be set by the clock."""


@dataclass(frozen=True, kw_only=True)
class Bitcost(Selector):
    """Picks frames at equal steps of what the codec had to write since the one before.

    A packet is large where much is new, so a stretch that stands still gets few frames and a busy
    one many; the sizes are known without decoding, for an hour within seconds. A key frame that
    comes when the longest distance between two is over is written whole whatever it shows: it
    counts as its neighbours do. One that comes earlier is a cut to the encoder, and counts in full.
    Where all frames are key frames, what counts is how their sizes change.
    """

    summary: ClassVar[str] = "equal steps of the bits that changes cost, no decoding"

    spread: Share = 0.25
    """Share of the steps that is even in time, so that stretches that stand still are shown too."""

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns the frames where the sum of costs passes the middles of `count` equal parts."""
        costs = _costs(candidates)
        times = candidates.pts_seconds.numpy()
        even = np.append(np.diff(times[:1], prepend=times[:1]), np.diff(times))
        # A change that costs more than one step is one change still.
        capped = costs.clip(max=costs.sum() / count)
        share = (1 - self.spread) * _scaled(capped) + self.spread * _scaled(even)
        position = np.cumsum(share)
        wanted = part_middles(0.0, float(position[-1]), count)
        places = first_at(position.tolist(), wanted)
        curve = torch.from_numpy(costs / 1024).float().tolist()
        edges = [-1, *places]
        return Selection(
            indices=tuple(places),
            scores=tuple(curve[place] for place in places),
            reasons=tuple(
                f"{costs[before + 1 : place + 1].sum() / 1024:.1f} KiB of changes since "
                f"{'the start' if before < 0 else 'the frame before'}"
                for before, place in pairwise(edges)
            ),
            curve=tuple(curve),
        )


def _costs(candidates: Candidates) -> Bytes:
    """Returns the bytes that changes took from each candidate's predecessor up to it `(T,)`.

    Raises:
        InvalidOptionError: the sizes of packets are not known.
    """
    index, indices = candidates.index, candidates.indices
    if index is None or index.packet_bytes is None or indices is None:
        raise InvalidOptionError(
            "selector 'bitcost' reads how large the packet of each frame is, and "
            f"{candidates.uri or 'what was given'} does not say which packet is whose, as AVI and "
            "raw streams do not; take selector 'scene' or 'keyframes', which look at pictures, or "
            "put the video into another container: ffmpeg -fflags +genpts -i IN -c copy OUT.mp4"
        )
    news = _news(index.packet_bytes.astype(np.float64), index.is_keyframe)
    total = np.concatenate([[0.0], np.cumsum(news)])
    places = np.asarray(indices)
    before = np.concatenate([places[:1], places[:-1]])  # what came before the first is not counted
    costs: Bytes = total[places + 1] - total[before + 1]
    return costs


def _news(sizes: Bytes, is_keyframe: npt.NDArray[np.bool_] | None) -> Bytes:
    """Returns what each frame of the stream cost because something changed `(F,)`."""
    keys = np.flatnonzero(is_keyframe) if is_keyframe is not None else np.empty(0, np.int64)
    if len(keys) > len(sizes) / 2:
        return np.abs(np.diff(sizes, prepend=sizes[:1]))
    news = sizes.copy()
    others = np.flatnonzero(~is_keyframe) if is_keyframe is not None else np.arange(len(sizes))
    distance = np.diff(keys, prepend=-(10**9))
    beat = BEAT * max(distance[1:], default=1)
    for key in keys[distance >= beat]:
        near = others[max(0, np.searchsorted(others, key) - 4) :][:8]
        news[key] = np.median(sizes[near]) if len(near) else 0.0
    return news


def _scaled(values: Bytes) -> Bytes:
    """Returns values with a sum of 1, even ones where all are zero."""
    total = values.sum()
    return values / total if total > 0 else np.full(len(values), 1 / len(values))
