"""`framesift label`: what each frame of a video is worth for a question, to train selectors on."""

from __future__ import annotations

from pathlib import Path

import click

import framesift
from framesift.cli import options, terminal
from framesift.errors import DecodeError


@click.command("label")
@click.argument("questions", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=options.GivenPath(path_type=Path), required=True, help="File of labels."
)
@click.option("--model", default="tiny", help="Vision LLM: a name, a hub id or a folder.")
@click.option(
    "--judge",
    type=click.Choice(["answer"]),
    default="answer",
    help="What a frame is worth by itself. 'answer': the probability that the model gives the "
    "right answer from it alone.",
)
@click.option(
    "--temporal",
    type=click.Choice(["evidence", "none"]),
    default="evidence",
    help="Which frames matter among all. 'evidence': those that the attention of the right answer "
    "points at.",
)
@click.option(
    "--normalize",
    type=click.Choice(["none", "minmax"]),
    default="none",
    help="'minmax' stretches the labels of each question over 0 to 1.",
)
@click.option("--batch", type=click.IntRange(min=1), default=32, help="Frames read side by side.")
@click.option("--allow-private", is_flag=True, help="Fetch from private addresses too.")
def label(
    questions: Path,
    out: Path,
    model: str,
    judge: str,
    temporal: str,
    normalize: str,
    batch: int,
    allow_private: bool,
) -> None:
    """Label the frames of videos for QUESTIONS, to train a frame selector on.

    QUESTIONS is a file of JSON lines: {"video": URI, "question": "...", "answer": "...",
    "choices": ["..."], "fps": 1.0}; answer, choices and fps may be left out.

    OUT gets a JSON line for each question: {"video", "fps", "question", "times_seconds": [T],
    "spatial": [T] from 0 to 1, "temporal": [T] of 0 and 1 or null, "labels": [T] their mean or the
    spatial ones alone, "answer", "judge", "temporal_judge", "normalize", "model", "version": 1,
    "warnings": [...]}.

    Each line is on the disk as soon as it is made. A run that was broken off, by whatever, goes on
    where it was; one with more questions adds to the file.
    """
    from framesift.fetching.limits import FetchLimits
    from framesift.training.frame_selector.label_file import read_questions_to_label
    from framesift.training.frame_selector.labeling import label
    from framesift.training.frame_selector.local_labels import LocalLabeler

    wanted = read_questions_to_label(questions)
    labeler = LocalLabeler(
        framesift.load_vlm(model),
        judge,  # type: ignore[arg-type]
        temporal,  # type: ignore[arg-type]
        limits=FetchLimits(allow_private=allow_private),
        at_once=batch,
    )
    done = label(
        wanted,
        labeler,
        out,
        normalize=normalize,  # type: ignore[arg-type]
        warn=lambda line: terminal.line(f"warning   {line}", err=True),
    )
    terminal.line(f"labeled   {done.now} questions, {done.before} before")
    terminal.line(f"wrote     {out}")
    if done.unreadable:
        names = ", ".join(list(done.unreadable)[:3])
        raise DecodeError(
            f"{len(done.unreadable)} videos could not be read, such as {names}; mend them and run "
            "the same command again"
        )
