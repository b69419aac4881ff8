"""Lessons in reading: clips with lines beside their pictures, as a reader gives them.

A clip's own numbers, codes and signs stand in the lines, so that what a prompt has lost of the
pictures can still be read; lines that tell nothing stand beside others, so that the model goes on
looking. Pages of slides are too small for the tower: their questions are answered by lines alone.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from framesift.answering.video_text import written
from framesift.synthetic.pages import on_screen, other_line, pages
from framesift.synthetic.replies import NOT_SHOWN
from framesift.training.seen import Seen
from framesift.types.video import TimedText

WRITTEN: Final = {"number": "number", "code": "text", "text": "text"}
"""Kinds of event that show a text, with the attribute that has it."""
READ: Final = 0.8
"""Share of the texts of a clip that a reader has read, where it has read any."""
OTHERS: Final = 3
"""Most lines of a clip that tell nothing."""
FRAMES: Final = (1, 1, 2, 2, 3, 8)
"""Numbers of frames of slides, none of which is seen well enough to read."""
QUESTIONS: Final = 8
"""Most questions of one lesson."""
NO_LINES: Final = 0.06
"""Share of page lessons without lines, to which there is no answer."""


def page_address(seed: int) -> tuple[str, float]:
    """Returns the address of the slides of a seed and the frames per second to sample it with."""
    rng = random.Random(f"page-{seed}")
    width, height = rng.choice(((640, 360), (448, 252), (640, 480)))
    size = f"width={width}&height={height}"
    return f"synthetic://text?seconds={rng.randint(8, 16)}&seed={seed}&{size}&fps=4", 1.0


def with_lines(clip: Seen, rng: random.Random) -> Seen:
    """Returns a clip with lines that a reader may have read off it, some of which tell nothing."""
    ends = float(clip.times_seconds[-1]) + 1.0
    lines = []
    if rng.random() < 0.7:
        lines = [
            _line(
                str(event["attributes"][WRITTEN[event["kind"]]]),
                event["start_seconds"],
                event["end_seconds"],
            )
            for event in clip.events or ()
            if event["kind"] in WRITTEN and rng.random() < READ
        ]
    for _ in range(rng.randint(0 if lines else 1, OTHERS)):
        start = rng.uniform(0.0, ends)
        end = rng.uniform(start, ends)
        lines.append(_line(other_line(rng), start, end, is_shown=rng.random() < 0.5))
    return replace(clip, text=written(lines))


def page_lesson(slides: Seen, rng: random.Random) -> Seen:
    """Returns a few frames of slides, which say nothing, with lines of pages and questions."""
    count = min(len(slides.times_seconds), rng.choice(FRAMES))
    first = rng.randrange(len(slides.times_seconds) - count + 1)
    lesson = pages(float(slides.times_seconds[-1]) + 1.0, rng)
    text = written(lesson.lines)
    questions = rng.sample(lesson.questions, min(QUESTIONS, len(lesson.questions)))
    if rng.random() < NO_LINES:
        text, questions = "", [{**question, "answer": NOT_SHOWN} for question in questions]
    return Seen(
        features=slides.features[first : first + count],
        times_seconds=slides.times_seconds[first : first + count],
        questions=questions,
        text=text,
    )


def _line(text: str, start: float, end: float, *, is_shown: bool = True) -> TimedText:
    line = on_screen(text, start, end)
    return line if is_shown else replace(line, source="speech", box=None)
