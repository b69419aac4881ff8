"""Which centre of each anchor frame takes in each other token of the anchor's segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from framesift.strategies import _ops
from framesift.strategies._blocks import batches, frames_at_once, rows_at

ALIKE = 4 / 9
"""Share of a batch's largest piece, in frames times centres, below which a piece waits for the
next: both grow with the length of a segment."""
SMALL = 100
"""Frames times centres up to which pieces are not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """Some frames of each segment, with tokens that take in the others of the whole segment."""

    features: Tensor
    """Of the video, floating point `(T, N, D)`."""
    others: Tensor
    """Tokens that are taken in, bool `(T, N)`; a centre is one, for all anchors but its own."""
    is_center: Tensor
    """Tokens that take in others, bool `(T, N)`."""
    counts: Sequence[int]
    """Centres of each frame; 0 where it is not an anchor."""

    def taken(self, segments: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Returns the centre that every anchor gives each other token, and the token, `(E,)`.

        A centre is its number among all, a token its place in the video.

        Args:
            segments: first frame of each segment and the one after its last.
        """
        pieces = list(self._pieces(segments))
        sizes = [len(frames) * self._columns(anchors) for frames, anchors in pieces]
        _, patches, channels = self.features.shape
        memory = [
            4 * patches * max(size, len(frames) * channels)
            for size, (frames, _) in zip(sizes, pieces, strict=True)
        ]
        place = self.is_center.flatten().nonzero().flatten()
        found = [
            self._nearest([pieces[i] for i in own], place)
            for own in batches(sizes, memory, least=1, alike=ALIKE, small=SMALL)
        ]
        row, source = zip(*found, strict=True)
        return torch.cat(row), torch.cat(source)

    def _pieces(self, segments: Sequence[tuple[int, int]]) -> Iterator[tuple[range, list[int]]]:
        """Yields frames that a block has room for, and the anchors of their segment."""
        patches = self.features.shape[1]
        for start, stop in segments:
            anchors = [frame for frame in range(start, stop) if self.counts[frame]]
            if anchors:
                step = frames_at_once(4 * patches * self._columns(anchors), least=1)
                for first in range(start, stop, step):
                    yield range(first, min(first + step, stop)), anchors

    def _columns(self, anchors: Sequence[int]) -> int:
        return len(anchors) * max(self.counts[frame] for frame in anchors)

    def _nearest(
        self, pieces: Sequence[tuple[range, list[int]]], place: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns the centres and tokens of some `pieces`; the centres' `place` are `(C,)`."""
        device, patches = place.device, self.features.shape[1]
        firsts = [0, *accumulate(self.counts)]
        frame, anchor = (
            torch.from_numpy(_filled([piece[i] for piece in pieces])).to(device) for i in (0, 1)
        )
        first = _filled([[firsts[i] for i in anchors] for _, anchors in pieces])
        count = _filled([[self.counts[i] for i in anchors] for _, anchors in pieces])
        column = np.arange(count.max())
        columns = first[..., None] + np.minimum(column, count[..., None].clip(1) - 1)
        absent = torch.from_numpy(column >= count[..., None]).to(device)
        center = place[torch.from_numpy(columns.clip(0)).to(device)]
        alike = _ops.cosine_matrix(
            rows_at(self.features, frame.clamp_min(0)).flatten(1, 2).float(),
            rows_at(self.features.flatten(0, 1), center.flatten(1)).float(),
        ).unflatten(2, absent.shape[1:])
        best = alike.masked_fill_(absent[:, None], _ops.NEVER).argmax(3)
        best = (best + torch.from_numpy(first).to(device)[:, None]).unflatten(1, (-1, patches))
        here = (frame >= 0)[..., None, None] & (anchor >= 0)[:, None, None]
        own = frame[..., None, None] == anchor[:, None, None]
        is_center = self.is_center[frame.clamp_min(0)][..., None]
        taken = here & self.others[frame.clamp_min(0)][..., None] & ~(is_center & own)
        entry = taken.flatten().nonzero().flatten()
        source = frame[..., None] * patches + torch.arange(patches, device=device)
        return best.flatten()[entry], source[..., None].expand_as(best).flatten()[entry]


def _filled(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Returns `rows` as one array, the shorter ones filled up with -1."""
    width = max(len(row) for row in rows)
    return np.array([[*row, *[-1] * (width - len(row))] for row in rows], dtype=np.int64)
