"""How many rows of a slow-fast layout masked frames have, without making them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from framesift.run import stoppable
from framesift.strategies.slow_fast_layout import FEWEST_FOR_TIME, SlowFastLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class FilledCells:
    """How many cells of masked frames hold a live token, for any choice of these frames."""

    layout: SlowFastLayout
    key: npt.NDArray[np.int64]
    """Filled cells of each frame on the key grid, `(T,)`."""
    time: npt.NDArray[np.bool_]
    """Which cells of the time grid are filled, `(T, cells)`."""
    time_filled: npt.NDArray[np.int64]
    """How many of them, `(T,)`."""

    @classmethod
    def of(cls, layout: SlowFastLayout, live: Tensor) -> FilledCells:
        """Returns those of live tokens, bool `(T, N)` on the CPU."""
        pictures = live.view(len(live), 1, *layout.grid).float()
        key, time = (
            adaptive_max_pool2d(pictures, grid).flatten(1).bool().numpy()
            for grid in (layout.key_grid, layout.time_grid)
        )
        return cls(layout=layout, key=key.sum(1), time=time, time_filled=time.sum(1))

    def most(self, frames: int, budget: int, chosen: Any, *, first_is_key: bool) -> int:
        """Returns the largest number of frames whose rows fit a budget; 0 if none does.

        Args:
            frames: how many there are.
            budget: most rows.
            chosen: gives the places `(n,)` of `n` of the frames.
            first_is_key: whether the first frame of a segment is its key frame; else the one with
                most filled cells is counted, since each may be.
        """
        # Masked tokens only ever take rows away.
        surely = self.layout.most_frames(frames, budget)
        for number in stoppable(range(frames, surely, -1)):
            if self.fits(chosen(number), budget, first_is_key=first_is_key):
                return number
        return surely

    def fits(self, places: npt.NDArray[np.int64], budget: int, *, first_is_key: bool) -> bool:
        """Returns whether a budget surely has room for the rows of some frames."""
        sizes = np.array(self.layout.sizes(len(places)))
        starts = sizes.cumsum() - sizes
        left_out = starts[:0]
        if first_is_key and not self.layout.include_key:
            left_out = starts if self.layout.per_frame else starts[sizes > 1]
        key, each = self.key[places], self.time_filled[places]
        each[left_out] = 0
        left = budget - (key[starts] if first_is_key else np.maximum.reduceat(key, starts)).sum()
        if self.layout.per_frame:
            return bool(each.sum() <= left)
        timed = sizes >= (1 if self.layout.remainder == "repeat" else FEWEST_FOR_TIME)
        # A segment fills at least the cells of its fullest frame, which most choices exceed.
        if np.maximum.reduceat(each, starts)[timed].sum() > left:
            return False
        time = self.time[places]
        time[left_out] = False
        return bool(np.logical_or.reduceat(time, starts)[timed].sum() <= left)
