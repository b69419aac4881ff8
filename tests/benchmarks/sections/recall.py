"""Which of the things that happen in real clips have one of the chosen frames?

The facts are what a person saw in the clips, with their times. `facts` are to be found without a
question, by rules that need no weights. `questions` are about what is written on the screen of one
recording while an answer stands there; its text was read off the screen once (`screen_text`).
`aim` is the share of the chosen frames that show what the question is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import numpy as np

from benchmarks.effort import Effort
from benchmarks.process import Json, logger
from framesift.compression.compressor import VideoCompressor
from framesift.evaluation.answers.bootstrap import ratio_interval
from framesift.evaluation.answers.real_clips import checked_clips
from framesift.evaluation.answers.statistics import rounded
from framesift.selectors import registry as selectors
from framesift.sources.base import open_video
from framesift.sources.timed_text import parse_timed_text

COUNTS: Final = (4, 8)
SCREEN: Final = "screen-recording.mp4"
TEXT: Final = Path(__file__).parents[1] / "screen_text" / "screen-recording.srt"
RULES: Final = ("topk", "its", "nms", "dpp", "aks", "stratified")
"""Rules over timed text."""
BY_TEXT: Final = tuple(f"{rule}:scorer=text" for rule in RULES)

Spans = tuple[tuple[float, float], ...]

FACTS: Final[dict[str, dict[str, Spans]]] = {
    "car-detection.mp4": {
        "an empty road": ((0, 4.2), (8.5, 14.6), (19, 25.2), (28, 30.2)),
        "a white hatchback goes up": ((4.3, 8.2),),
        "a silver-green car comes down": ((14.8, 17.8),),
        "a red car goes up": ((14.9, 18.6),),
        "a white car comes down": ((25.3, 27.8),),
    },
    "bottle-detection.mp4": {
        "three bottles": ((0, 5.6), (13.3, 15.5), (28.9, 30.8), (36.4, 39.9)),
        "a hand takes the left one": ((5.8, 6.9),),
        "middle and right": ((7.0, 11.0), (24.6, 27.0)),
        "the left one is put back": ((11.3, 13.2), (27.3, 28.7)),
        "two hands take left and middle": ((15.8, 17.6),),
        "only the right one": ((17.9, 21.8),),
        "the middle one is put back": ((22.0, 24.3),),
        "a hand takes the right one": ((31.0, 31.8),),
        "left and middle": ((32.0, 34.3),),
        "the right one is put back": ((34.5, 36.3),),
    },
    "nasa_13013.mp4": {
        "a telescope from afar": ((0, 4.9),),
        "the worker, near": ((5.5, 7.5),),
        "the telescope, nearer": ((7.8, 13.0),),
    },
    SCREEN: {
        "the start page": ((0, 2.8),),
        "a picture is loaded": ((3.0, 4.4),),
        "busy with the picture": ((4.5, 7.8),),
        "the answer about the glove": ((8.0, 11.5),),
        "cleared": ((12.0, 13.5),),
        "a video is loaded": ((14.0, 14.9),),
        "busy with the video": ((15.0, 17.8),),
        "the answer about the child": ((18.0, 22.5),),
        "flag and gymnastics are loaded": ((23.5, 25.0),),
        "the answer about the flag": ((27.8, 31.9),),
    },
}
"""What is seen in each clip, and when, in seconds; a rabbit that only turns has nothing to miss."""

GLOVE, CHILD, FLAG = (8.0, 11.5), (18.0, 22.5), (27.8, 31.9)
QUESTIONS: Final[tuple[tuple[str, tuple[float, float]], ...]] = (
    ("What is hanging from the ceiling?", GLOVE),
    ("Why could someone be injured?", GLOVE),
    ("What is on the scale?", GLOVE),
    ("What does it say about the boxing glove?", GLOVE),
    ("Which distance should be kept from the equipment?", GLOVE),
    ("What is the baby trying to read?", CHILD),
    ("Where is the baby sitting?", CHILD),
    ("Who is laughing at the baby?", CHILD),
    ("Is the book too big for him?", CHILD),
    ("What makes the video so funny?", CHILD),
    ("Is the flag visible?", FLAG),
    ("What is in the background?", FLAG),
    ("Which competition is it?", FLAG),
    ("Where do the gymnasts appear?", FLAG),
)
"""What is asked about the screen recording, and when its answer can be read."""


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how many facts of the real clips have a chosen frame.

    Raises:
        click.UsageError: there are no clips.
    """
    if clips is None:
        raise click.UsageError("recall needs the real clips; pass --clips FOLDER")
    return results(clips)


