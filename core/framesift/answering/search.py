"""Finds the stretches of videos that resemble a query, or none: what `find` does everywhere.

A model attends somewhere, and some patch is the most similar, whatever the question. So the weights
of a query are compared with those of a question that looks for nothing in particular, on the same
videos:

- attention: each token's share of it, less half of its share under the neutral question, since
  what stands out in a video is looked at whatever the question, and may be what is looked for.
  Summed over the tokens that have most of this, a quarter as many as a frame keeps on average, and
  divided by the square root of the share that as many tokens have on average, it compares videos of
  all lengths.
- similarity: how far the similarities spread over the tokens, as a multiple of the neutral spread.

A model that knows how to deny (`VLM.denies`) is believed: what it says is not there is not found.

The thresholds were set with the embedded tiny model on synthetic videos of the validation split.
Other models may need others: their finds were not measured.
On 60 of the test split, by attention, something is found for 92 % (89 to 95) of what is there, 4 %
(0 to 10) of what is not, 2 % (0 to 5) of what no synthetic video shows, and for none of 49 shapes
that are there in another color only. By similarity it is 78 % (74 to 82), 4 % (0 to 10), 3 % (0 to
8) and none. Of first stretches 94 % (88 to 98) and 34 % (23 to 47) meet the time of the thing.
`make bench ARGS="--only finding"` measures this again. A query of words is put as a question, since
the attention of the answer then separates better what is there from what is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from framesift.answering.evidence import WeightKind, find_segments
from framesift.answering.generation import GREEDY, Generation
from framesift.answering.session import Session
from framesift.run import Run
from framesift.types.answer import EvidenceKind, Segment
from framesift.types.compressed import CompressedVideo
from framesift.types.text import shown_address
from framesift.vlms.prompt import Turn

NEUTRAL: Final = "What is shown?"
"""A question that looks for nothing in particular."""
BRIEF: Final = Generation(max_new_tokens=8)
"""How much of the answer to it is needed."""
SHORT, LONG = 4, 12
"""Frames up to which, and from which on, a video counts as short or long."""
LEAST: Final[dict[WeightKind, tuple[float, float]]] = {
    "attention": (0.4, 0.5),
    "similarity": (0.7, 0.7),
}
"""Beyond how much a query stands out far enough from the neutral question to count as found, in
short videos, where what is looked for is a large part of all there is, and in long ones."""
TAKEN_OFF: Final = 0.5
"""Part of the neutral attention that does not count as the query's."""
GAINING: Final = 0.25
"""Part of a frame's kept tokens that what is looked for may fill."""
QUESTION_MARKS: Final = ("?", "\N{FULLWIDTH QUESTION MARK}", "\N{ARABIC QUESTION MARK}")
SHOWN: Final = 80
"""Letters of a query that a message shows."""


class Search:
    """Finds queries in videos by one session, and remembers what the neutral question gave."""

    def __init__(self, session: Session) -> None:
        self._session: Final = session
        self._videos: tuple[CompressedVideo, ...] = ()
        self._neutral: dict[WeightKind, Tensor] = {}

    def find(
        self,
        run: Run,
        videos: Sequence[CompressedVideo],
        query: str,
        kind: EvidenceKind,
        count: int,
    ) -> list[Segment]:
        """Returns the stretches that a query points at, the strongest first.

        The list is empty if nothing resembles the query; the run's last warning says so.

        Args:
            run: takes the warnings of the answer.
            videos: what to look at.
            query: a question, or words for what is looked for.
            kind: by which weights it is found.
            count: most stretches.
        """
        videos = tuple(videos)
        turn = Turn(role="user", text=as_question(query), videos=videos)
        answer, weights, by = self._session.token_weights([turn], GREEDY, kind, words=query)
        for line in answer.warnings:
            run.warn(line)
        frames = sum(video.plan.num_in // video.plan.tokens_per_frame for video in videos)
        score = standing_out(weights, self._neutral_weights(videos, by), by, frames)
        # A model that knows how to deny says so of what is not there, wherever it looks.
        if score > least(by, frames) and not self._session.vlm.denies(answer.text):
            return find_segments(videos, weights, by, count=count)
        run.warn(nothing_like([video.report.uri for video in videos], query))
        return []

    def _neutral_weights(self, videos: tuple[CompressedVideo, ...], kind: WeightKind) -> Tensor:
        """Returns the weights under the neutral question."""
        same = len(videos) == len(self._videos)
        if not (same and all(a is b for a, b in zip(videos, self._videos, strict=True))):
            self._videos, self._neutral = videos, {}
        if kind not in self._neutral:
            turn = Turn(role="user", text=NEUTRAL, videos=videos)
            _, weights, _ = self._session.token_weights([turn], BRIEF, kind, words=NEUTRAL)
            self._neutral[kind] = weights
        return self._neutral[kind]


def as_question(query: str) -> str:
    """Returns a query as the model gets it: words become a question, a question stays as it is."""
    return query if query.rstrip().endswith(QUESTION_MARKS) else f"Is this in the video: {query}?"


def nothing_like(addresses: Sequence[str], query: str) -> str:
    """Returns the warning that nothing resembles a query.

    Args:
        addresses: of the videos, at least one.
        query: what was looked for.
    """
    where = (
        repr(shown_address(addresses[0])) if len(addresses) == 1 else f"the {len(addresses)} videos"
    )
    return f"nothing in {where} is like {query[:SHOWN]!r}"


def least(kind: WeightKind, frames: int) -> float:
    """Returns beyond how much a query in so many frames counts as found."""
    short, long = LEAST[kind]
    return short + (long - short) * min(max((frames - SHORT) / (LONG - SHORT), 0.0), 1.0)


def standing_out(weights: Tensor, neutral: Tensor, kind: WeightKind, frames: int) -> float:
    """Returns how far a query stands out from the neutral question; above `least` is enough.

    Args:
        weights: of the kept tokens under the query, `(M,)`.
        neutral: the same under the neutral question.
        kind: what the weights are.
        frames: of all videos.
    """
    if kind == "similarity":
        spread, usual = (
            float(each.cpu().double().std(correction=0)) for each in (weights, neutral)
        )
        return spread / usual if usual else 0.0
    count = max(1, round(len(weights) / frames * GAINING))
    if count >= len(weights):
        return 0.0  # with no tokens besides them, the best ones stand out from nothing
    gains = _shares(weights) - TAKEN_OFF * _shares(neutral)
    most = float(gains.topk(count).values.sum())
    return most / math.sqrt(count / len(gains))


def _shares(weights: Tensor) -> Tensor:
    weights = weights.cpu().double()
    total = weights.sum()
    return weights / total if float(total) > 0 else torch.zeros_like(weights)
