"""Picks frames at equal steps of the summed scores: many where scores are high, few elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from framesift.scorers.candidates import Candidates
from framesift.selectors._ranking import evenly, scaled
from framesift.selectors._scored import Pick, Scored


@dataclass(frozen=True, kw_only=True)
class Its(Scored):
    """Takes scores as a density over time and picks frames at equal steps of it.

    This is the inverse transform sampling of BOLT (CVPR 2025): scores, scaled to [0, 1], are
    raised to `exponent`, summed up, and frames are picked where the sum passes `count` levels.

    Differences from the published rule: where several levels fall on one frame, it is picked once,
    and what is left of the count is drawn from the other frames by the same rule. One frame is the
    median, and equal scores give evenly spaced frames. Levels are the middles of equal steps.
    """

    summary: ClassVar[str] = "inverse transform sampling: dense where scores are high (BOLT)"

    exponent: Annotated[float, Field(gt=0, le=100)] = 3.0
    """How much high scores count above others; 1 takes them as they are."""
    levels: Literal["middles", "published"] = "middles"
    """Levels of the sum: middles of equal steps, or from 1/k to 1 - 1/k as BOLT has them, where it
    has at least 3."""

    def pick(
        self,
        values: Tensor,
        pts_seconds: Tensor,
        count: int,
        candidates: Candidates | None = None,
    ) -> list[Pick]:
        """Returns `count` frames, the highest value first."""
        scores = scaled(values)
        usable = (scores > -torch.inf).numpy()
        density = scores.clamp_min(0).pow(self.exponent).numpy().copy()
        taken: dict[int, str] = {}
        levels = _published(count) if self.levels == "published" and count > 2 else _middles(count)
        reason = "where the summed scores pass {level:.1%}"
        while len(taken) < count and density.any():
            total = np.cumsum(density)
            places = np.searchsorted(total / total[-1], levels).tolist()
            for place, level in zip(places, levels.tolist(), strict=True):
                taken.setdefault(place, reason.format(level=level))
            density[places] = 0
            levels = _middles(count - len(taken))
            reason = "where the summed scores of frames left pass {level:.1%}"
        rest = "evenly spaced over frames without a share of the scores"
        for among in (usable, ~usable):
            left = [place for place in among.nonzero()[0].tolist() if place not in taken]
            number = min(count - len(taken), len(left))
            taken.update(dict.fromkeys(evenly(left, number), rest))
        score = values.tolist()
        order = sorted(taken, key=lambda place: (-score[place], place))
        return [Pick(place, taken[place]) for place in order]


def _middles(count: int) -> NDArray[np.float64]:
    return (np.arange(count) + 0.5) / max(count, 1)


def _published(count: int) -> NDArray[np.float64]:
    return np.linspace(1 / count, 1 - 1 / count, count)
