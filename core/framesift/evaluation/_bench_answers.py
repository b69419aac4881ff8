"""What compression costs the tiny model: share of right answers on synthetic videos held out."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from framesift.chat import Chat
from framesift.evaluation._bench_coverage import share_row
from framesift.evaluation._bench_process import Json
from framesift.generation import Generation, complete
from framesift.pipeline import VideoCompressor
from framesift.sources.base import open_video
from framesift.training._paraphrases import rephrased
from framesift.types.video import LocalVideo
from framesift.vlms._load import load_vlm
from framesift.vlms.base import VLM, Turn

FIRST_SEED: Final = 2_000_000
"""Training draws its clips from seeds far below."""
SCENES: Final = {
    "quiz": 16,
    "shapes": 10,
    "number": 10,
    "events": 12,
    "cuts": 14,
    "mixed": 20,
    "static": 8,
}
"""Scenes and how many seconds of each."""
OF_ONE_FRAME: Final = frozenset({"number", "text", "color", "place", "scene"})
"""Kinds of question that the right frame alone answers."""
QUESTIONS_EACH: Final = 6
SHORT: Final = Generation(max_new_tokens=24)

Asked = tuple[str, str, str]
"""A question as it is put, its answer and its kind."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to shorten the prompt."""

    name: str
    strategy: str = "uniform"
    keep: float = 1.0
    max_tokens: int | None = None
    gate: float | None = None
    positions: Literal["original", "compact"] = "original"


WHOLE: Final = Way(name="all tokens")
WAYS: Final = (
    WHOLE,
    Way(name="one frame", max_tokens=64),
    *(
        Way(name=f"{strategy} {keep:.2f}", strategy=strategy, keep=keep)
        for strategy in ("random", "uniform", "attention", "temporal")
        for keep in (0.25, 0.1)
    ),
    Way(name="random 0.25, compact", strategy="random", keep=0.25, positions="compact"),
    Way(name="temporal 0.25, compact", strategy="temporal", keep=0.25, positions="compact"),
)


def measure(*, videos: int, vlm: str = "tiny", ways: Sequence[Way] = WAYS) -> Json:
    """Returns the section of results about right answers, over `videos` seeds of each scene."""
    model = load_vlm(vlm)
    right: Counter[tuple[str, str]] = Counter()
    total: Counter[tuple[str, str]] = Counter()
    for video, asked in _examples(videos):
        for way, answers in _answered(model, video, asked, ways):
            for (_, answer, kind), given in zip(asked, answers, strict=True):
                for group in _groups(kind):
                    total[way, group] += 1
                    right[way, group] += _same(given, answer)
    rows = [
        share_row(group, way, right[way, group], count) for (way, group), count in total.items()
    ]
    return {
        "question": "share of right answers of the embedded tiny model, with greedy decoding and "
        "one of several phrasings of each question; 95 % Wilson interval; synthetic videos with "
        "seeds that were held out; 'blind' sees no video",
        "rows": sorted(rows, key=lambda row: (row["video"] != "overall", row["video"])),
        "asked": "all tokens: 95 % on questions of a single frame, 85 % overall; at keep 0.10 "
        "random dropping loses 15 points",
        "met": _met({(row["name"], row["video"]): row["share"] for row in rows}),
    }


def _examples(videos: int) -> Iterator[tuple[LocalVideo, list[Asked]]]:
    for scene, seconds in SCENES.items():
        for seed in range(FIRST_SEED, FIRST_SEED + videos):
            rng = random.Random(f"{scene}-{seed}")
            with open_video(f"synthetic://{scene}?seconds={seconds}&seed={seed}") as video:
                known: list[dict[str, Any]] = video.truth["questions"]
                chosen = rng.sample(known, min(QUESTIONS_EACH, len(known)))
                yield (
                    video,
                    [(rephrased(q["question"], rng), q["answer"], q["kind"]) for q in chosen],
                )


def _answered(
    model: VLM, video: LocalVideo, asked: Sequence[Asked], ways: Sequence[Way]
) -> Iterator[tuple[str, list[str]]]:
    yield "blind", [_unseen(model, question) for question, _, _ in asked]
    for way in ways:
        sift = VideoCompressor(
            vlm=model,
            strategy=way.strategy,
            keep=way.keep,
            max_tokens=way.max_tokens,
            gate=way.gate,
        )
        with Chat(model, [sift.compress(video)], positions=way.positions) as chat:
            yield (
                way.name,
                [
                    chat.ask(question, generation=SHORT, evidence=None).text
                    for question, _, _ in asked
                ],
            )


def _unseen(model: VLM, question: str) -> str:
    ids = model.prompt([Turn(role="user", text=question)]).input_ids[None]
    prompt = {"input_ids": ids, "attention_mask": ids.new_ones(ids.shape)}
    return complete(model.hf, model.tokenizer, prompt, SHORT).text


def _groups(kind: str) -> tuple[str, ...]:
    span = "single frame" if kind in OF_ONE_FRAME else "several frames"
    return "overall", span, kind


def _same(given: str, answer: str) -> bool:
    return given.strip().rstrip(".").casefold() == answer.casefold()


def _met(share: dict[tuple[str, str], float]) -> Json:
    whole = share[WHOLE.name, "overall"]
    met: Json = {
        "single frame": share[WHOLE.name, "single frame"] >= 0.95,
        "overall": whole >= 0.85,
    }
    if ("random 0.10", "overall") in share:
        met["random loses"] = whole - share["random 0.10", "overall"] >= 0.15
    return met