def results(
    clips: Path, counts: Sequence[int] = COUNTS, names: Sequence[str] | None = None
) -> Json:
    """Returns the section of results about facts and questions that have a chosen frame.

    Args:
        clips: folder of the clips.
        counts: frames that are chosen of each.
        names: rules that need no question; None for all.
    """
    paths = checked_clips(clips, list(FACTS))
    rules = names or selectors.names()
    rows = [
        row
        for count in counts
        for row in (*_of_facts(paths, count, rules), *_of_text(paths, count))
    ]
    return {
        "question": f"share of {sum(map(len, FACTS.values()))} facts in four real clips that a "
        f"chosen frame shows, without a question; of {len(QUESTIONS)} questions about what can be "
        "read in a screen recording, whose answer a chosen frame shows, and `aim`, the share of "
        "the frames that do; 95 % bootstrap; 1 frame a second to choose from",
        "rows": rows,
    }


def _of_facts(paths: dict[str, Path], count: int, names: Sequence[str]) -> Iterator[Json]:
    """Yields a row for each rule that needs no question, and one for the best choice there is."""
    for name in names:
        sift, hits, each = VideoCompressor(selector=name), list[bool](), dict[str, float]()
        if sift.reads_question:
            continue
        encoded = 0
        for clip, facts in FACTS.items():
            report = sift.select(paths[clip], count)
            times = [report.candidate_seconds[place] for place in report.picked]
            found = _shown(facts, times)
            each[clip.partition(".")[0]] = round(float(np.mean(found)), 4)
            hits += found
            encoded += report.frames_encoded
        yield _row("facts", f"{name} {count}", hits) | {"each": each, "frames_encoded": encoded}
        logger.info("recall of facts by %s measured", name)
    most = [found for facts in FACTS.values() for found in most_shown(facts, count)]
    yield _row("facts", f"oracle {count}", most)


def _of_text(paths: dict[str, Path], count: int) -> Iterator[Json]:
    """Yields rows for the questions about a screen recording, by timed text and without it."""
    with open_video(str(paths[SCREEN])) as opened:
        local = replace(opened, subtitles=parse_timed_text(TEXT.read_bytes()))
        for spec in ("uniform", "keyframes", *BY_TEXT):
            sift, hits, aims = VideoCompressor(selector=spec), list[bool](), list[float]()
            for question, span in QUESTIONS:
                report = sift.select(local, count, question)
                times = [report.candidate_seconds[place] for place in report.picked]
                shown = [is_shown([span], [time]) for time in times]
                hits.append(any(shown))
                aims.append(float(np.mean(shown)))
            aim = {"aim": round(float(np.mean(aims)), 4)}
            yield _row("questions", f"{spec} {count}", hits) | aim
            logger.info("recall of questions by %s measured", spec)


def is_shown(spans: Sequence[tuple[float, float]], times: Sequence[float]) -> bool:
    """Returns whether one of the times lies in one of the spans."""
    return any(start <= time <= end for start, end in spans for time in times)


def most_shown(facts: Mapping[str, Spans], count: int) -> list[bool]:
    """Returns for each fact whether `count` frames, chosen by who knows the facts, show it.

    Each frame is one that shows most of the facts which no frame before shows.
    """
    ends = [end for spans in facts.values() for _, end in spans]
    times: list[float] = []
    for _ in range(count):
        times.append(max(ends, key=lambda end: sum(_shown(facts, [*times, end]))))
    return _shown(facts, times)


def _shown(facts: Mapping[str, Spans], times: Sequence[float]) -> list[bool]:
    return [is_shown(spans, times) for spans in facts.values()]


def _row(kind: str, name: str, hits: Sequence[bool]) -> Json:
    interval = ratio_interval(np.column_stack([hits, np.ones(len(hits))]))
    return {
        "video": kind,
        "name": name,
        "events": len(hits),
        "share": round(float(np.mean(hits)), 4),
        "interval": rounded(interval),
    }
