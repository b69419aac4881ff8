"""Which tokens differ from the last one kept of their place, for several thresholds at once.

Keeping is a recurrence over time: what a token is compared with depends on what was kept before.
It is solved without a loop over frames, in blocks of them. Within a block, the similarities of all
pairs of a place say for each token which one would be kept next if it was kept itself:

    token        0  1  2  3  4  5        0, 2 and 5 are kept if the block begins with 0:
    next kept    2  2  5  4  -  -        the tokens on the way along the pointers from 0

Pointers that are doubled a few times (to the token after 2, 4, 8 ... steps) give the number of kept
tokens and the last of them from every beginning. From block to block only those last tokens are
compared with the frames that follow.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from framesift.run import stoppable
from framesift.strategies import _ops

logger = logging.getLogger(__name__)

FRAMES = 64
"""Most frames of a block."""
WIDTH = 8
"""Numbers that are held of each pair of a place at once, with those of the steps around it."""
STORED, STORED_ON_CPU = 2**26, 2**23
"""Similarities that are kept from one search to the next, 256 MiB, on a CPU 32 MiB; of more they
are made anew."""


class LastKept:
    """The tokens of a video that a threshold keeps: those less like the last kept one."""

    def __init__(
        self,
        features: Tensor,
        live: Tensor,
        length: Tensor,
        known: tuple[Tensor, Tensor],
        places: Tensor | None = None,
    ) -> None:
        """Takes the tokens.

        Args:
            features: `(T, N, D)`, of any floating-point dtype.
            live: tokens that take part, bool `(T, P)`.
            length: of the features, float32 `(T, P)`.
            known: similarity of each token to the one of its place in an earlier frame, and the
                number of that frame, both `(T, P)`. It is taken instead of the one that a product
                of matrices has, which sums in another order.
            places: those that are searched, int64 `(P,)`; None for all, in order.
        """
        frames, patches = live.shape
        self._blocks = -(-frames // FRAMES)
        self._size = -(-frames // self._blocks)
        self._doublings = (self._size - 1).bit_length()
        self._features, self._live = features, live
        self._zero, self._length = (length == 0).float(), length.clamp_min(1e-15)
        self._known, self._known_frame = (known[0] * 1e6).round(), known[1]
        self._places = places
        none = self._blocks * self._size
        begins = torch.where(live.any(0), live.byte().argmax(0), none)
        every = torch.arange(patches, device=live.device) if places is None else places
        self._place = every[:, None]
        self._frame = torch.arange(none, device=live.device).view(self._blocks, self._size)
        begins = begins[:, None] - self._frame[:, 0]
        self._begins = torch.where(begins < 0, self._size, begins).clamp_max(self._size)
        on_cpu, pairs = live.device.type == "cpu", self._size**2 * patches
        most = max(1, (_ops.AT_ONCE_ON_CPU if on_cpu else _ops.AT_ONCE) // pairs)
        self._groups = [
            range(first, min(first + most, self._blocks)) for first in range(0, self._blocks, most)
        ]
        self._stored: list[Tensor] | None = None
        if self._blocks * pairs <= (STORED_ON_CPU if on_cpu else STORED):
            self._stored = [self._lowest(group) for group in stoppable(self._groups)]

    def counts(self, thresholds: Tensor) -> Tensor:
        """Returns how many tokens are kept by each of `thresholds` `(K,)`, int64 `(K,)`."""
        sums = []
        for _, steps, starts in self._ways(thresholds):
            shape = (*starts.shape[:2], self._size, len(thresholds))
            sums.append(pad(steps.view(shape) + 1, (0, 0, 0, 1)).gather(2, starts).sum((0, 1, 2)))
        return torch.stack(sums).sum(0)

    def kept(self, threshold: Tensor) -> Tensor:
        """Returns the tokens that are kept by `threshold` `()`, bool `(T, N)`."""
        parts = []
        for following, _, starts in self._ways(threshold[None]):
            on_way = (starts[..., 0] == self._frame[0]).int().flatten()
            for _ in range(self._doublings):
                on_way = on_way.scatter_reduce(0, following.long(), on_way, "amax")
                following = following.index_select(0, following)
            parts.append(on_way.view(len(starts), -1) > 0)
        return torch.cat(parts, 1)[:, : len(self._live)].T

    def _ways(self, thresholds: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yields what groups of `B` blocks of `S` tokens keep of each place by each threshold.

        That is the place in this tensor of the next kept token of each (its own where none
        follows), int32 `(N * B * S * K,)`, the steps from each to the last one of its block, and
        where the way begins, int64 `(N, B, 1, K)`: `S` where nothing is kept.
        """
        most = _highest_parts(thresholds)
        last = torch.zeros_like(self._begins[:, :1, None]).expand(-1, -1, len(most))
        for number, group in enumerate(self._groups):
            lowest = self._stored[number] if self._stored else self._lowest(group)
            shape = (*lowest.shape[:3], len(most))
            wanted = (-most).expand(shape).contiguous()
            following = torch.searchsorted(lowest, wanted, out_int32=True)
            ahead = following - self._frame[0, :, None].int()
            ahead = torch.where(following == self._size, 0, ahead) * len(most)
            own = torch.arange(ahead.numel(), dtype=torch.int32, device=most.device)
            following = ahead.flatten() + own
            steps, ends = ahead.flatten().clamp_max(1), following
            for _ in range(self._doublings):
                steps = steps + steps.index_select(0, ends)
                ends = ends.index_select(0, ends)
            frames = self._frame[group.start : group.stop, :, None].expand(shape).flatten()
            frames = pad(frames.index_select(0, ends).view(shape), (0, 0, 0, 1))
            starts = []
            for place, block in enumerate(stoppable(group)):
                starts.append(self._start(block, last, most))
                last = torch.maximum(last, frames[:, place].gather(1, starts[-1]))
            yield following, steps, torch.stack(starts, 1)

    def _start(self, block: int, last: Tensor, most: Tensor) -> Tensor:
        """Returns the first token of a block that is kept after `last` `(N, 1, K)`, in [0, S].

        Before a place begins none of its tokens is live, so what is compared there does not matter.
        """
        begins = self._begins[:, block, None, None]
        if block == 0:
            return begins.expand_as(last)
        frames, last = self._frames(block), last[:, 0]
        products = []
        for places, wide in _ops.wide_parts(self._of(frames), width=1):
            before = self._features[last[places], self._place[places]].float()
            products.append(before @ wide.permute(1, 2, 0))
        alike = torch.cat(products)
        alike /= self._length.T.gather(1, last)[..., None] * self._length[frames].T[:, None]
        alike.addcmul_(self._zero.T.gather(1, last)[..., None], self._zero[frames].T[:, None])
        alike = _parts(alike)
        is_known = self._known_frame[frames].T[:, None] == last[..., None]
        alike = torch.where(is_known, self._known[frames].T[:, None], alike)
        differs = (alike <= most[:, None]) & self._live[frames].T[:, None]
        changed = torch.where(differs, self._frame[0, : alike.shape[2]], self._size).amin(-1)
        return torch.minimum(begins, changed[:, None])

    def _frames(self, block: int) -> slice:
        return slice(block * self._size, min((block + 1) * self._size, len(self._live)))

    def _lowest(self, group: range) -> Tensor:
        """Returns the negative of the lowest similarity of each token to those up to another.

        Only later ones of its own block count. It ascends along the last dimension of
        `(N, B, S, S)`, so that bisection finds the next token that is within a threshold.
        """
        size = self._size
        lowest = self._length.new_empty(len(self._begins), len(group), size, size)
        for place, block in enumerate(group):
            frames = self._frames(block)
            number = self._frame[0, : frames.stop - frames.start]
            seen = self._known_frame[frames].T - frames.start
            row = torch.where(seen < 0, number, seen)[:, None]
            # Bounds of -inf where there is nothing to compare: a mask takes ten times as long.
            later, live = _bounds(number > number[:, None]), _bounds(self._live[frames].T[:, None])
            missing, rooms = size - len(number), None
            for places, wide in self._wide_parts(frames):
                rooms = _rooms(wide) if rooms is None else rooms
                alike, other, index = (room[: wide.shape[1]] for room in rooms)
                self._compare(wide, frames, places, alike, other)
                alike.scatter_(1, row[places], -self._known[frames, places].T[:, None])
                alike.clamp_max_(later).clamp_max_(live[places])
                ascending = torch.cummax(alike, -1, out=(other, index))[0]
                if missing:
                    ascending = pad(ascending, (0, missing, 0, missing), mode="replicate")
                lowest[places, place] = ascending
        return lowest

    def _compare(
        self, wide: Tensor, frames: slice, places: slice, alike: Tensor, other: Tensor
    ) -> None:
        """Writes the negative similarities of all pairs of each place into `alike` `(P, S, S)`."""
        length, zero = (each[frames, places].T for each in (self._length, self._zero))
        turned = wide.transpose(0, 1)
        torch.bmm(turned, turned.mT, out=alike)
        alike /= torch.mul(-length[..., None], length[:, None], out=other)
        _parts(alike.addcmul_(zero[..., None], zero[:, None], value=-1))

    def _wide_parts(self, frames: slice) -> Iterator[tuple[slice, Tensor]]:
        return _ops.wide_parts(self._of(frames), width=WIDTH * self._size)

    def _of(self, frames: slice) -> Tensor:
        """Returns the features of some frames, at the places that are searched."""
        some = self._features[frames]
        return some if self._places is None else some.index_select(1, self._places)


