"""`framesift label`: what each frame of a video is worth for a question, to train selectors on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

import framesift
from framesift.cli import options, terminal
from framesift.errors import DecodeError, InvalidOptionError, ReplyError

if TYPE_CHECKING:
    from framesift.fetching.spent import Spent
    from framesift.training.frame_selector.labeling import Labeled
    from framesift.training.frame_selector.ratings import FrameLabeler

EVERY_SECONDS: Final = 10.0
"""How often the cost so far is printed."""


@click.command("label")
@click.argument("questions", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=options.GivenPath(path_type=Path), required=True, help="File of labels."
)
@click.option(
    "--model",
    show_default="tiny",
    help="Vision LLM: a name, a hub id or a folder; its name there with --endpoint.",
)
@click.option(
    "--judge",
    type=click.Choice(["answer", "true-false"]),
    show_default="answer, true-false with --endpoint",
    help="What a frame is worth by itself. answer: the probability that the model gives the right "
    "answer from it alone. true-false: the probability of True where the model explains itself and "
    "then says whether the frame helps.",
)
@click.option(
    "--temporal",
    type=click.Choice(["evidence", "captions", "none"]),
    show_default="evidence, captions with --endpoint",
    help="Which frames matter among all. evidence: those that the attention of the right answer "
    "points at. captions: those that a text model names, of a caption of each frame.",
)
@click.option(
    "--include-choices", is_flag=True, help="Show the judges the answers to choose from, too."
)
@click.option(
    "--normalize",
    type=click.Choice(["none", "minmax"]),
    default="none",
    help="minmax stretches the labels of each question over 0 to 1.",
)
@click.option("--batch", type=click.IntRange(min=1), default=32, help="Frames read side by side.")
@click.option(
    "--endpoint", help="Address of an OpenAI-compatible server, such as http://localhost:8000/v1."
)
@click.option(
    "--text-model", show_default="that of --model", help="What chooses by captions there."
)
@click.option(
    "--key-variable",
    show_default="FRAMESIFT_API_KEY",
    help="Environment variable that holds the key of the endpoint.",
)
@click.option("--concurrency", type=click.IntRange(1, 256), default=8, help="Requests in flight.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=120.0, help="Seconds a request.")
@click.option("--attempts", type=click.IntRange(1, 20), default=5, help="Tries of a request.")
@click.option("--max-side", type=click.IntRange(min=16), default=768, help="Of sent pictures.")
@click.option("--price-in", type=click.FloatRange(min=0), default=0.0, help="Of 1e6 prompt tokens.")
@click.option(
    "--price-out", type=click.FloatRange(min=0), default=0.0, help="Of 1e6 answer tokens."
)
@click.option("--allow-private", is_flag=True, help="Fetch videos from private addresses too.")
def label(
    questions: Path,
    out: Path,
    normalize: str,
    price_in: float,
    price_out: float,
    **how: Any,
) -> None:
    """Label the frames of videos for QUESTIONS, to train a frame selector on.

    QUESTIONS is a file of JSON lines: {"video": URI, "question": "...", "answer": "...",
    "choices": ["..."], "fps": 1.0}; answer, choices and fps may be left out.

    OUT gets a JSON line for each question: {"video", "fps", "question", "times_seconds": [T],
    "spatial": [T] from 0 to 1, "temporal": [T] of 0 and 1 or null, "labels": [T] their mean or the
    spatial ones alone, "answer", "judge", "temporal_judge", "normalize", "include_choices",
    "model", "version": 1, "warnings": [...]}.

    Each line is on the disk as soon as it is made. A run that was broken off, by whatever, goes on
    where it was; one with more questions adds to the file. Replies of an endpoint are kept beside
    it, in OUT.replies, so that none is paid for twice.
    """
    from framesift.training.frame_selector.label_file import read_questions_to_label
    from framesift.training.frame_selector.labeling import label

    wanted = read_questions_to_label(questions)
    spent: Spent | None = None
    if how["endpoint"] is None:
        labeler = _local(**how)
    else:
        labeler, spent = _behind_endpoint(out, **how)
    costs = _costs(spent, price_in, price_out)
    with framesift.on_progress(_now_and_then(costs)):
        done = label(
            wanted,
            labeler,
            out,
            normalize=normalize,  # type: ignore[arg-type]
            warn=lambda line: terminal.line(f"warning   {line}", err=True),
        )
    terminal.line(f"labeled   {done.now} questions, {done.before} before")
    if line := costs():
        terminal.line(f"cost      {line}")
    terminal.line(f"wrote     {out}")
    _complain_of_rest(done)


def _local(
    model: str | None,
    judge: str | None,
    temporal: str | None,
    batch: int,
    include_choices: bool,
    allow_private: bool,
    **_: Any,
) -> FrameLabeler:
    from framesift.fetching.limits import FetchLimits
    from framesift.training.frame_selector.local_labels import LocalLabeler

    return LocalLabeler(
        framesift.load_vlm(model or "tiny"),
        judge or "answer",  # type: ignore[arg-type]
        temporal or "evidence",  # type: ignore[arg-type]
        include_choices=include_choices,
        limits=FetchLimits(allow_private=allow_private),
        at_once=batch,
    )


def _behind_endpoint(
    out: Path,
    endpoint: str,
    model: str | None,
    judge: str | None,
    temporal: str | None,
    text_model: str | None,
    key_variable: str | None,
    concurrency: int,
    timeout: float,
    attempts: int,
    max_side: int,
    include_choices: bool,
    allow_private: bool,
    **_: Any,
) -> tuple[FrameLabeler, Spent]:
    from framesift.answering.endpoint_judge import EndpointJudge
    from framesift.fetching.endpoint import KEY_VARIABLE, Endpoint
    from framesift.fetching.limits import FetchLimits
    from framesift.training.frame_selector.endpoint_labels import EndpointLabeler
    from framesift.training.frame_selector.paid_replies import PaidReplies

    if model is None:
        raise InvalidOptionError("--endpoint needs the name of a model there; give --model NAME")
    if judge == "answer" or temporal == "evidence":
        raise InvalidOptionError(
            "--judge answer and --temporal evidence look into a model, which an endpoint does not "
            "show; take true-false and captions or none, or a model on this machine"
        )
    asked = Endpoint(
        endpoint,
        key_variable=key_variable or KEY_VARIABLE,
        timeout_seconds=timeout,
        attempts=attempts,
        replies=PaidReplies.beside(out),
    )
    labeler = EndpointLabeler(
        EndpointJudge(asked, model, text_model=text_model),
        temporal or "captions",  # type: ignore[arg-type]
        include_choices=include_choices,
        concurrency=concurrency,
        max_side_px=max_side,
        limits=FetchLimits(allow_private=allow_private),
    )
    return labeler, asked.spent


def _costs(spent: Spent | None, price_in: float, price_out: float) -> Callable[[], str]:
    """Returns what gives the cost so far, empty for a model on this machine."""

    def costs() -> str:
        if spent is None:
            return ""
        line = (
            f"{spent.calls:,} requests, {spent.prompt_tokens:,} tokens of prompts, "
            f"{spent.answer_tokens:,} of answers"
        )
        price = spent.cost(price_in, price_out)
        return f"{line}, {price:.4f}" if price_in or price_out else line

    return costs


def _now_and_then(costs: Callable[[], str]) -> Callable[[framesift.Progress], None]:
    """Returns a listener that prints now and then how much is labeled and what it has cost."""
    begun = printed = time.monotonic()
    questions = "0"

    def listen(progress: framesift.Progress) -> None:
        nonlocal printed, questions
        if progress.stage == "label":
            questions = f"{progress.done:.0f} of {progress.total or 0:.0f}"
        if time.monotonic() - printed >= EVERY_SECONDS:
            printed = time.monotonic()
            cost = f"; {costs()}" if costs() else ""
            terminal.line(
                f"...       {questions} questions in {printed - begun:.0f} s{cost}", err=True
            )

    return listen


def _complain_of_rest(done: Labeled) -> None:
    """Raises where questions are left that the next run may label."""
    again = "run the same command again"
    if done.unreadable:
        name, reason = next(iter(done.unreadable.items()))
        raise DecodeError(
            f"{len(done.unreadable)} videos could not be read, such as {name} ({reason}); mend "
            f"them and {again}"
        )
    if done.unlabeled:
        name, reason = next(iter(done.unlabeled.items()))
        raise ReplyError(
            f"{len(done.unlabeled)} questions have no labels, such as {name} ({reason}); {again}, "
            "or take another model"
        )
