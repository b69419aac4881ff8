"""How often `find` finds what is there, and finds nothing where nothing is, by the tiny model.

Things of synthetic videos that no training has seen are looked for by words and by questions, and
so are things that are not there: numbers where none flashes, shapes of another form and color, and
what no synthetic video shows. `near` are shapes whose form is there in another color. The
thresholds were set on the validation split; this is the test split.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from benchmarks.effort import Effort
from benchmarks.process import Json
from framesift.answering.chat import Chat
from framesift.answering.evidence import WeightKind
from framesift.compression.compressor import VideoCompressor
from framesift.evaluation.answers.bootstrap import ratio_interval, sums_by_video
from framesift.evaluation.answers.question_sets import FIRST_SEEDS, Split, address
from framesift.evaluation.answers.statistics import DECIMALS, rounded
from framesift.sources.base import open_video
from framesift.synthetic.pixels import COLORS, SHAPES
from framesift.vlms.load import load_vlm

FORMS: Final = ("the {}", "Where is the {}?", "When is the {} seen?", "find the {}")
NUMBERS: Final = ("What number flashes?", "the number", "a card with a number")
FOREIGN: Final = ("a dog", "the bicycle on the road", "Who is speaking?", "What color is the car?")
"""What no synthetic video shows."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is looked for."""

    text: str
    kind: str
    """`"present"`, `"absent"`, `"foreign"` or `"near"`."""
    spans: tuple[tuple[float, float], ...] = ()
    """When it is seen, in seconds."""


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how often things are found and not found, over synthetic videos."""
    return results("test", effort.finding_videos)


def results(split: Split, videos: int) -> Json:
    """Returns the section of results about some videos of a split."""
    sift = VideoCompressor(vlm=load_vlm("tiny"), text=())
    hits_of: defaultdict[tuple[str, str], list[tuple[str, bool]]] = defaultdict(list)
    for seed in range(FIRST_SEEDS[split], FIRST_SEEDS[split] + videos):
        rng = random.Random(f"finding-{seed}")
        with open_video(address(seed, rng)) as local, sift.open(local) as chat:
            for query in queries(local.truth["events"], rng):
                for key, hit in _looked_for(chat, query):
                    hits_of[key].append((str(seed), hit))
    return {
        "question": "share of queries for which something is found, by what they are about, and "
        "share of first stretches found that overlap the time in which it is seen; 95 % bootstrap "
        "over videos",
        "rows": [_row(key, hits) for key, hits in sorted(hits_of.items())],
    }


def queries(events: Sequence[dict[str, Any]], rng: random.Random) -> Iterator[Query]:
    """Yields queries about what happens in a video, and about what does not.

    Args:
        events: of the video's truth.
        rng: draws words and what is absent.
    """
    shapes = [event for event in events if "shape" in event["attributes"]]
    names = {(e["attributes"].get("color"), e["attributes"]["shape"]) for e in shapes}
    forms = {shape for _, shape in names}
    colors = {event["attributes"].get("color") for event in events}
    named = sorted((color, shape) for color, shape in names if color)
    for color, shape in named:
        yield Query(
            text=rng.choice(FORMS).format(f"{color} {shape}"),
            kind="present",
            spans=_spans(shapes, color=color, shape=shape),
        )
        question = f"What color is the {shape}?"
        yield Query(text=question, kind="present", spans=_spans(shapes, shape=shape))
    numbers = [event for event in events if event["kind"] == "number"]
    about = "present" if numbers else "absent"
    yield Query(text=rng.choice(NUMBERS), kind=about, spans=_spans(numbers))
    others, unused = sorted(set(SHAPES) - forms), sorted(set(COLORS) - colors)
    for shape in others:
        thing = f"{rng.choice(unused or list(COLORS))} {shape}"
        yield Query(text=rng.choice(FORMS).format(thing), kind="absent")
        yield Query(text=f"What color is the {shape}?", kind="absent")
    yield Query(text=rng.choice(FOREIGN), kind="foreign")
    if named and unused:
        thing = f"{rng.choice(unused)} {rng.choice(named)[1]}"
        yield Query(text=rng.choice(FORMS).format(thing), kind="near")


def _spans(events: Sequence[dict[str, Any]], **facts: str) -> tuple[tuple[float, float], ...]:
    return tuple(
        (event["start_seconds"], event["end_seconds"])
        for event in events
        if facts.items() <= event["attributes"].items()
    )


def _looked_for(chat: Chat, query: Query) -> Iterator[tuple[tuple[str, str], bool]]:
    """Yields for each kind of weights whether something is found, and whether it is the thing."""
    kinds: tuple[WeightKind, ...] = get_args(WeightKind)
    for kind in kinds:
        stretches = chat.find(query.text, evidence=kind, warn=_unheard)
        yield (query.kind, kind), bool(stretches)
        if stretches and query.spans:
            first = stretches[0]
            meets = (a < first.end_seconds and b > first.start_seconds for a, b in query.spans)
            yield ("right time", kind), any(meets)


def _unheard(warning: str) -> None:
    """Leaves a warning that nothing is found to the count."""


def _row(key: tuple[str, str], hits: Sequence[tuple[str, bool]]) -> Json:
    sums = sums_by_video([video for video, _ in hits], [(float(hit), 1) for _, hit in hits])
    return {
        "video": key[0],
        "name": key[1],
        "events": len(hits),
        "share": round(sum(hit for _, hit in hits) / len(hits), DECIMALS),
        "interval": rounded(ratio_interval(sums)),
    }
