"""`framesift.batch`: one task over many videos, which goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from framesift.batching.starting import begin_ahead

if TYPE_CHECKING:
    from framesift.batching.running import Engine
    from framesift.batching.tasks import Task
    from framesift.batching.work import Done
    from framesift.compression.compressor import VideoCompressor
    from framesift.training.frame_selector.label_file import Judge, Normalization, TemporalJudge

TOLD: Final = 20
"""Most ids and errors that a result holds; the dataset has all."""
OnDone = Callable[["Done", "BatchResult"], object]


@dataclass(slots=True, kw_only=True)
class BatchResult:
    """How far a batch has come."""

    out: str
    videos: int
    """All that the input names."""
    before: int = 0
    """Of them, finished by earlier runs."""
    done: int = 0
    """Finished by this run."""
    failed: int = 0
    """Of all, those whose row is an error."""
    left: int = 0
    """Not begun: since `limit` bounds this run, or it is a dry one."""
    tokens_in: int = 0
    tokens_out: int = 0
    """Visual tokens before and after, of this run."""
    rows: int = 0
    """Of the dataset."""
    next: list[str] = field(default_factory=list)
    """The first that a run would begin, by id, where it is a dry one."""
    errors: dict[str, str] = field(default_factory=dict)
    """The first errors of this run, by id."""


def batch(
    where: str | Path | Sequence[str | Path],
    out: str | Path,
    task: Task = "compress",
    *,
    compressor: VideoCompressor | None = None,
    question: str | None = None,
    count: int = 8,
    seconds_each: float = 15.0,
    max_side_px: int | None = 768,
    judge: Judge = "answer",
    temporal: TemporalJudge = "evidence",
    include_choices: bool = False,
    normalize: Normalization = "none",
    workers: int | None = None,
    timeout_seconds: float | None = None,
    memory_bytes: int | None = None,
    limit: int | None = None,
    retry_failed: bool = False,
    dry_run: bool = False,
    engine: Engine | None = None,
    on_done: OnDone | None = None,
) -> BatchResult:
    """Returns how a task over many videos ended; the results lie in a folder.

    A run that was ended in whatever way goes on by the same call: finished videos are not begun
    again, and nothing half-written remains. A video that cannot be read is a row with its error.

    Args:
        where: a folder, a pattern, a manifest (`.txt`, `.jsonl`, `.csv`, `.parquet`), a playlist.
        out: a folder, or a place of an object store such as `s3://bucket/out`.
        task: `compress`, `keyframes`, `segments`, `ask` or `label`.
        compressor: its options, with parts given as specs.
        question: about every video that has none of its own.
        count: keyframes of a video.
        seconds_each: seconds of a segment.
        max_side_px: longest side of pictures.
        judge: for `label`, what a frame is worth by itself: the probability of the right answer
            from it alone, or of True where the model says whether it helps.
        temporal: for `label`, which frames matter among all: those that the attention of the right
            answer points at, those that the model names by captions, or not asked.
        include_choices: for `label`, whether the judges see the answers to choose from.
        normalize: for `label`, `minmax` stretches the labels of a video over 0 to 1.
        workers: processes; None for one where a model answers here, else for each core one.
        timeout_seconds: longest work on one video.
        memory_bytes: most memory of one worker.
        limit: most videos that this run begins.
        retry_failed: begin those anew whose row is an error.
        dry_run: count what would be begun, and write nothing.
        engine: what does the work; None for worker processes of this machine.
        on_done: called with each video that ends.

    Raises:
        InvalidOptionError: an option or a row is wrong, or `out` holds another batch.
        SourceError: the input is not there.
        StorageError: results cannot be written, or another run writes there.
        WorkersError: no worker can be started.
    """
    if engine is None and not dry_run:
        begin_ahead()  # workers load PyTorch while this process does
    from framesift.batching.running import run

    return run(
        where,
        out,
        task,
        compressor,
        asked={
            "question": question,
            "count": count,
            "seconds_each": seconds_each,
            "max_side_px": max_side_px,
            "judge": judge,
            "temporal": temporal,
            "include_choices": include_choices,
            "normalize": normalize,
        },
        workers=(workers, timeout_seconds, memory_bytes),
        limit=limit,
        retry_failed=retry_failed,
        dry_run=dry_run,
        engine=engine,
        on_done=on_done,
    )
