"""Frames of several clips after one another, each with a number on a card of its own color.

Which of several numbers is asked for, a model learns late or never from whole clips: the digits of
any card are a good guess there. Two cards and nothing else teach it in some hundred steps.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch

from framesift.synthetic.paraphrases import pattern_of
from framesift.training.seen import Seen

CARD_QUESTION = r"Which number is on the (?P<color>\w+) card\?"
HOW_MANY = (2, 2, 2, 3, 4)
"""Cards of one medley, drawn from these; with more of them a model does not learn it at first."""


class Cards:
    """The cards with numbers in some clips."""

    def __init__(self, clips: Sequence[Seen]) -> None:
        """Takes clips; those without a question about a colored card add nothing."""
        self.candidates = [
            (parts["color"], question, clip, shown)
            for clip in clips
            for question in clip.questions
            for pattern, parts in [pattern_of(question["question"])]
            if pattern == CARD_QUESTION and (shown := clip.shown(question))
        ]
        self.colors = sorted({color for color, *_ in self.candidates})

    def medley(self, rng: random.Random) -> Seen:
        """Returns a frame each of a few cards of different colors, with their questions."""
        count = min(rng.choice(HOW_MANY), len(self.colors))
        chosen: dict[str, tuple[dict[str, Any], Seen, int]] = {}
        while len(chosen) < count:
            color, question, clip, shown = rng.choice(self.candidates)
            chosen.setdefault(color, (question, clip, rng.choice(shown)))
        cards = list(chosen.values())
        return Seen(
            features=torch.stack([clip.features[frame] for _, clip, frame in cards]),
            times_seconds=[float(place) for place in range(count)],
            questions=[question for question, _, _ in cards],
            events=[
                {**event, "start_seconds": float(place), "end_seconds": place + 1.0}
                for place, (_, clip, frame) in enumerate(cards)
                for event in clip.events_of([frame]) or ()
            ],
            course={
                name: torch.stack([clip.course[name][frame] for _, clip, frame in cards])
                for name in ("where",)
                if all(name in clip.course for _, clip, _ in cards)
            },
        )
