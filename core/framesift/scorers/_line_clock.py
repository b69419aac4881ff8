"""Lines that are rated against a query, laid on the clock: the stretches in which most of it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from framesift.types.video import TimedText

NEW_SECONDS: Final = 4.0
"""How long a line is new."""
LEFT: Final = 0.5
"""What is left of a line's weight after that; the least weight of a further stretch and of the ends
of one, as a part of the heaviest."""
REACH_SECONDS: Final = 4.0
"""Pause from which on lines do not count together."""
PAUSE_SECONDS: Final = 1.0
"""Pause from which on a stretch ends."""
SHOWN: Final = 0.3
"""Least that a line of the screen has of the query to be shown, as a part of the best one there."""
BESIDE: Final = 0.5
"""Weight of the lines right before or after, as a part of their own."""
SHORTEST: Final = 1e-3
"""Seconds that a line without a length lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextMatch:
    """A stretch of a video whose text a query points at."""

    start_seconds: float
    end_seconds: float
    best_seconds: float
    """A time at which most of the query is there."""
    score: float
    """How much of what the video has of the query is in the stretch, in [0, 1]."""
    reason: str
    lines: tuple[TimedText, ...]
    """What is said in the stretch, and what of the screen is like the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedLines:
    """What each line has of each word of a query, or of the query as one."""

    weights: Tensor
    """Float64 `(W, L)`, 0 where a line has nothing of it."""
    present: Tensor
    """Whether, or how much of, a word is in a line, in [0, 1], float64 `(W, L)`."""
    needed: Tensor
    """Weight of each word when it is asked whether enough of them are there, of sum 1 `(W,)`."""
    least: float
    """How much is enough."""
    reason: Callable[[list[float]], str]
    """Makes a reason of the weights in a stretch `(W,)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineClock:
    """Rated lines between the times at which one comes or goes.

    lines      ----a----
                    ------b------
    intervals  |  0 |  1 |   2  |
    """

    lines: list[TimedText]
    rated: RatedLines
    edges: Tensor
    """Seconds `(I + 1,)`, ascending."""
    there: Tensor
    """The weight of each word in each interval `(W, I)`, less where it is not new."""
    ranks: Tensor
    """What an interval is worth `(I,)`, new lines and those right before and after counted."""
    enough: Tensor
    """Whether enough of the query is there `(I,)`."""

    @classmethod
    def of(cls, lines: list[TimedText], rated: RatedLines) -> LineClock:
        kept = (rated.weights > 0).any(0).nonzero().flatten().tolist()
        spans = [
            (n, start, max(end, start + SHORTEST), again > 0)
            for n in kept
            for again, (start, end) in enumerate(lines[n].stretches)
        ]
        marks = {time for _, start, end, _ in spans for time in (start, start + NEW_SECONDS, end)}
        edges = torch.tensor(sorted(marks), dtype=torch.float64)
        size = len(rated.weights), max(0, len(edges) - 1)
        there, present = (torch.zeros(size, dtype=torch.float64) for _ in range(2))

        def place(time: float) -> int:
            return int(torch.searchsorted(edges, time))

        for n, start, end, again in spans:
            first, last = place(start), place(end)
            middle = first if again else min(last, place(start + NEW_SECONDS))
            weight, has = rated.weights[:, n, None], rated.present[:, n, None]
            _raise(there[:, first:middle], weight)
            _raise(there[:, middle:last], weight * LEFT)
            _raise(present[:, first:last], has)
        near = torch.maximum(there, BESIDE * _beside(there, edges))
        together = torch.maximum(present, _beside(present, edges, fading=False))
        return cls(
            lines=lines,
            rated=rated,
            edges=edges,
            there=there,
            ranks=near.sum(0).mul(1e6).round().div(1e6),
            enough=rated.needed @ together >= rated.least - 1e-9,
        )

    def matches(self, count: int) -> list[TextMatch]:
        """Returns the stretches that have most of the query, at most `count`."""
        own = self.there.sum(0)
        left = torch.where(self.enough & (own > 0), self.ranks, 0.0)
        found: list[TextMatch] = []
        while len(found) < count and len(left) and float(left.max()) > 0:
            best = int(left.argmax())
            if not found:  # what is only beside something strong is not another find
                left[own < LEFT * own[best]] = 0.0
            first, last = self._around(best, own)
            own[first : last + 1] = -1.0
            left[first : last + 1] = 0.0
            found.append(self._match(first, best, last))
        return found

    def _around(self, best: int, own: Tensor) -> tuple[int, int]:
        """Returns the first and last interval of the stretch around the best one.

        Args:
            best: an interval.
            own: weight of each, below 0 where it is part of another stretch `(I,)`.
        """
        stays = own >= LEFT * own[best] - 1e-9
        # A pause between two lines does not end what is said.
        stays |= (own == 0) & (self.edges.diff() < PAUSE_SECONDS)
        first = last = best
        while first > 0 and stays[first - 1]:
            first -= 1
        while last + 1 < len(own) and stays[last + 1]:
            last += 1
        while own[first] == 0:
            first += 1
        while own[last] == 0:
            last -= 1
        return first, last

    def _match(self, first: int, best: int, last: int) -> TextMatch:
        start, end = float(self.edges[first]), float(self.edges[last + 1])
        time = float(
            self.edges[best] + min(1.0, float(self.edges[best + 1] - self.edges[best])) / 2
        )
        most = float(self.rated.weights.max(1).values.sum())
        return TextMatch(
            start_seconds=start,
            end_seconds=end,
            best_seconds=time,
            score=round(min(1.0, float(self.ranks[best]) / most), 4),
            reason=self.rated.reason(self.there[:, first : last + 1].max(1).values.tolist()),
            lines=self._shown(start, end),
        )

    def _shown(self, start: float, end: float) -> tuple[TimedText, ...]:
        """Returns what is said in a stretch, and what of the screen has most of the query."""
        shares = (self.rated.needed @ self.rated.present).tolist()
        within = [
            (line, share)
            for line, share in zip(self.lines, shares, strict=True)
            if any(a < end and max(b, a + SHORTEST) > start for a, b in line.stretches)
        ]
        least = SHOWN * max(share for _, share in within)
        return tuple(line for line, share in within if line.box is None or share >= least)


def _raise(to: Tensor, values: Tensor) -> None:
    torch.maximum(to, values.expand_as(to), out=to)


def _beside(values: Tensor, edges: Tensor, *, fading: bool = True) -> Tensor:
    """Returns the largest value before and after each interval `(W, I)`, within reach of it.

    Args:
        values: in each interval `(W, I)`.
        edges: of the intervals `(I + 1,)`.
        fading: whether less is left of it the longer the pause is.
    """
    found = torch.zeros_like(values)
    starts, ends = edges[:-1], edges[1:]
    for step in range(1, values.shape[1]):
        apart = starts[step:] - ends[:-step]
        if not bool((apart < REACH_SECONDS).any()):
            break
        left = (1 - apart / REACH_SECONDS).clamp_min(0)
        left = left if fading else (left > 0).double()
        torch.maximum(found[:, step:], values[:, :-step] * left, out=found[:, step:])
        torch.maximum(found[:, :-step], values[:, step:] * left, out=found[:, :-step])
    return found
