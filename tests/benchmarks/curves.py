"""Draws `framesift bench curves`, and on the same page evidence and growth of a benchmark.

`PYTHONPATH=tests python -m benchmarks.curves LOG --results benchmark.json`
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from benchmarks.curve_figures import Growth, evidence_figure, growth_figure, keyframes_figure
from benchmarks.process import Json
from framesift.evaluation.answers.log import AnswerLog, budget_words
from framesift.evaluation.curves.axes import LOOK
from framesift.evaluation.curves.lines import Point
from framesift.evaluation.curves.page import Cell, Table, share_cell, write_curves
from framesift.evaluation.curves.plots import Picture
from framesift.registry import require


@click.command()
@click.argument("log", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("-o", "--out", type=click.Path(path_type=Path), default="curves", help="Folder.")
@click.option(
    "--results",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A benchmark.json, for evidence and growth; may be repeated.",
)
def main(log: Path, out: Path, results: tuple[Path, ...]) -> None:
    """Draw a log of answers and sections of benchmarks on one page."""
    sections: Json = {}
    for path in results:
        sections |= json.loads(path.read_bytes())["sections"]
    for path in write(out, AnswerLog.read(log), sections):
        click.echo(f"wrote     {path}")


def write(folder: Path, log: AnswerLog, sections: Json) -> list[Path]:
    """Returns the files written: those of `write_curves`, with the figures of the sections."""
    with require("matplotlib", extra="bench").rc_context(LOOK):
        pictures = list(pictures_of(sections))
    return write_curves(folder, log, pictures=pictures, tables=list(tables_of(sections)))


def pictures_of(sections: Json) -> Iterator[Picture]:
    """Yields the figures that the sections are enough for."""
    if "evidence" in sections:
        yield from _evidence(sections["evidence"])
    if sections.get("catalogue", {}).get("growth"):
        yield _growth(sections["catalogue"])


def _evidence(section: Json) -> Iterator[Picture]:
    lines, keyframes = evidence_lines(section), keyframe_points(section)
    if lines:
        best = max(lines, key=lambda name: lines[name][-1].share)
        least = f"{100 * lines[best][-1].keep:.3g} %"
        yield Picture(
            stem="curves-evidence",
            title="Evidence in the tokens kept",
            alt=f"Lines of evidence held over tokens kept, one for each of {len(lines)} "
            f"strategies; at {least} of the tokens {best} is the highest.",
            caption=f"Measured: {section['question']}. Best at {least} of the tokens: {best}.",
            figure=evidence_figure(lines, best=best),
        )
    if keyframes:
        yield Picture(
            stem="curves-keyframes",
            title="Evidence in keyframes",
            alt="Points of the questions that keyframes hold, with their intervals, a row for "
            f"each selector: {', '.join(keyframes)}; the numbers are in a table below.",
            caption="The oracle knows the questions and when their answers are seen.",
            figure=keyframes_figure(keyframes),
        )


def _growth(section: Json) -> Picture:
    encoding, costs = section["encoding"], growths(section)
    return Picture(
        stem="curves-growth",
        title="Planning against the length of the video",
        alt="Lines of seconds over frames: encoding, in proportion to them, and far below it "
        f"planning by {', '.join(costs)}.",
        caption=f"Measured: {section['question']}. Encoding is timed once and drawn in proportion.",
        figure=growth_figure(costs, (encoding["frames"], encoding["seconds"])),
    )


def tables_of(sections: Json) -> Iterator[Table]:
    """Yields the numbers behind the figures of the sections."""
    if "evidence" in sections:
        lines = evidence_lines(sections["evidence"])
        yield _points_table(
            "Evidence held by strategy and tokens kept",
            {
                name: {budget_words(p.keep): p for p in points[::-1]}
                for name, points in lines.items()
            },
        )
        keyframes = keyframe_points(sections["evidence"])
        yield _points_table(
            "Evidence held by selector and keyframes of a clip",
            {name: {str(n): p for n, p in points.items()} for name, points in keyframes.items()},
        )
    for name, cost in growths(sections.get("catalogue", {"growth": {}})).items():
        times = zip(cost.frames, cost.seconds, ["", *cost.powers], strict=True)
        yield Table(
            title=f"Planning by {name} against frames",
            note="seconds, and to which power of the frames they grew from the row above",
            head=("seconds", "power"),
            rows=[
                (f"{frames:,}", [Cell(text=f"{seconds:.4g}"), Cell(text=str(power))])
                for frames, seconds, power in times
            ],
        )


def _points_table(title: str, points: dict[str, dict[str, Point]]) -> Table:
    head = list(dict.fromkeys(name for row in points.values() for name in row))
    return Table(
        title=title,
        note="per cent with 95 % intervals over questions",
        head=head,
        rows=[
            (name, [share_cell(row.get(amount)) for amount in head]) for name, row in points.items()
        ],
    )


def evidence_lines(section: Json) -> dict[str, list[Point]]:
    """Returns the evidence in tokens over the tokens kept, most first, by strategy."""
    lines: dict[str, list[Point]] = {}
    for name, _, point in sorted(_rows(section, "tokens"), key=lambda row: -row[1]):
        lines.setdefault(name, []).append(point)
    return lines


def keyframe_points(section: Json) -> dict[str, dict[int, Point]]:
    """Returns the questions that keyframes hold, by selector and number of keyframes."""
    points: dict[str, dict[int, Point]] = {}
    for name, count, point in _rows(section, "keyframes"):
        points.setdefault(name, {})[int(count)] = point
    return points


def _rows(section: Json, kind: str) -> Iterator[tuple[str, float, Point]]:
    for row in section["rows"]:
        if row["video"] == kind:
            name, _, amount = row["name"].rpartition(" ")
            low, high = row["interval"]
            point = Point(keep=float(amount), share=row["share"], interval=(low, high))
            yield name, float(amount), point


def growths(section: Json) -> dict[str, Growth]:
    """Returns how the time of planning grows with the frames, by strategy."""
    return {
        name: Growth(
            frames=[row["frames"] for row in growth["rows"]],
            seconds=[row["seconds"] for row in growth["rows"]],
            powers=growth["powers"],
        )
        for name, growth in section["growth"].items()
    }


if __name__ == "__main__":
    main()
