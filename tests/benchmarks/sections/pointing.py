"""Which kind of evidence points right, by the tiny model on held-out videos.

Of each question it is known when and where its answer is seen. The first stretch that an answer
names points right in time if it overlaps that time, and in place if its box overlaps that box too.
Its peer is chance: how often a stretch or box of the same size does so that lies anywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, get_args

from benchmarks.effort import Effort
from benchmarks.process import Json
from framesift.answering.chat import Chat
from framesift.answering.evidence import WeightKind
from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor
from framesift.evaluation.answers.bootstrap import ratio_interval, sums_by_video
from framesift.evaluation.answers.question_sets import BenchmarkQuestion, synthetic
from framesift.evaluation.answers.statistics import DECIMALS, rounded
from framesift.sources.base import open_video
from framesift.vlms.load import load_vlm

LARGEST: Final = 0.5
"""Parts of the video, or of the picture, that are larger are met by almost any guess."""
SHORT: Final = Generation(max_new_tokens=24)

Measure = tuple[str, str]
"""What is measured, of which kind of evidence."""


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns which evidence points right, over synthetic videos."""
    model = load_vlm("tiny")
    scores: defaultdict[Measure, list[tuple[str, float, float]]] = defaultdict(list)
    for video in synthetic("test", effort.pointing_videos):
        sift = VideoCompressor(vlm=model, fps=video.fps)
        with open_video(video.uri) as local, sift.open(local) as chat:
            for question in video.questions:
                for key, hit, chance in _pointed(chat, question):
                    scores[key].append((video.name, hit, chance))
    return {
        "question": "share of questions whose first evidence overlaps the time, or time and box, "
        "in which the answer is seen, beside chance; gain over it on the same questions; 95 % "
        "bootstrap over videos",
        "rows": [_row(key, stretch) for key, stretch in sorted(scores.items())],
    }


def overlap_chance(span: tuple[float, float], length: float, total: float) -> float:
    """Returns how often a stretch of `length` that lies anywhere in 0 to `total` meets `span`."""
    free = total - length
    if free <= 0:
        return 1.0
    return min(1.0, max(0.0, (min(span[1], free) - max(span[0] - length, 0.0)) / free))


def _pointed(chat: Chat, question: BenchmarkQuestion) -> Iterator[tuple[Measure, bool, float]]:
    """Yields for each kind of evidence whether its first stretch points right, and the chance."""
    seconds = chat.videos[0].report.duration_seconds
    span, (x0, y0, x1, y1) = (question.start_seconds, question.end_seconds), question.box
    if span[1] - span[0] > LARGEST * seconds:
        return
    kinds: tuple[WeightKind, ...] = get_args(WeightKind)
    for kind in kinds:
        first = chat.ask(question.prompt, generation=SHORT, evidence=kind).evidence[0]
        stretch = first.start_seconds, first.end_seconds
        hit, chance = _meet(stretch, span), overlap_chance(span, stretch[1] - stretch[0], seconds)
        yield ("time", kind), hit, chance
        if (x1 - x0) * (y1 - y0) <= LARGEST and first.box is not None:
            left, top, right, bottom = first.box
            hit = hit and _meet((left, right), (x0, x1)) and _meet((top, bottom), (y0, y1))
            chance *= overlap_chance((x0, x1), right - left, 1.0)
            chance *= overlap_chance((y0, y1), bottom - top, 1.0)
            yield ("time and place", kind), hit, chance


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] < other[1] and one[1] > other[0]


def _row(key: Measure, scores: Sequence[tuple[str, float, float]]) -> Json:
    columns = [(value, peer, value - peer, 1) for _, value, peer in scores]
    sums = sums_by_video([video for video, _, _ in scores], columns)
    share, peer, gain = (float(total) / len(scores) for total in sums[:, :3].sum(axis=0))
    return {
        "video": key[0],
        "name": key[1],
        "events": len(scores),
        "share": round(share, DECIMALS),
        "interval": rounded(ratio_interval(sums[:, [0, 3]])),
        "peer_share": round(peer, DECIMALS),
        "gain": round(gain, DECIMALS),
        "gain_interval": rounded(ratio_interval(sums[:, [2, 3]])),
    }
