"""Drops frames that look like one of the last kept ones, then fills up to the exact count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from torch import Tensor

from framesift.run import report_progress
from framesift.scorers.candidates import Candidates
from framesift.selectors import _difference
from framesift.selectors._fill import in_widest_gaps
from framesift.selectors.base import Selection, Selector
from framesift.types.options import Count, Fraction

FRAMES_AT_ONCE: Final = 32
ROUNDS: Final = 10
"""Thresholds that are tried where too many frames differ; each halves what is left of the range."""


@dataclass(frozen=True, kw_only=True)
class Dedupe(Selector):
    """Keeps a frame if enough of its picture differs from each of the last kept ones.

    So a page that comes back after a glance elsewhere is kept once, and slow changes add up. Where
    more frames differ than are wanted, the least difference is raised until few enough do, not the
    end of the video cut off. Where fewer do, frames in the widest gaps of time make up the count.
    """

    summary: ClassVar[str] = "no near-duplicates of the last kept frames"

    different: Fraction = 0.08
    """Share of the picture that must differ, at least."""
    memory: Count = 4
    """Frames kept last that each is compared with."""

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns the frames that differ, and what fills the gaps."""
        features = candidates.tokens("handcrafted").features
        low, high = self.different, 1.0
        kept = self._kept(features, low, count)
        if len(kept) > count:
            kept = {0: 1.0}
            for _ in range(ROUNDS):
                middle = (low + high) / 2
                tried = self._kept(features, middle, count)
                if len(tried) > count:
                    low = middle
                else:
                    high, kept = middle, tried
                if len(tried) == count:
                    break
        reasons = {
            place: f"{share:.0%} of the picture is in none of the {self.memory} kept before"
            if place
            else "the first frame"
            for place, share in kept.items()
        }
        more = in_widest_gaps(candidates.pts_seconds, list(kept), count - len(kept))
        reasons |= dict.fromkeys(more, "near-duplicate, in the widest gap between others")
        picked = sorted(reasons)
        return Selection(
            indices=tuple(picked),
            scores=tuple(kept.get(place, 0.0) for place in picked),
            reasons=tuple(reasons[place] for place in picked),
        )

    def _kept(self, features: Tensor, different: float, most: int) -> dict[int, float]:
        """Returns the frames that differ, with the share of the picture; ends above `most`."""
        kept, start = {0: 1.0}, 1
        while start < len(features) and len(kept) <= most:
            report_progress("select", start, len(features), "frame")
            last = list(kept)[-self.memory :]
            some = features[start : start + FRAMES_AT_ONCE]
            share = _difference.changed_share(some, features[last]).amin(1).cpu()
            new = (share >= different).nonzero().flatten()
            if len(new):
                first = int(new[0])
                kept[start + first] = float(share[first])
                start += first + 1
            else:
                start += len(some)
        return kept
