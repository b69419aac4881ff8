"""Picks frames of high score of which few are scored, where it pays to look closer."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from typing import Annotated, ClassVar, Final

import numpy as np
import numpy.typing as npt
from pydantic import Field

from framesift.errors import InvalidOptionError
from framesift.scorers import registry as scorers
from framesift.scorers.base import Scorer
from framesift.scorers.candidates import Candidates
from framesift.selectors._fill import shared_by_length
from framesift.selectors._scored import Pick, WithScorer, as_selection
from framesift.selectors.base import Selection
from framesift.types.options import Amount, Fraction, Share, SpecOf

Array = npt.NDArray[np.float64]
LOOKS: Final = 4
"""Frames scored for each clip on average: two in every clip, the rest in the promising ones."""
ROUNDS: Final = 2
"""How often the promising clips are narrowed down."""


@dataclass(slots=True)
class _Known:
    """Scores so far."""

    values: dict[int, float] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)

    def curve(self, total: int) -> Array:
        """Returns a score for every candidate, between scored ones in proportion to distance."""
        places = sorted(self.values)
        return np.interp(np.arange(total), places, [self.values[place] for place in places])

    def scaled(self, total: int) -> Array:
        """Returns the curve in [0, 1]."""
        curve = self.curve(total)
        span = np.ptp(curve)
        return (curve - curve.min()) / span if span > 0 else np.ones(total)


@dataclass(frozen=True, kw_only=True)
class Ucb(WithScorer):
    """Scores a small share of a long video, and more of it where the scores so far are promising.

    The video is cut into clips (FOCUS). Two frames of each are scored, then more of those clips
    whose upper confidence bound is highest: mean score, and more for a wide spread and for few
    looks (UCB-V). The best scored frames are picked, and the rest from the best clips, by chance in
    proportion to the scores between which they lie. What the scorer never saw can not be found: an
    event much shorter than a clip may be missed, and `share` is what that costs.

    Differences from the published code: it never runs its second stage; here clips are narrowed
    down twice. Draws are seeded, and the number of frames and of scores is exact.
    """

    summary: ClassVar[str] = "scores few frames of a long video, more where it pays (FOCUS)"

    scorer: Annotated[str | Scorer, SpecOf("framesift.scorers")] = "variety"
    """What a frame is worth, of those that rate each frame for itself: a name, or a spec string in
    brackets."""
    share: Fraction = 0.05
    """Most candidates that are scored, as a share of all; at least twice as many as are picked."""
    zoom: Fraction = 0.25
    """Share of the clips that are looked at closer."""
    best: Share = 0.2
    """Share of the picked frames that are simply the best of those scored."""
    temperature: Annotated[float, Field(ge=1e-6, le=1e6)] = 0.06
    """Of the draw in a clip: near 0 takes the highest scores, far above 1 any frame."""
    seed: Amount = 0
    """Of the draws."""

    def __post_init__(self) -> None:
        if self.rater.compares_all:
            free = [name for name in scorers.names() if not scorers.get(name).compares_all]
            raise InvalidOptionError(
                f"scorer={self.rater.spec!r} compares all frames with one another, and 'ucb' shows "
                f"it a few; take one that rates each frame for itself ({', '.join(free)}), or a "
                "rule that scores all frames, such as 'topk' or 'nms'"
            )

    def choose(self, candidates: Candidates, count: int, question: str | None) -> Selection:
        """Returns the best scored frames, and others of the best clips."""
        total, known = len(candidates), _Known()
        limit = min(total, max(2 * count, int(self.share * total)))
        draw = np.random.default_rng(self.seed)
        edges = np.linspace(0, total, max(1, limit // LOOKS) + 1).round().astype(int).tolist()
        clips = [range(*pair) for pair in pairwise(edges)]
        first = sorted({place for clip in clips for place in _centre_and_another(clip, draw)})
        self._score(candidates, question, first, known)
        promising = list(range(len(clips)))
        for left in range(ROUNDS, 0, -1):
            keep = max(1, round(self.zoom * len(promising)))
            promising = _best_clips(clips, promising, known, total)[:keep]
            more = (limit - len(known.values)) // left
            self._score(candidates, question, _between(clips, promising, known, more), known)
        picks = self._pick(clips, known, total, count, draw)
        about = [
            known.reasons.get(place, "not scored itself, between frames that were")
            for place in range(total)
        ]
        return as_selection(picks, known.curve(total).tolist(), tuple(about))

    def _score(
        self, candidates: Candidates, question: str | None, places: list[int], known: _Known
    ) -> None:
        if places:
            scores = self.rater.score(candidates, question, places)
            known.values |= zip(places, scores.values.tolist(), strict=True)
            known.reasons |= zip(places, scores.reasons, strict=True)

    def _pick(
        self,
        clips: list[range],
        known: _Known,
        total: int,
        count: int,
        draw: np.random.Generator,
    ) -> list[Pick]:
        """Returns the best scored frames, then draws from the best clips, in that order."""
        ranked = sorted(known.values, key=lambda place: (-known.values[place], place))
        sure = ranked[: min(count, round(self.best * count) or 1)]
        picks = [
            Pick(place, f"number {rank} of those scored") for rank, place in enumerate(sure, 1)
        ]
        level, taken = known.scaled(total), set(sure)
        # Bounds rank clips that were looked at as often; now it is the best of each that counts.
        peaks = [max(level[place] for place in clip if place in known.values) for clip in clips]
        order = sorted(range(len(clips)), key=lambda clip: (-peaks[clip], clip))
        rest = count - len(sure)
        several = max(1, round(self.zoom * len(clips)))
        while rest:
            free = [[p for p in clips[clip] if p not in taken] for clip in order[:several]]
            some = [(clip, room) for clip, room in zip(order, free, strict=False) if room]
            some, several = some[:rest], several * 2
            wanted = min(rest, sum(len(room) for _, room in some))
            if not some:
                continue
            rooms = [len(room) for _, room in some]
            shares = shared_by_length([1.0] * len(some), rooms, wanted)
            for (clip, room), share in zip(some, shares, strict=True):
                for place in _drawn(room, level, share, self.temperature, draw):
                    picks.append(Pick(place, f"drawn from clip {clip + 1} of {len(clips)}"))
                    taken.add(place)
            rest = count - len(picks)
        return picks


def _centre_and_another(clip: range, draw: np.random.Generator) -> list[int]:
    """Returns the frame in the middle of a clip and one by chance, if there is another."""
    centre = clip[len(clip) // 2]
    others = [place for place in clip if place != centre]
    return [centre, *([int(draw.choice(others))] if others else [])]


def _best_clips(clips: list[range], among: list[int], known: _Known, total: int) -> list[int]:
    """Returns clips from the highest upper confidence bound of their mean score (UCB-V) down."""
    level, looks = known.scaled(total), len(known.values)
    bounds = {}
    for number in among:
        seen = [level[place] for place in clips[number] if place in known.values]
        more = log(looks) / max(1, len(seen))
        bounds[number] = round(
            float(np.mean(seen)) + (2 * more * float(np.var(seen))) ** 0.5 + 3 * more, 9
        )
    return sorted(among, key=lambda number: (-bounds[number], number))


def _between(clips: list[range], among: list[int], known: _Known, count: int) -> list[int]:
    """Returns `count` frames of some clips to score next, each far from what is scored there.

    The clips take turns, the most promising one first.
    """
    chosen: list[int] = []
    rooms = {number: [p for p in clips[number] if p not in known.values] for number in among}
    seen = {number: [p for p in clips[number] if p in known.values] for number in among}
    while len(chosen) < count and any(rooms.values()):
        for number in among:
            if rooms[number] and len(chosen) < count:
                near = np.array(seen[number])
                far = [int(np.abs(near - place).min()) for place in rooms[number]]
                place = rooms[number].pop(int(np.argmax(far)))
                seen[number].append(place)
                chosen.append(place)
    return sorted(chosen)


def _drawn(
    room: list[int], level: Array, count: int, temperature: float, draw: np.random.Generator
) -> list[int]:
    """Returns `count` of some places by chance, likelier ones of a high level, spread if possible.

    A drawn frame keeps others away, as far as that leaves enough of them.
    """
    places, apart = list(room), len(room) // (2 * count)
    chosen: list[int] = []
    while len(chosen) < count:
        logits = level[places] / temperature
        odds = np.exp(logits - logits.max())
        place = int(draw.choice(places, p=odds / odds.sum()))
        chosen.append(place)
        left = [other for other in places if other != place]
        spread = [other for other in left if abs(other - place) > apart]
        places = spread if len(spread) >= count - len(chosen) else left
    return chosen
