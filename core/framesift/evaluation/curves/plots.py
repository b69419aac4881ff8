"""The pictures of a log of answers: what compression costs in right answers, and what it buys."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from framesift.disk.writing import write_atomically
from framesift.evaluation.answers.log import WHOLE, AnswerLog, bound_words, budget_words
from framesift.evaluation.answers.statistics import OVERALL, Share
from framesift.evaluation.curves.axes import LOOK
from framesift.evaluation.curves.figures import answers_figure, front, front_figure, kinds_figure
from framesift.evaluation.curves.numbers import Numbers
from framesift.registry import require

DPI: Final = 130


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure with its caption."""

    stem: str
    title: str
    alt: str
    """What is seen, for who does not see it."""
    caption: str
    figure: Any
    """A matplotlib figure."""

    def save(self, folder: Path) -> list[Path]:
        """Returns the PNG and the SVG of the figure in `folder`; equal figures give equal bytes."""
        svg = {**dict.fromkeys(("Creator", "Date", "Format", "Type")), "Title": self.title}
        return [
            write_atomically(folder / f"{self.stem}.png", self._bytes("png", {"Software": None})),
            write_atomically(folder / f"{self.stem}.svg", self._bytes("svg", svg)),
        ]

    def _bytes(self, kind: str, metadata: Mapping[str, str | None]) -> bytes:
        buffer = io.BytesIO()
        with require("matplotlib", extra="bench").rc_context(LOOK):
            self.figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
        return buffer.getvalue()


def pictures_of(numbers: Numbers) -> list[Picture]:
    """Returns the figures that the numbers are enough for.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    with require("matplotlib", extra="bench").rc_context(LOOK):
        pictures = [_answers(numbers)]
        if numbers.timed:
            pictures.append(_front(numbers))
        if len(numbers.kinds) > 1:
            pictures.append(_kinds(numbers))
    return pictures


def _answers(numbers: Numbers) -> Picture:
    levels = {share.strategy: share.share for share in numbers.levels}
    best, where = numbers.ranked[0], bound_words(numbers.quarter)
    crossing = numbers.crossing
    sentence = f" Temporal against uniform: {crossing.sentence}." if crossing else ""
    beside = "; ".join(f"{name} {100 * share:.1f} %" for name, share in levels.items())
    return Picture(
        stem="curves-answers",
        title="Right answers against tokens kept",
        alt=f"Lines of right answers over tokens kept, one for each of {len(numbers.ranked)} "
        f"strategies; at {where} {best} is the highest.{sentence}",
        caption=f"Best at {where}: {best}. Without a budget: {beside}.{sentence} "
        "At 100 % every line begins at all tokens, which any strategy keeps there.",
        figure=answers_figure(numbers.lines, levels, best=best, crossing=crossing),
    )


def _front(numbers: Numbers) -> Picture:
    names = map(str, front(numbers.timed))
    return Picture(
        stem="curves-time",
        title="Right answers against time to the first token",
        alt="Points of right answers over seconds to the first token, one for each strategy and "
        f"budget; from the fastest on, none beats: {', '.join(names)}.",
        caption="Each point is a strategy at a budget. Seconds are medians over the answers that "
        "were timed and hold decoding and encoding, which a budget does not shorten.",
        figure=front_figure(numbers.timed, whole=WHOLE, best=numbers.ranked[0]),
    )


def _kinds(numbers: Numbers) -> Picture:
    rows = dict(numbers.rows_of_kinds())
    shares = {name: {kind: s.share for kind, s in row.items()} for name, row in rows.items()}
    counts = {
        kind: max(row[kind].answers for row in rows.values() if kind in row)
        for kind in (OVERALL, *numbers.kinds)
    }
    return Picture(
        stem="curves-kinds",
        title="Right answers by kind of question",
        alt=f"Table of right answers of {len(rows)} ways for {len(numbers.kinds)} kinds of "
        "question; the numbers are in the table below.",
        caption="The number under a kind is how many answers a way has to it; where it is small, "
        "so is what a difference says. Intervals are in the table below.",
        figure=kinds_figure(
            shares,
            whole=shares.get(WHOLE, {}),
            keep=numbers.quarter,
            apart=len(numbers.levels),
            answers=counts,
        ),
    )


def table_lines(log: AnswerLog) -> list[str]:
    """Returns lines of a table for a terminal: right answers in per cent, by strategy and keep.

    Behind each share is half the width of its interval.

    Raises:
        InvalidOptionError: the log has no answers of a strategy.
    """
    return list(_table(Numbers(log)))


def _table(numbers: Numbers) -> Iterator[str]:
    ways = {(share.strategy, share.keep): share for share in numbers.shortened}
    names = [*numbers.ranked, *(share.strategy for share in numbers.levels)]
    wide = max(map(len, names)) + 2
    yield f"{'':<{wide}}" + "".join(f"{budget_words(keep):>13}" for keep in numbers.keeps)
    for name in numbers.ranked:
        cells = [_cell(ways.get((name, keep))) for keep in numbers.keeps]
        yield f"{name:<{wide}}" + "".join(f"{cell:>13}" for cell in cells)
    for share in numbers.levels:
        yield f"{share.strategy:<{wide}}{_cell(share):>13}"


def _cell(share: Share | None) -> str:
    if share is None:
        return "-"
    if share.interval is None:
        return f"{100 * share.share:.1f}"
    low, high = share.interval
    return f"{100 * share.share:.1f} ±{50 * (high - low):4.1f}"
