"""Whether anything in videos is like a query, and where: what `find` does on every surface.

A model attends somewhere, and some patch is the most similar, whatever is asked. So the weights of
a query are compared with those of a question that looks for nothing in particular, on the same
videos:

- attention: each token's share of it, less half of its share under the neutral question, since
  what stands out in a video is looked at whatever is asked, and may be what is looked for. Summed
  over the tokens that have most of this, a quarter as many as a frame keeps on average, and divided
  by the square root of the share that as many tokens have on average, it compares videos of all
  lengths.
- similarity: how far the similarities spread over the tokens, as a multiple of the neutral spread.

The thresholds were set with the embedded tiny model on synthetic videos of the validation split, 64
whole ones of at least 8 frames, and parts of one, two and four seconds of 14 more, where 82 % of
what is there is found and 31 % of what is not. Other models may need others: their finds were not
measured.
On 60 of the test split, by attention, something is found for 90 % (87 to 94) of what is there, 24 %
(17 to 32) of what is not, 45 % (32 to 58) of what no synthetic video shows, and 84 % (73 to 94) of
shapes that are there in another color. By similarity it is 77 % (74 to 81), 81 % (76 to 85), 10 %
(3 to 18) and 49 % (35 to 63): only words that no frame is near are told apart. Of first stretches
84 % (77 to 90) and 32 % (20 to 45) meet the time of the thing. `make bench ARGS="--only finding"`
measures this again. A query of words is asked as a question, since the attention of the answer
tells better then what is there from what is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from framesift.answering.evidence import Weighed, find_segments
from framesift.answering.generation import Generation
from framesift.answering.session import GREEDY, Reader
from framesift.types.answer import Answer, EvidenceKind
from framesift.types.compressed import CompressedVideo
from framesift.types.text import shown_address
from framesift.vlms.base import Turn

NEUTRAL: Final = "What is shown?"
"""A question that looks for nothing in particular."""
BRIEF: Final = Generation(max_new_tokens=8)
"""How much of the answer to it is needed."""
SHORT, LONG = 4, 12
"""Frames up to which, and from which on, a video counts as short or long."""
LEAST: Final[dict[Weighed, tuple[float, float]]] = {
    "attention": (0.5, 0.75),
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
    """Finds queries in videos by one reader, and remembers what the neutral question gave."""

    def __init__(self, reader: Reader) -> None:
        self._reader: Final = reader
        self._videos: tuple[CompressedVideo, ...] = ()
        self._neutral: dict[Weighed, Tensor] = {}

    def find(
        self, videos: Sequence[CompressedVideo], query: str, kind: EvidenceKind, count: int
    ) -> Answer:
        """Returns an answer whose evidence is where the query points.

        There is none where nothing is like the query, as its last warning says.

        Args:
            videos: what to look at.
            query: a question, or words for what is looked for.
            kind: by which weights it is found.
            count: most stretches.
        """
        shown = tuple(videos)
        turn = Turn(role="user", text=as_question(query), videos=shown)
        answer, weights, weighed = self._reader.weighed([turn], GREEDY, kind, words=query)
        frames = sum(video.plan.num_in // video.plan.tokens_per_frame for video in shown)
        score = standing_out(weights, self._usual(shown, weighed), weighed, frames)
        if score > least(weighed, frames):
            found = find_segments(shown, weights, weighed, count=count)
            return answer.model_copy(update={"evidence": found})
        line = nothing_like([video.report.uri for video in shown], query)
        return answer.model_copy(update={"warnings": [*answer.warnings, line]})

    def _usual(self, videos: tuple[CompressedVideo, ...], weighed: Weighed) -> Tensor:
        """Returns the weights under the neutral question."""
        same = len(videos) == len(self._videos)
        if not (same and all(a is b for a, b in zip(videos, self._videos, strict=True))):
            self._videos, self._neutral = videos, {}
        if weighed not in self._neutral:
            turn = Turn(role="user", text=NEUTRAL, videos=videos)
            _, weights, _ = self._reader.weighed([turn], BRIEF, weighed, words=NEUTRAL)
            self._neutral[weighed] = weights
        return self._neutral[weighed]


def as_question(query: str) -> str:
    """Returns a query as it is asked: words become a question, a question stays as it is."""
    return query if query.rstrip().endswith(QUESTION_MARKS) else f"Is this in the video: {query}?"


def nothing_like(addresses: Sequence[str], query: str) -> str:
    """Returns the line that says that a query was not found.

    Args:
        addresses: of the videos, at least one.
        query: what was looked for.
    """
    where = (
        repr(shown_address(addresses[0])) if len(addresses) == 1 else f"the {len(addresses)} videos"
    )
    return f"nothing in {where} is like {query[:SHOWN]!r}"


def least(kind: Weighed, frames: int) -> float:
    """Returns beyond how much a query in so many frames counts as found."""
    short, long = LEAST[kind]
    return short + (long - short) * min(max((frames - SHORT) / (LONG - SHORT), 0.0), 1.0)


def standing_out(weights: Tensor, neutral: Tensor, kind: Weighed, frames: int) -> float:
    """Returns how far a query stands out from the neutral question; above `least` is enough.

    Args:
        weights: of the kept tokens under the query, `(M,)`.
        neutral: the same under the neutral question.
        kind: what the weights are.
        frames: of all videos.
    """
    if kind == "similarity":
        spread, usual = (float(each.double().std(correction=0)) for each in (weights, neutral))
        return spread / usual if usual else 0.0
    count = max(1, round(len(weights) / frames * GAINING))
    gains = _shares(weights) - TAKEN_OFF * _shares(neutral)
    most = float(gains.topk(min(count, len(gains))).values.sum())
    return most / math.sqrt(count / len(gains))


def _shares(weights: Tensor) -> Tensor:
    total = weights.double().sum()
    return weights.double() / total if float(total) > 0 else torch.zeros_like(weights).double()
