"""Does a prompt hold what a question about a page needs, and does the tiny model read it there?

Slides of the test split are read by OCR. A question is held where its answer stands among the lines
beside the pictures, within a budget: those nearest to the question, or as a peer the first ones.
The tiny model answers at a tenth of the tokens, at which it sees none of the letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from benchmarks.effort import Effort
from benchmarks.process import Json
from framesift.answering.chat import Chat
from framesift.answering.text_beside import MAX_TEXT_TOKENS, Search, TextBeside
from framesift.compression.compressor import VideoCompressor
from framesift.compression.prompt_text import nearest
from framesift.evaluation.answers.bootstrap import ratio_interval, sums_by_video
from framesift.evaluation.answers.question_sets import FIRST_SEEDS
from framesift.evaluation.answers.statistics import DECIMALS, rounded
from framesift.sources.base import open_video
from framesift.types.compressed import CompressedVideo
from framesift.types.video import TimedText
from framesift.vlms.base import VLM
from framesift.vlms.load import load_vlm

BUDGETS: Final = (64, 128, 256, MAX_TEXT_TOKENS)
WAYS: Final[dict[str, Search | None]] = {"nearest to the question": nearest, "first lines": None}
KEEP: Final = 0.1
SLIDES: Final = "synthetic://text?seconds=10&seed={}&fps=4&width=1280&height=720"

Asked = tuple[str, tuple[TimedText, ...], CompressedVideo, list[dict[str, Any]]]
"""A video's name, its lines, its tokens, and its questions about the text of its pages."""


def measure(effort: Effort, clips: object) -> Json:
    """Returns how many answers prompts hold, by budget, and how many the tiny model gives."""
    del clips
    return results(effort.page_videos, "screen")


def results(videos: int, reader: str) -> Json:
    """Returns the section of results.

    Args:
        videos: how many are read.
        reader: reads their pages.
    """
    vlm = load_vlm("tiny")
    asked = list(_asked(vlm, videos, reader))
    rows = [
        _row(f"{way}, {budget} tokens", _held(vlm, asked, budget, search))
        for way, search in WAYS.items()
        for budget in BUDGETS
    ]
    rows += [
        _row(f"answered by tiny, {name} lines", _answered(vlm, asked, with_lines=with_lines))
        for name, with_lines in (("with", True), ("without", False))
    ]
    return {
        "question": "share of questions about pages whose answer the prompt holds, or the tiny "
        "model gives; 95 % bootstrap over videos",
        "keep": KEEP,
        "rows": rows,
    }


def _asked(vlm: VLM, videos: int, reader: str) -> Iterator[Asked]:
    sift = VideoCompressor(vlm=vlm, keep=KEEP, text=reader)
    for seed in range(FIRST_SEEDS["test"], FIRST_SEEDS["test"] + videos):
        with open_video(SLIDES.format(seed)) as video:
            questions = [each for each in video.truth["questions"] if each["kind"] == "text"]
            yield f"slides-{seed}", sift.transcript(video).lines, sift.compress(video), questions


def _held(
    vlm: VLM, asked: Sequence[Asked], budget: int, search: Search | None
) -> Iterator[tuple[str, bool]]:
    """Yields whether the lines of each question have its answer, with the name of the video."""
    for name, lines, _, questions in asked:
        text = TextBeside.of([lines], budget, search)
        for question in questions:
            beside = text.for_question(vlm, question["question"])
            assert beside.tokens <= budget
            yield name, _letters(question["answer"]) in _letters(beside.text)


def _answered(vlm: VLM, asked: Sequence[Asked], *, with_lines: bool) -> Iterator[tuple[str, bool]]:
    """Yields whether the model answers each question, with the name of the video."""
    for name, lines, video, questions in asked:
        text = TextBeside.of([lines if with_lines else ()], MAX_TEXT_TOKENS, nearest)
        with Chat(vlm, video, text=text) as chat:
            for question in questions:
                answer = chat.ask(question["question"], evidence=None).text
                yield name, answer == question["answer"]


def _letters(text: str) -> str:
    return "".join(text.split()).casefold()


def _row(name: str, found: Iterator[tuple[str, bool]]) -> Json:
    hits = list(found)
    sums = sums_by_video([video for video, _ in hits], [(float(hit), 1) for _, hit in hits])
    return {
        "name": name,
        "events": len(hits),
        "share": round(sum(hit for _, hit in hits) / len(hits), DECIMALS),
        "interval": rounded(ratio_interval(sums)),
    }
