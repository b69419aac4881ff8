"""Does the shortened video still hold what a question is about? No model answers here.

Of each question about the real clips it is known when and where its answer is seen. `held` is the
share of the patches in that box of which a token from that time survives; a token merged with three
others by equal weights counts a quarter. `random` is the mean over its seeds. A keyframe holds a
question if it lies in its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
import numpy.typing as npt

from benchmarks.effort import Effort
from benchmarks.process import Json, logger
from framesift.compression.compressor import VideoCompressor
from framesift.encoders import registry as encoders
from framesift.evaluation.answers.answering import Way, with_runs
from framesift.evaluation.answers.bootstrap import ratio_interval
from framesift.evaluation.answers.real_clips import RealQuestion, checked_clips, read_questions
from framesift.evaluation.answers.statistics import rounded
from framesift.report.coverage import coverage
from framesift.selectors import registry as selectors
from framesift.strategies import registry as strategies
from framesift.strategies.base import create_strategy
from framesift.types.budget import Budget
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

KEYFRAMES: Final = (4, 8)
ENCODER: Final = "handcrafted"
REPEATS: Final = 2000
"""Resamplings of the bootstrap."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The tokens of a clip, and the part (x0, y0, x1, y1) of the picture that they cover."""

    tokens: VideoTokens
    region: tuple[float, float, float, float]


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns whether shortened real clips still hold what questions are about.

    Raises:
        click.UsageError: there are no clips.
    """
    if clips is None:
        raise click.UsageError("evidence needs the real clips; pass --clips FOLDER")
    return results(clips, keeps=effort.evidence_keeps)


def results(clips: Path, *, keeps: Sequence[float], names: Sequence[str] | None = None) -> Json:
    """Returns the section of results about evidence held, of strategies and selectors.

    Args:
        clips: folder of the five clips.
        keeps: shares of the tokens.
        names: strategies; None for all that the handcrafted encoder serves.
    """
    questions = read_questions()
    paths = checked_clips(clips, [question.clip for question in questions])
    encoded = {name: _encoded(path) for name, path in paths.items()}
    rows, skipped = [], {}
    for name in names or strategies.names():
        if missing := _missing(name):
            skipped[name] = f"the {ENCODER} encoder does not give {', '.join(missing)}"
            continue
        for keep in keeps:
            runs = [
                _held(encoded, questions, run.strategy, keep)
                for run in with_runs(Way(name=name, strategy=name, keep=keep))
            ]
            held: list[float] = np.mean(runs, axis=0).tolist()
            rows.append(_row("tokens", f"{name} {keep:.2f}", held))
        logger.info("evidence of %s measured", name)
    for count in KEYFRAMES:
        picked = {
            name: _picked(paths, VideoCompressor(selector=name), count)
            for name in selectors.names()
        }
        for name, times in {**picked, "oracle": _best(questions, count)}.items():
            hits = [_is_hit(times[question.clip], question) for question in questions]
            rows.append(_row("keyframes", f"{name} {count}", hits))
    return {
        "question": "share of a question's evidence that the shortened video still holds, mean of "
        "20 questions about five real clips, 95 % interval by bootstrap over questions",
        "rows": rows,
        "skipped": skipped,
    }


def _missing(name: str) -> list[str]:
    return sorted(create_strategy(name).required_signals - encoders.get(ENCODER).gives)


def _encoded(path: Path) -> Clip:
    """Returns a clip as the strategies get it from `VideoCompressor` at its own rate of frames."""
    encoded = VideoCompressor(encoder=ENCODER).encode(path)
    info, encoder = encoded.index.info, encoders.create(ENCODER)
    return Clip(tokens=encoded.tokens, region=encoder.fitted(info).region(info))


def _held(
    clips: dict[str, Clip], questions: Sequence[RealQuestion], name: str, keep: float
) -> list[float]:
    """Returns the share of each question's patches that survive at some moment of its time."""
    strategy, held = create_strategy(name), []
    plans: dict[tuple[str, str | None], TokenPlan] = {}
    for question in questions:
        clip = clips[question.clip]
        words = question.question if strategy.is_per_question else None
        if (question.clip, words) not in plans:
            budget = Budget(keep=keep).tokens(clip.tokens.count)
            plans[question.clip, words] = strategy.plan(clip.tokens, budget, words)
        held.append(evidence_held(clip, plans[question.clip, words], question))
    return held


def evidence_held(clip: Clip, plan: TokenPlan, question: RealQuestion) -> float:
    """Returns the share of the question's patches of which a token from its time survives."""
    times = clip.tokens.pts_seconds.numpy()
    during = (times >= question.start_seconds) & (times <= question.end_seconds)
    if not during.any():
        during = np.arange(len(times)) == np.abs(times - question.start_seconds).argmin()
    best = coverage(plan, clip.tokens.grid)[during].max(axis=0)
    return float(best[patches_in(question.box, clip.region, best.shape)].mean())


def patches_in(
    box: Sequence[float], region: Sequence[float], grid: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Returns the patches `(h, w)` whose middle lies in the box; the nearest one where none does.

    Args:
        box: (x0, y0, x1, y1) as parts of the picture.
        region: the part of the picture that the patches cover, likewise.
        grid: rows and columns.
    """
    rows, columns = grid
    down = _within(box[1], box[3], region[1], region[3], rows)
    across = _within(box[0], box[2], region[0], region[2], columns)
    return down[:, None] & across[None, :]


def _within(low: float, high: float, start: float, end: float, count: int) -> npt.NDArray[np.bool_]:
    middles = start + (np.arange(count) + 0.5) / count * (end - start)
    away = np.abs(middles - (low + high) / 2)
    return away <= max((high - low) / 2, float(away.min()))


def _picked(paths: dict[str, Path], sift: VideoCompressor, count: int) -> dict[str, list[float]]:
    return {
        name: [frame.pts_seconds for frame in sift.keyframes(path, count)]
        for name, path in paths.items()
    }


def _best(questions: Sequence[RealQuestion], count: int) -> dict[str, list[float]]:
    """Returns the times of `count` frames of each clip that hold most of its questions."""
    picked: dict[str, list[float]] = {}
    for clip in dict.fromkeys(question.clip for question in questions):
        open_ones = [question for question in questions if question.clip == clip]
        times = picked.setdefault(clip, [])
        while open_ones and len(times) < count:
            ends = [question.end_seconds for question in open_ones]
            times.append(max(ends, key=lambda end: sum(_is_hit([end], q) for q in open_ones)))
            open_ones = [question for question in open_ones if not _is_hit(times, question)]
    return picked


def _is_hit(times: Sequence[float], question: RealQuestion) -> float:
    return float(any(question.start_seconds <= t <= question.end_seconds for t in times))


def _row(kind: str, name: str, values: Sequence[float]) -> Json:
    interval = ratio_interval(np.column_stack([values, np.ones(len(values))]))
    return {
        "video": kind,
        "name": name,
        "events": len(values),
        "share": round(float(np.mean(values)), 4),
        "interval": rounded(interval),
        "each": [round(value, 3) for value in values],
    }