def _rooms(wide: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns memory for all pairs of each place of `(S, P, D)` and for their numbers."""
    shape = (wide.shape[1], len(wide), len(wide))
    numbers = torch.empty(shape, dtype=torch.long, device=wide.device)
    return wide.new_empty(shape), wide.new_empty(shape), numbers


def _bounds(compared: Tensor) -> Tensor:
    """Returns infinity where a similarity counts, else minus infinity."""
    everywhere = torch.full(compared.shape, torch.inf, device=compared.device)
    return everywhere.where(compared, -torch.inf)


def _parts(similarity: Tensor) -> Tensor:
    """Returns similarities in whole millionths, to which they are rounded before they compare."""
    return similarity.mul_(1e6).round_()


def _highest_parts(thresholds: Tensor) -> Tensor:
    """Returns the most millionths that are within each threshold; any at 1."""
    parts = (thresholds * 1e6).round()
    parts = parts - (_ops.divided(parts, 1e6) > thresholds).float()
    return parts.masked_fill(thresholds >= 1, 2e6)


def last_kept(
    features: Tensor, live: Tensor, length: Tensor, known: tuple[Tensor, Tensor]
) -> LastKept:
    """Returns `LastKept` in the way that is fastest on the device of the features."""
    kernel = _kernel(features.device) if features.device.type == "cuda" else None
    if kernel is None or features.shape[2] > kernel.MOST_CHANNELS:
        return LastKept(features, live, length, known)
    by_kernel: LastKept = kernel.LastKeptByKernel(features, live, length)
    return by_kernel


@functools.cache
def _kernel(device: torch.device) -> Any:
    """Returns the module with the kernel; None where Triton is missing or cannot compile it."""
    try:
        from framesift.strategies import _temporal_kernel
    except ImportError:
        return None
    one = torch.ones(2, 1, device=device)
    search = _temporal_kernel.LastKeptByKernel(one[..., None], one > 0, one)
    try:
        search.counts(one[0])
    except Exception as error:  # Whatever compilers and drivers raise; there is another way.
        logger.warning("plans take longer, as Triton cannot compile here: %s", error)
        return None
    return _temporal_kernel
