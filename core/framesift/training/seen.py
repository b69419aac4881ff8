"""A clip as the vision tower sees it, and the parts of it that a question is about."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from framesift.synthetic.inventory import Inventory
from framesift.training.course_labels import course_labels

GLIMPSE_FRAMES = 2
MOTION_FRAMES = 4
"""Frames of a glimpse of something that moves, spread over its time."""
SEEN_AT_ONCE = frozenset({"number", "text", "color", "place", "scene"})
"""Kinds of question that one of the frames they are about answers."""
OF_MOTION = frozenset({"direction", "action", "change"})
"""Kinds of question that a few frames of one thing answer."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A clip as the tower sees it, with its questions."""

    features: Tensor
    """Patch features `(T, N, D)`, half precision; or which of all tokens they are, `(T, N, 1)`."""
    times_seconds: Sequence[float]
    questions: Sequence[dict[str, Any]]
    events: Sequence[dict[str, Any]] | None = None
    """All that happens in it; None where that is not known."""
    course: dict[str, Tensor] = field(default_factory=dict)
    """Labels of the patches by name of `COURSE` and `MEASURED`, as far as they are known."""
    change: Tensor | None = None
    """How much each patch differs from itself a frame before, `(T - 1, N)`, if that is known."""
    text: str = ""
    """Lines that stand in the prompt beside the pictures, before each question."""

    @property
    def changes(self) -> Tensor:
        """How much each patch differs from itself a frame before, `(T - 1, N)`."""
        if self.change is not None:
            return self.change
        wide = self.features.float()
        return 1 - torch.cosine_similarity(wide[1:], wide[:-1], dim=-1)

    @cached_property
    def inventory(self) -> Inventory | None:
        """What is in the clip and what is not, if that is known."""
        if self.events is None:
            return None
        return Inventory.of(self.events, self.times_seconds)

    def events_of(self, frames: Sequence[int]) -> list[dict[str, Any]] | None:
        """Returns the events of which some of the frames are seen, if they are known."""
        if self.events is None:
            return None
        return [event for event in self.events if set(frames).intersection(self.shown(event))]

    def shown(self, question: dict[str, Any]) -> list[int]:
        """Returns the frames that are shown in the question's time."""
        start, end = _span(question)
        return [i for i, time in enumerate(self.times_seconds) if start <= time < end]

    def glimpse(self, rng: random.Random) -> Seen:
        """Returns a few frames that a question is about, with all questions about them."""
        about = rng.choice([q for q in self.questions if q["kind"] in SEEN_AT_ONCE | OF_MOTION])
        kinds = OF_MOTION if about["kind"] in OF_MOTION else SEEN_AT_ONCE
        shown = self.shown(about)
        if not shown:
            return self
        if kinds is OF_MOTION:
            frames = sorted(rng.sample(shown, min(MOTION_FRAMES, len(shown))))
        else:
            first = rng.randrange(max(1, len(shown) - GLIMPSE_FRAMES + 1))
            frames = shown[first : first + rng.randint(1, GLIMPSE_FRAMES)]
        return Seen(
            features=self.features[frames],
            times_seconds=[self.times_seconds[i] for i in frames],
            questions=[
                q for q in self.questions if q["kind"] in kinds and _span(q) == _span(about)
            ],
            events=self.events_of(frames),
            course=_of_motion(self.events or (), [self.times_seconds[i] for i in frames])
            | {name: self.course[name][frames] for name in self.course if name == "where"},
        )

    def medley(self, rng: random.Random) -> Seen:
        """Returns one frame each of a few things that one frame shows, with their questions."""
        spans = {_span(q): self.shown(q) for q in self.questions if q["kind"] in SEEN_AT_ONCE}
        shown = {span: frames for span, frames in spans.items() if frames}
        if not shown:
            return self
        chosen = rng.sample(sorted(shown), rng.randint(1, min(MOTION_FRAMES, len(shown))))
        frames = sorted({rng.choice(shown[span]) for span in chosen})
        return Seen(
            features=self.features[frames],
            times_seconds=[self.times_seconds[i] for i in frames],
            questions=[
                q for q in self.questions if q["kind"] in SEEN_AT_ONCE and _span(q) in chosen
            ],
            events=self.events_of(frames),
            course={name: self.course[name][frames] for name in self.course if name == "where"},
        )


def _span(question: dict[str, Any]) -> tuple[float, float]:
    return question["start_seconds"], question["end_seconds"]


def _of_motion(
    events: Sequence[dict[str, Any]], times_seconds: Sequence[float]
) -> dict[str, Tensor]:
    labels = course_labels(events, times_seconds)
    return {name: torch.from_numpy(labels[name]) for name in ("motion", "shift")}


def numbered(clips: Sequence[Seen]) -> tuple[list[Seen], Tensor]:
    """Returns clips that name their tokens by number, and all tokens `(M, D)`.

    So a batch is small, and features stay where they are computed with.
    """
    tokens = torch.cat([clip.features.flatten(0, 1) for clip in clips])
    named, first = [], 0
    for clip in clips:
        frames, patches, _ = clip.features.shape
        own = torch.arange(first, first + frames * patches, dtype=torch.int32)
        named.append(replace(clip, features=own.view(frames, patches, 1), change=clip.changes))
        first += len(own)
    return named, tokens
