"""Shows frames that a selector ranked high in full, and the others on coarser grids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from framesift.run import stoppable
from framesift.strategies import _ops
from framesift.strategies.base import Strategy
from framesift.types.options import Share
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

Array = npt.NDArray[np.int64]
GOLDEN = 0x9E3779B1
"""Multiples of it, modulo 2^32, are spread evenly, however many of them are taken."""


@dataclass(frozen=True, kw_only=True)
class Resolutions(Strategy):
    """Gives each frame a resolution by its rank, so that one budget holds more frames.

    All frames are averaged over cells of 4 x 4 patches at first. The frames of the first ranks are
    shown in full for a share of what is left of the budget, those that follow on cells of 2 x 2.
    The next frame in rank takes what remains, some of its cells finer than others, so that the
    budget is met exactly. Too small a budget makes the coarse cells larger, and below one token a
    frame only the first ranks are shown.

    Ranks are the order in which a selector chose the frames, such as
    `VideoCompressor(selector="dpp", max_frames=44, strategy="resolutions")`. Without them, some
    frames spread over the whole video come first.

    Differences from the published methods: Q-Frame scales pictures before they are encoded, to half
    and a quarter of each side, and draws the order with noise; LongVU ranks by the question and
    knows two sizes (`by=question,halvings=1`), and cuts off what is too long.
    """

    summary: ClassVar[str] = "first ranks in full, others on coarser grids, one budget"
    paper: ClassVar[str] = "https://arxiv.org/abs/2506.22139"
    cost: ClassVar[str] = "O(T N)"

    by: Literal["rank", "question"] = "rank"
    """What orders the frames: the selector that chose them, or how near they are to a question."""
    whole: Share = 0.7
    """Share of the budget above the coarsest grids that goes to frames in full: with four times as
    many patches as cells at each step, the 4, 8 and 32 frames of Q-Frame for the budget of 8."""
    halvings: Annotated[int, Field(ge=1, le=2)] = 2
    """How often the sides of the grid are halved for the last ranks: 2 for cells of 4 x 4 patches.
    """

    @property
    def required_signals(self) -> frozenset[str]:
        """The similarity to the question, where that orders the frames."""
        return frozenset({"question_similarity"} if self.by == "question" else set())

    @property
    def reads_ranks(self) -> bool:
        """Whether the selector orders the frames."""
        return self.by == "rank"

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of exactly `budget` means over cells."""
        live = tokens.live.cpu().numpy()
        order = [frame for frame in self._order(tokens) if live[frame].any()]
        grids = _grids(tokens.grid)
        counts = np.stack([_filled(cells, live) for cells in grids])  # (levels, T)
        shares = self._shares(counts, order, budget)
        group = np.full(live.shape, -1, dtype=np.int64)
        for frame in stoppable(order):
            if shares[frame]:
                cells = _cells(grids, counts[:, frame], live[frame], int(shares[frame]))
                group[frame] = np.where(live[frame], cells + frame * live.shape[1], -1)
        flat = torch.from_numpy(group.ravel()).to(tokens.features.device)
        return TokenPlan.merge(flat, tokens_per_frame=tokens.tokens_per_frame)

    def _order(self, tokens: VideoTokens) -> list[int]:
        """Returns all frames from the first rank to the last; earlier ones first on ties."""
        near, ranks = tokens.signals.question_similarity, tokens.signals.frame_rank
        if self.by == "question" and near is not None:
            live = tokens.live
            total = near.float().masked_fill(~live, 0.0).sum(1)
            values = _ops.rounded(total / live.sum(1).clamp_min(1))
            order = torch.argsort(values, descending=True, stable=True)
        elif ranks is not None:
            order = torch.argsort(ranks.amin(1), stable=True)
        else:
            order = torch.from_numpy(_spread(tokens.frame_count))
        found: list[int] = order.tolist()
        return found

    def _shares(self, counts: Array, order: list[int], budget: int) -> Array:
        """Returns the tokens of each frame, `budget` in all.

        Args:
            counts: cells with live patches at each level of each frame `(levels, T)`, finest first.
            order: frames by rank, without those that hold no live patch.
            budget: at least 1, less than the live patches.
        """
        levels = range(min(self.halvings, len(counts) - 1), len(counts))
        base = next((level for level in levels if counts[level].sum() <= budget), None)
        if base is None:
            shares: Array = np.zeros_like(counts[0])
            shares[order[:budget]] = 1
            return shares
        shares = np.array(counts[base])
        left = budget - int(shares.sum())
        in_full, spent = self.whole * left, 0
        place = 0
        for frame in order:
            need = int(counts[0, frame] - shares[frame])
            if spent + need / 2 > in_full or spent + need > left:
                break
            shares[frame], spent, place = counts[0, frame], spent + need, place + 1
        left -= spent
        if self.halvings == 2:
            for frame in order[place:]:
                need = int(counts[base - 1, frame] - shares[frame])
                if need > left:
                    break
                shares[frame], left = counts[base - 1, frame], left - need
        for frame in order:
            more = min(left, int(counts[0, frame] - shares[frame]))
            shares[frame], left = shares[frame] + more, left - more
        return shares


def _grids(grid: tuple[int, int]) -> list[Array]:
    """Returns the cell of each patch `(N,)`, for cells of 1, 2, 4 ... patches a side."""
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    grids, side = [], 1
    while True:
        grids.append((rows // side) * -(-grid[1] // side) + columns // side)
        if side >= max(grid):
            return grids
        side *= 2


def _filled(cells: Array, live: npt.NDArray[np.bool_]) -> Array:
    """Returns how many cells of each frame hold a live patch `(T,)`."""
    filled = np.zeros((len(live), int(cells.max()) + 1), dtype=bool)
    frames, patches = live.nonzero()
    filled[frames, cells[patches]] = True
    counts: Array = filled.sum(1)
    return counts


def _cells(grids: list[Array], counts: Array, live: npt.NDArray[np.bool_], count: int) -> Array:
    """Returns for each patch of a frame the first patch of the cell that it is averaged in `(N,)`.

    It is the finest grid of at most `count` cells, of which evenly spread ones are divided into
    those of the next finer grid; of the last one only as many stand alone as are missing.
    """
    level = int(np.argmax(counts <= count))
    cells, missing = grids[level].copy(), count - int(counts[level])
    if missing:
        finer, offset = grids[level - 1], int(cells.max()) + 1
        filled = np.unique(cells[live])
        for cell in filled[_spread(len(filled))]:
            parts = np.unique(finer[live & (cells == cell)])[1:][:missing]
            missing -= len(parts)
            alone = np.isin(finer, parts) & (grids[level] == cell)
            cells[alone] = finer[alone] + offset
            if not missing:
                break
    first: Array = np.zeros(int(cells.max()) + 1, dtype=np.int64)
    places = np.flatnonzero(live)[::-1]
    first[cells[places]] = places
    found: Array = first[cells]
    return found


def _spread(count: int) -> Array:
    """Returns the order of `count` places in which the first ones, however many, are far apart."""
    order: Array = np.argsort(np.arange(count) * GOLDEN % 2**32, kind="stable")
    return order
