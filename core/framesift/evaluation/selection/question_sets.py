"""Questions about brief things in synthetic videos, to train frame selectors on and to test them.

Questions of the training split are worded in some ways, those of the other splits in all of them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from framesift.disk.writing import write_atomically
from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.question_sets import FIRST_SEEDS, SEEDS_EACH, Split
from framesift.sources.base import open_video
from framesift.synthetic.brief import SHOWN_SECONDS
from framesift.synthetic.paraphrases import phrasings
from framesift.training.clips import SIZES_PX

Scope = Literal["local", "global"]
"""Whether one moment of the video answers the question, or no single one does."""
Wording = Literal["trained", "unseen"]

LENGTHS: Final = (16, 32, 64, 128)
"""Seconds of the videos of a test, which is also their number of candidate frames."""
TRAINED_LENGTHS: Final = (16, 24, 32, 48, 64)
UNSEEN_WORDINGS: Final = 2
"""Last ways to ask of each pattern, which the training split leaves out."""
FPS: Final = 1.0
OF_ONE_THING: Final = frozenset({"number", "text", "color"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefQuestion:
    """A question about a video, and when its answer is seen."""

    id: str
    """Unique within its video."""
    text: str
    answer: str
    kind: str
    scope: Scope
    wording: Wording
    start_seconds: float
    end_seconds: float

    def is_right(self, reply: str) -> bool:
        """Returns whether a reply is the answer, but for case and a full stop."""
        return reply.strip().rstrip(".").casefold() == self.answer.casefold()

    def is_shown(self, seconds: float) -> bool:
        """Returns whether the answer is seen at a time."""
        return self.start_seconds <= seconds < self.end_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BriefVideo:
    """A video of brief things, with questions."""

    name: str
    """Split and seed: videos of one name show the same things, however long they are."""
    uri: str
    seconds: int
    questions: tuple[BriefQuestion, ...]


def brief_videos(split: Split, count: int, seconds: int | None = None) -> Iterator[BriefVideo]:
    """Yields videos of a split, each with all of its questions in one wording each.

    Args:
        split: no two share a seed.
        count: number of videos.
        seconds: how long each of them is; None for lengths drawn from `TRAINED_LENGTHS`.

    Raises:
        InvalidOptionError: the split is unknown, or has fewer seeds.
    """
    if split not in FIRST_SEEDS:
        raise InvalidOptionError(f"split={split!r} must be one of: {', '.join(FIRST_SEEDS)}")
    if not 1 <= count <= SEEDS_EACH:
        raise InvalidOptionError(f"videos={count!r} must be from 1 to {SEEDS_EACH}")
    return (_video(split, FIRST_SEEDS[split] + place, seconds) for place in range(count))


def write_questions(path: Path, split: Split, videos: int) -> int:
    """Writes a file of questions for `framesift label`, and returns how many these are."""
    lines = [
        json.dumps({"video": video.uri, "question": asked.text, "answer": asked.answer, "fps": FPS})
        for video in brief_videos(split, videos)
        for asked in video.questions
    ]
    write_atomically(path, ("\n".join(lines) + "\n").encode())
    return len(lines)


def _video(split: Split, seed: int, seconds: int | None) -> BriefVideo:
    rng = random.Random(f"brief-{seed}")
    drawn, (width, height) = rng.choice(TRAINED_LENGTHS), rng.choice(SIZES_PX)
    length = drawn if seconds is None else seconds
    scene = f"synthetic://brief?seconds={length}&seed={seed}&fps=4"
    with open_video(f"{scene}&width=64&height=64", text_only=True) as video:
        assert video.truth is not None
        known: Sequence[dict[str, Any]] = video.truth["questions"]
    return BriefVideo(
        name=f"{split}-{seed}",
        uri=f"{scene}&width={width}&height={height}",
        seconds=length,
        questions=tuple(
            _question(place, question, split, rng) for place, question in enumerate(known)
        ),
    )


def _question(
    place: int, question: dict[str, Any], split: Split, rng: random.Random
) -> BriefQuestion:
    ways = phrasings(question["question"])
    trained = ways[:-UNSEEN_WORDINGS]
    text = rng.choice(trained if split == "train" else ways)
    start, end = question["start_seconds"], question["end_seconds"]
    is_local = question["kind"] in OF_ONE_THING and end - start <= max(SHOWN_SECONDS)
    return BriefQuestion(
        id=str(place),
        text=text,
        answer=question["answer"],
        kind=question["kind"],
        scope="local" if is_local else "global",
        wording="trained" if text in trained else "unseen",
        start_seconds=start,
        end_seconds=end,
    )
