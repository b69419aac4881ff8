"""Videos with questions: synthetic ones that no training has seen, and the real clips.

Each question carries its evidence: when and where its answer is seen.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, Literal

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.real_clips import checked_clips, read_questions
from framesift.synthetic.paraphrases import pattern_of, rephrased

Split = Literal["train", "validation", "test"]
FIRST_SEEDS: Final[dict[Split, int]] = {"train": 0, "validation": 1_000_000, "test": 2_000_000}
"""Seeds of a split begin here; training draws its clips from the first ones."""
SEEDS_EACH: Final = 1_000_000
SCENES: Final = {"quiz": 25, "changes": 15, "shapes": 12, "events": 15, "number": 10, "cuts": 10,
                 "mixed": 10, "static": 3}  # fmt: skip
"""How many in a hundred videos are of each scene."""
SECONDS: Final = {"mixed": (16, 64), "quiz": (10, 40), "cuts": (10, 32)}
OTHER_SECONDS: Final = (8, 24)
GLIMPSES: Final = "glimpses"
"""The scene of small things, several at once, each seen for a second."""
GLIMPSES_SECONDS: Final = (15, 25)
BACKGROUNDS: Final = {"": 60, "&noise=6": 20, "&drift=0.04": 20}
"""How many in a hundred backdrops are as the scene has them, noisy, or sliding."""
QUESTIONS_EACH: Final = 6
OF_ONE_FRAME: Final = frozenset({"number", "text", "color", "place", "scene"})
"""Kinds of question that the right frame alone answers."""
SINGLE, SEVERAL = "single frame", "several frames"
LEARNED_FROM: Final = 400
"""Videos of the training split whose answers the commonest one is taken of."""
SMALL: Final = "&width=64&height=64"
"""A size at which a video's answers are known sooner; they do not depend on it, as boxes do."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkQuestion:
    """A question as it is put to a model, and what counts as right."""

    id: str
    """Unique within its video."""
    prompt: str
    kind: str
    expected: str
    unseen: str | None = None
    """The commonest answer in training to such a question, where that is known."""
    is_right: Callable[[str], bool]
    start_seconds: float
    end_seconds: float
    box: tuple[float, float, float, float]
    """Where the answer is seen: (x0, y0, x1, y1) as parts of the picture."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkVideo:
    """A video and questions about it."""

    name: str
    uri: str
    fps: float
    """Frames to sample per second."""
    questions: tuple[BenchmarkQuestion, ...]


def synthetic(split: Split, videos: int) -> Iterator[BenchmarkVideo]:
    """Returns videos of a split with up to six questions each; splits share no seeds.

    Raises:
        InvalidOptionError: the split is unknown, or has fewer seeds.
    """
    return _of_split(split, videos, address)


def glimpses(split: Split, videos: int) -> Iterator[BenchmarkVideo]:
    """Returns videos whose answers lie in a few tokens each, with six questions each.

    A quarter of the tokens, drawn at random, often lacks them, so that this set tells ways apart
    which are alike on `synthetic`.

    Raises:
        InvalidOptionError: the split is unknown, or has fewer seeds.
    """
    return _of_split(split, videos, _address_of_glimpses)


Address = Callable[[int, random.Random], str]
"""The address of the video of a seed."""


def _of_split(split: Split, videos: int, address_of: Address) -> Iterator[BenchmarkVideo]:
    if split not in FIRST_SEEDS:
        raise InvalidOptionError(f"split={split!r} must be one of: {', '.join(FIRST_SEEDS)}")
    if not 1 <= videos <= SEEDS_EACH:
        raise InvalidOptionError(f"videos={videos!r} must be from 1 to {SEEDS_EACH}")
    return _drawn(split, videos, address_of)


def _drawn(split: Split, videos: int, address_of: Address) -> Iterator[BenchmarkVideo]:
    for seed in range(FIRST_SEEDS[split], FIRST_SEEDS[split] + videos):
        rng = random.Random(f"questions-{seed}")
        uri = address_of(seed, rng)
        known = _truth(uri)["questions"]
        places = sorted(rng.sample(range(len(known)), min(QUESTIONS_EACH, len(known))))
        own = tuple(_test_question(place, known[place], rng) for place in places)
        yield BenchmarkVideo(name=f"{split}-{seed}", uri=uri, fps=1.0, questions=own)


def address(seed: int, rng: random.Random) -> str:
    """Returns the address of the video of a seed: 8 to 64 frames at one a second."""
    scene = rng.choices(list(SCENES), list(SCENES.values()))[0]
    seconds = rng.randint(*SECONDS.get(scene, OTHER_SECONDS))
    background = _background(rng)
    if scene == "static":
        background = background.replace("&drift=0.04", "")
    return f"synthetic://{scene}?seconds={seconds}&seed={seed}&fps=4{background}"


def _address_of_glimpses(seed: int, rng: random.Random) -> str:
    seconds = rng.randint(*GLIMPSES_SECONDS)
    return f"synthetic://{GLIMPSES}?seconds={seconds}&seed={seed}&fps=4{_background(rng)}"


def _background(rng: random.Random) -> str:
    return rng.choices(list(BACKGROUNDS), list(BACKGROUNDS.values()))[0]


def real(
    clips: str | os.PathLike[str], questions: str | os.PathLike[str] | None = None
) -> Iterator[BenchmarkVideo]:
    """Yields the real clips in a folder with their multiple-choice questions.

    Args:
        clips: folder of the clips.
        questions: a JSON-lines file of other questions; None for the twenty that come along.

    Raises:
        InvalidOptionError: a line of the file is not a question; names the line and the field.
        UnsupportedSourceError: a clip is missing, or is another file.
    """
    known = read_questions(questions)
    paths = checked_clips(clips, [question.clip for question in known])
    for name, path in paths.items():
        own = tuple(
            BenchmarkQuestion(
                id=question.id,
                prompt=question.prompt,
                kind="multiple choice",
                expected=question.answer,
                is_right=question.is_right,
                start_seconds=question.start_seconds,
                end_seconds=question.end_seconds,
                box=question.box,
            )
            for question in known
            if question.clip == name
        )
        yield BenchmarkVideo(name=name, uri=str(path), fps=1.0, questions=own)


def span(kind: str) -> str:
    """Returns whether the right frame alone answers questions of a kind."""
    return SINGLE if kind in OF_ONE_FRAME else SEVERAL


@cache
def commonest_answers() -> dict[str, str]:
    """Returns the commonest answer in training to questions of each pattern.

    What a question names itself is written as the name of that part, as in `"{one}"`.
    """
    seen: dict[str, Counter[str]] = {}
    for seed in range(LEARNED_FROM):
        uri = address(seed, random.Random(f"questions-{seed}"))
        for question in _truth(f"{uri}{SMALL}")["questions"]:
            pattern, parts = pattern_of(question["question"])
            named = {value: f"{{{name}}}" for name, value in parts.items()}
            answer = named.get(question["answer"], question["answer"])
            seen.setdefault(pattern, Counter())[answer] += 1
    return {pattern: answers.most_common(1)[0][0] for pattern, answers in seen.items()}


def _truth(uri: str) -> dict[str, Any]:
    # What draws is heavy, and the command line reads this file for its help.
    from framesift.sources.synthetic import parse_uri
    from framesift.synthetic.scenes import make_scene

    return make_scene(*parse_uri(uri)).truth


def _test_question(place: int, question: dict[str, Any], rng: random.Random) -> BenchmarkQuestion:
    answer: str = question["answer"]
    pattern, parts = pattern_of(question["question"])
    return BenchmarkQuestion(
        id=str(place),
        prompt=rephrased(question["question"], rng),
        kind=question["kind"],
        expected=answer,
        unseen=commonest_answers().get(pattern, "").format(**parts),
        is_right=partial(_same, answer),
        start_seconds=question["start_seconds"],
        end_seconds=question["end_seconds"],
        box=tuple(question["box"]),
    )


def _same(answer: str, reply: str) -> bool:
    return reply.strip().rstrip(".").casefold() == answer.casefold()
