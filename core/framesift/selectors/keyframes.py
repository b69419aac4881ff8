"""Picks frames that together cover the distinct content of a video, without a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError
from framesift.progress import stoppable
from framesift.selectors import _difference
from framesift.selectors.base import Selection, Selector
from framesift.types.tokens import VideoTokens

CANDIDATES = 512
"""Most frames that are compared with one another, whatever the length of the video."""
CONTRAST = 0.1
"""What makes a frame distinct, as a share of how much frames of the video differ at most."""
LEAST = 0.001
"""Share of the picture below which a change is never distinct: a fifth of one of 196 patches."""
NEIGHBOUR = 0.5
"""How far a picked frame stands for its direct neighbours in time, whatever they show."""
SPREAD = 1e-3
"""Weight of closeness in time that spreads frames over a stretch that looks the same."""


@dataclass(frozen=True, kw_only=True)
class Keyframes(Selector):
    """Picks frames so that every moment looks like, or is close in time to, a picked one.

    A frame stands for another as far as their pictures agree, and for its neighbours in time. The
    greedy choice takes, one by one, the frame that adds most to what is covered over all moments
    (facility location). Content that comes back is covered once; a short event is worth a frame of
    its own if nothing else looks like it; a video that changes all the time is spread evenly.
    """

    summary: ClassVar[str] = "distinct content covered under an exact count"
    encoder: ClassVar[str | None] = "handcrafted"

    distinct: float = 0.008
    """Share of the picture whose change surely makes a frame a distinct one; less is enough in a
    video whose frames differ little."""

    def __post_init__(self) -> None:
        if not 0 < self.distinct <= 1:
            raise InvalidOptionError(
                f"distinct={self.distinct!r} must be a share of the picture in (0, 1]"
            )

    def choose(
        self, pts_seconds: Tensor, tokens: VideoTokens | None, count: int, question: str | None
    ) -> Selection:
        """Returns the `count` frames that cover most."""
        assert tokens is not None
        starts = _run_starts(tokens.features, max(CANDIDATES, 2 * count))
        lengths = torch.diff(starts, append=torch.tensor([len(pts_seconds)]))
        middles = starts + (lengths - 1) // 2
        features, times = tokens.features[middles], pts_seconds[middles].cpu().float()
        share = _difference.changed_share(features, features).cpu()
        scale = (CONTRAST * share.quantile(0.9)).clamp(LEAST, self.distinct)
        alike = torch.exp(-(share / scale).square())
        near = torch.exp(-(times[:, None] - times).abs() * 4 * count / _span(pts_seconds))
        cover = torch.maximum(alike, NEIGHBOUR * near) + SPREAD * near
        picked, gains = _greedy_cover(cover, lengths.float(), count)
        order = sorted(range(count), key=picked.__getitem__)
        return Selection(
            indices=tuple(int(middles[picked[i]]) for i in order),
            scores=tuple(gains[i] for i in order),
            reasons=_reasons(share, cover, lengths, times, [picked[i] for i in order]),
        )


def _span(pts_seconds: Tensor) -> float:
    return max(float(pts_seconds[-1] - pts_seconds[0]), 1e-6)


def _run_starts(features: Tensor, most: int) -> Tensor:
    """Returns where runs of similar frames start: every frame, or the `most` strongest changes."""
    if len(features) <= most:
        return torch.arange(len(features))
    change = _difference.changed_since_previous(features).cpu()
    change[0] = torch.inf
    return torch.argsort(change, descending=True, stable=True)[:most].sort().values


def _greedy_cover(alike: Tensor, weight: Tensor, count: int) -> tuple[list[int], list[float]]:
    """Returns the `count` rows that cover most of the `weight`, and what each one adds to it."""
    covered = torch.zeros(len(alike))
    picked: list[int] = []
    gains: list[float] = []
    for _ in stoppable(range(count), "select"):
        gain = ((alike - covered).clamp_min(0) * weight).sum(1) / weight.sum()
        gain[picked] = -1.0
        best = int(torch.argmax(gain))
        picked.append(best)
        gains.append(float(gain[best]))
        covered = torch.maximum(covered, alike[best])
    return picked, gains


def _reasons(
    share: Tensor, cover: Tensor, lengths: Tensor, times: Tensor, picked: list[int]
) -> tuple[str, ...]:
    """Returns a line for each picked frame: what it stands for and how it differs."""
    owner = cover[picked].argmax(0)
    lines = []
    for place, row in enumerate(picked):
        owned = (owner == place).nonzero().flatten()
        frames = int(lengths[owned].sum())
        span = f"{float(times[owned].min()):.1f}-{float(times[owned].max()):.1f} s"
        line = f"stands for {frames} sampled frames, {span}" if frames > 1 else "stands alone"
        others = [other for other in picked if other != row]
        if others:
            line += (
                f"; {float(share[row, others].min()):.1%} of the picture is in no other keyframe"
            )
        lines.append(line)
    return tuple(lines)
