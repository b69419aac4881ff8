"""Picks frames that together cover the distinct content of a video, without a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from framesift.run import stoppable
from framesift.scorers.candidates import Candidates
from framesift.selectors import _difference
from framesift.selectors._blank import REASON, clarity, content_and_blank, seen
from framesift.selectors.base import Selection, Selector
from framesift.types.clock import span
from framesift.types.options import Fraction
from framesift.types.tokens import VideoTokens

CANDIDATES = 512
"""Most frames that are compared with one another, whatever the length of the video."""
MOST_SORTED = 2**22
"""Most of their differences that are sorted to see how large they usually are."""
CONTRAST = 0.1
"""What makes a frame distinct, as a share of how much frames of the video differ at most."""
LEAST = 0.001
"""Share of the picture below which a change is never distinct: a fifth of one of 196 patches."""
NEIGHBOUR = 0.5
"""How far a picked frame stands for its direct neighbours in time, whatever they show."""
SAME_SCENE = 0.25
"""Share of the picture by which frames of one scene differ, such as those of a speaker."""
SCENE_FRAMES = 8
"""Most frames that a scene counts for, so that a page of two seconds is worth a keyframe beside an
hour of the same speaker."""
SPREAD = 1e-3
"""Weight of closeness in time that spreads frames over a stretch that looks the same."""


@dataclass(frozen=True, kw_only=True)
class Keyframes(Selector):
    """Picks frames so that every moment looks like, or is close in time to, a picked one.

    A frame stands for another as far as their pictures agree, and for its neighbours in time. The
    greedy choice takes, one by one, the frame that adds most to what is covered over all moments
    (facility location), where a long scene weighs no more than a short one. Content that comes
    back is covered once; a short event is worth a frame of its own if nothing else looks like it; a
    video that changes all the time is spread evenly. Frames within a fade add less, and blank ones
    are taken when no other is left.
    """

    summary: ClassVar[str] = "distinct content covered under an exact count"

    distinct: Fraction = 0.012
    """Share of the picture that must change to make a frame distinct; less is enough in a video
    whose frames differ little."""

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns the `count` frames that cover most."""
        tokens, pts_seconds = seen(candidates), candidates.pts_seconds
        content, blank = content_and_blank(tokens)
        left = count - len(content)
        choices = [self._cover(pts_seconds, tokens, content, min(count, len(content)))]
        if left > 0:
            rest = self._cover(pts_seconds, tokens, blank, left)
            choices.append([(index, 0.0, REASON) for index, _, _ in rest])
        indices, scores, reasons = zip(*sorted(c for some in choices for c in some), strict=True)
        return Selection(indices=indices, scores=scores, reasons=reasons)

    def _cover(
        self, pts_seconds: Tensor, tokens: VideoTokens, among: Tensor, count: int
    ) -> list[tuple[int, float, str]]:
        """Returns index, score and reason of the `count` frames that cover most of `among`."""
        if not count:
            return []
        starts = _run_starts(tokens.features, among, max(CANDIDATES, 2 * count))
        lengths = torch.diff(starts, append=torch.tensor([len(among)]))
        middles = among[starts + (lengths - 1) // 2]
        features, times = tokens.features[middles], pts_seconds[middles].cpu().float()
        share = _difference.changed_share(features, features).cpu()
        some = share.flatten()[:: 1 + share.numel() // MOST_SORTED]
        alike = (CONTRAST * some.quantile(0.9)).clamp(LEAST, self.distinct)
        near = torch.exp(-(times[:, None] - times).abs() * 4 * count / _span(pts_seconds))
        cover = torch.exp(-(share / alike).pow(4)).maximum(NEIGHBOUR * near) + SPREAD * near
        same_scene = torch.exp(-(share / SAME_SCENE).square())
        common = (same_scene @ lengths.float()).clamp_min(SCENE_FRAMES)
        clear = clarity(tokens)[middles]
        weight = lengths * clear / common
        picked, gains = _greedy_cover(cover * clear[:, None], weight, count)
        owned = cover[picked].argmax(0)
        picked = [_central(row, owned.tolist(), (share[row] <= alike).tolist()) for row in picked]
        owner = torch.full((len(pts_seconds),), -1)
        owner[among] = owned.repeat_interleave(lengths)
        unlike = share[picked][:, picked].fill_diagonal_(torch.inf).amin(1).tolist()
        return [
            (index, gain, _reason(owner, pts_seconds, index, place, unlike[place]))
            for place, (index, gain) in enumerate(zip(middles[picked].tolist(), gains, strict=True))
        ]


def _span(pts_seconds: Tensor) -> float:
    return max(float(pts_seconds[-1] - pts_seconds[0]), 1e-6)


def _run_starts(features: Tensor, among: Tensor, most: int) -> Tensor:
    """Returns where runs of similar frames start: every frame, or the `most` strongest changes."""
    if len(among) <= most:
        return torch.arange(len(among))
    change = _difference.changed_since_previous(features, among).cpu()
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


def _central(row: int, owner: list[int], alike: list[bool]) -> int:
    """Returns `row`, or one like it where it is at an edge of what it stands for, beside a cut."""
    first = last = row
    while first > 0 and owner[first - 1] == owner[row]:
        first -= 1
    while last + 1 < len(owner) and owner[last + 1] == owner[row]:
        last += 1
    if first < row < last:
        return row
    return min(
        (other for other in range(first, last + 1) if alike[other]),
        key=lambda other: (abs(2 * other - first - last), other),
    )


def _reason(owner: Tensor, pts_seconds: Tensor, index: int, place: int, unlike: float) -> str:
    """Returns what a frame stands for around itself, and how it differs from the other keyframes.

    Args:
        owner: place among the keyframes of the one that stands for each sampled frame, `(T,)`.
        pts_seconds: times of the sampled frames `(T,)`.
        index: the sampled frame.
        place: its place among the keyframes.
        unlike: share of its picture that no other keyframe has; infinite without others.
    """
    others = (owner != place).nonzero().flatten()
    first = int(others[others < index].amax()) + 1 if bool((others < index).any()) else 0
    behind = others[others > index]
    last = (int(behind.amin()) if len(behind) else len(owner)) - 1
    line = "stands alone"
    if last > first:
        stretch = span(float(pts_seconds[first]), float(pts_seconds[last]))
        line = f"stands for {last - first + 1} sampled frames, {stretch}"
    if unlike == float("inf"):
        return line
    return f"{line}; {unlike:.1%} of the picture is in no other keyframe"
