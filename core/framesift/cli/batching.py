"""`framesift batch`: one task over a whole library of videos."""

from __future__ import annotations

import importlib
import math
from dataclasses import asdict
from typing import Any, Final

import click
from tqdm import tqdm

import framesift
from framesift.cli import options, output, terminal
from framesift.errors import MissingDependencyError

FAILED: Final = 3
"""Exit code where some videos failed; their rows say why."""
INTERRUPTED: Final = 130
_UNITS: Final = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def _bytes(_: click.Context, __: click.Parameter, given: str | None) -> int | None:
    """Returns a size such as `4G` in bytes."""
    if given is None:
        return None
    number, unit = given.rstrip("bB").rstrip("i"), 1
    if number[-1:].upper() in _UNITS:
        number, unit = number[:-1], _UNITS[number[-1].upper()]
    try:
        size = float(number) * unit
    except ValueError:
        size = 0.0
    if not 1 <= size < math.inf:
        raise click.BadParameter(f"{given!r} is no size; give such as 4G or 500M")
    return int(size)


class _BatchCommand(click.Command):
    def invoke(self, ctx: click.Context) -> Any:
        if ctx.params["engine"] == "local" and not ctx.params["dry_run"]:
            from framesift.batching.starting import begin_ahead

            begin_ahead()  # options are read, and PyTorch loaded for that, meanwhile
        return super().invoke(ctx)


@click.command("batch", cls=_BatchCommand)
@click.argument("places", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "-o", "--out", required=True, help="Folder of the results, or such as s3://bucket/out."
)
@click.option(
    "--task",
    type=click.Choice(["compress", "keyframes", "segments", "ask", "label"]),
    default="compress",
    help="What is made of each video.",
)
@click.option("-q", "--question", help="About each video that has none of its own.")
@click.option("--count", type=click.IntRange(min=1), default=8, help="Keyframes of a video.")
@click.option(
    "--segment-seconds",
    "seconds_each",
    type=click.FloatRange(min=0, min_open=True),
    default=15.0,
    help="Seconds of a segment.",
)
@click.option(
    "--max-side", "max_side_px", type=click.IntRange(min=16), default=768, help="Of pictures."
)
@click.option(
    "--judge",
    type=click.Choice(["answer", "true-false"]),
    default="answer",
    help="What a frame is worth by itself; see framesift label.",
)
@click.option(
    "--temporal",
    type=click.Choice(["evidence", "captions", "none"]),
    default="evidence",
    help="Which frames matter among all; see framesift label.",
)
@click.option("--include-choices", is_flag=True, help="Show the judges the choices, too.")
@click.option(
    "--normalize",
    type=click.Choice(["none", "minmax"]),
    default="none",
    help="minmax stretches labels over 0 to 1.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    show_default="one for each core; here one where --vlm answers",
    help="Processes, each with one video at a time.",
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="Longest work on one video, in seconds.",
)
@click.option(
    "--max-memory", "memory_bytes", callback=_bytes, metavar="SIZE", help="Of a worker, such as 4G."
)
@click.option("--limit", type=click.IntRange(min=1), help="Most videos that this run begins.")
@click.option("--retry-failed", is_flag=True, help="Begin those anew that failed.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="ray needs `pip install framesift-ray`.",
)
@click.option("--address", help="Of a Ray cluster; one is started on this machine by default.")
@click.option(
    "--gpus-each", type=click.FloatRange(min=0), help="GPUs of each worker of a Ray cluster."
)
@options.as_json
@options.with_token_options
def batch(
    sift: framesift.VideoCompressor,
    places: tuple[str, ...],
    dry_run: bool,
    engine: str,
    address: str | None,
    gpus_each: float | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Compress, pick frames, split, ask or label over many videos; a run broken off goes on.

    INPUT is a folder, a pattern such as 'clips/*.mp4', a manifest, or a link to a playlist. A
    manifest is a file .txt with an address a line, or .jsonl, .csv or .parquet with a column
    `video`, and where wanted `id`, `question`, `keep`, `strategy`, `fps` and other options;
    to label, also `answer`, the right one, and `choices`.

    OUT gets a Parquet dataset in data/, and files that its rows name. The same command goes on
    where a run was ended, however that was. A video that fails is a row with its error; then the
    exit code is 3.
    """
    from framesift.batching.batch import BatchResult

    bar: tqdm[Any] | None = None
    finished = 0

    def on_done(done: Any, so_far: BatchResult) -> None:
        nonlocal bar, finished
        finished = so_far.done
        if bar is None:
            total = so_far.videos - so_far.before - so_far.left
            # None: nothing is drawn where nobody looks at a terminal.
            bar = tqdm(total=total, unit="video", disable=True if as_json else None)
        bar.set_postfix_str(_postfix(so_far), refresh=False)
        bar.update()
        if done.error is not None:
            bar.clear()
            terminal.line(f"failed    {done.id}: {done.error}", err=True)

    try:
        result = framesift.batch(
            list(places),
            compressor=sift,
            dry_run=dry_run,
            engine=_engine(engine, address, gpus_each),
            on_done=on_done,
            **given,
        )
    except KeyboardInterrupt:
        terminal.line(
            f"framesift: interrupted; the {finished} videos that this run has finished stay in "
            f"{given['out']}, and the same command goes on with the rest",
            err=True,
        )
        click.get_current_context().exit(INTERRUPTED)
    finally:
        if bar is not None:
            bar.close()
    _show(result, dry_run=dry_run, as_json=as_json)
    if result.failed:
        click.get_current_context().exit(FAILED)


def _engine(name: str, address: str | None, gpus_each: float | None) -> Any:
    if name == "local":
        if address is not None or gpus_each is not None:
            raise click.UsageError("--address and --gpus-each are of Ray; add --engine ray")
        return None
    try:
        return importlib.import_module("framesift_ray").engine(address, gpus_each=gpus_each or 0.0)
    except ModuleNotFoundError as error:
        if error.name != "framesift_ray":
            raise
        raise MissingDependencyError(
            "'framesift_ray' is not installed; run: pip install framesift-ray"
        ) from error


def _postfix(result: framesift.BatchResult) -> str:
    failed = f"{result.failed} failed" if result.failed else ""
    saved = f"{result.tokens_in - result.tokens_out:,} tokens saved" if result.tokens_in else ""
    return ", ".join(filter(None, [failed, saved]))


def _show(result: framesift.BatchResult, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        output.show_json(asdict(result))
        return
    finished = result.before + result.done
    terminal.line(f"videos    {result.videos:,}, of which {finished:,} are finished")
    if result.before:
        terminal.line(f"before    {result.before:,} by earlier runs")
    if result.left:
        terminal.line(f"left      {result.left:,}" + ("" if dry_run else ", by --limit"))
    for name in result.next:
        terminal.line(f"next      {name}")
    if result.failed:
        terminal.line(f"failed    {result.failed:,}; --retry-failed begins them anew")
    if result.tokens_in:
        kept = result.tokens_out / result.tokens_in
        terminal.line(f"tokens    {result.tokens_in:,} -> {result.tokens_out:,}  ({kept:.1%} kept)")
    if not dry_run:
        terminal.line(f"wrote     {result.out}/data  ({result.rows:,} rows)")
