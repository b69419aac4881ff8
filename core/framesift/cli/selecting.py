"""`framesift bench selection`: right answers from a few frames, by who chose them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import click

import framesift
from framesift.cli import options, terminal
from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.question_sets import Split
from framesift.registry import require
from framesift.run import progress_bar


@click.command("selection")
@click.option(
    "-o",
    "--out",
    type=options.GivenPath(path_type=Path),
    default="selection",
    help="Folder of the log, the figures and the plot.",
)
@click.option("--videos", type=click.IntRange(min=1), default=40, help="Synthetic videos.")
@click.option("--trained", default="mllm", help="Spec of the scorer that was trained.")
@click.option(
    "--reader",
    "readers",
    multiple=True,
    default=("tiny",),
    metavar="[NAME=]VLM",
    help="What answers from the chosen frames, the main one first; repeatable.",
)
@click.option(
    "--ablation",
    "ablations",
    multiple=True,
    metavar="NAME=SCORER",
    help="Another scorer under the same rule, at 32 candidates; repeatable.",
)
@options.as_json
def selection(
    out: Path,
    videos: int,
    trained: str,
    readers: tuple[str, ...],
    ablations: tuple[str, ...],
    as_json: bool,
) -> None:
    """Choose 4 of 16 to 128 frames in many ways, and ask frozen readers about them.

    Each answer is logged with the frames, whether one of them shows what is asked for, and what
    choosing them took. A run that was broken off goes on where it was.
    """
    from framesift.evaluation.selection import measure, ways
    from framesift.evaluation.selection.question_sets import LENGTHS
    from framesift.evaluation.selection.words import result_lines

    require("matplotlib", extra="bench")  # said before minutes of measuring
    chosen = [*ways.default_ways(trained), *ways.ablations(ablations)]
    models = {name: framesift.load_vlm(vlm) for name, vlm in map(_named, readers)}
    with progress_bar("selection", total=videos * len(LENGTHS), unit="video") as bar:
        for _ in measure.measure(out, chosen, models, videos=videos):
            bar.update(1)
    results = measure.write_results(out, chosen, models, videos=videos)
    if as_json:
        click.echo(json.dumps(results))
        return
    terminal.echo("\n".join(result_lines(results)))
    for name in (measure.RESULTS, measure.PLOT, measure.LOG):
        terminal.line(f"wrote     {out / name}")


@click.command("selection-questions")
@click.option(
    "-o",
    "--out",
    type=options.GivenPath(path_type=Path),
    default="questions.jsonl",
    help="File of questions for `framesift label`.",
)
@click.option("--split", type=click.Choice(get_args(Split)), default="train")
@click.option("--videos", type=click.IntRange(min=1), default=400, help="Synthetic videos.")
def selection_questions(out: Path, split: Split, videos: int) -> None:
    """Write questions about brief things in synthetic videos, to label and to train on."""
    from framesift.evaluation.selection.question_sets import write_questions

    count = write_questions(out, split, videos)
    terminal.line(f"wrote     {out} ({count} questions)")
    terminal.line(f"try       framesift label {out} -o labels.jsonl --judge answer")


def _named(reader: str) -> tuple[str, str]:
    """Returns the name of a reader, and what to load."""
    name, given, vlm = reader.partition("=")
    if not given:
        return Path(reader).name, reader
    if not (name.strip() and vlm.strip()) or ":" in name:
        raise InvalidOptionError(
            f"reader {reader!r} must be a vision LLM such as 'tiny', or NAME=VLM"
        )
    return name, vlm
