"""`framesift.batch`: one task over many videos, which goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from framesift._version import __version__
from framesift.batching.dataset import VERSION, write_dataset
from framesift.batching.items import Item, items_of
from framesift.batching.local import Workers, work_locally
from framesift.batching.store import Store, row_name, store_of
from framesift.batching.tasks import Asked, Task, checked_task
from framesift.batching.work import OWN, Done, Work, read_row
from framesift.compression.compressor import VideoCompressor
from framesift.disk.writing import writing_to
from framesift.errors import FramesiftError, InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.registry import Part
from framesift.types.options import shown, whole

ABOUT: Final = "batch.json"
Engine = Callable[[Work, Sequence[Item], Store, Workers], Iterator[Done]]
"""Does the work on videos and tells of each as it ends."""
_SENT: Final = (str, int, float, Path, tuple, FetchLimits, SiteOptions, type(None))
"""Kinds of options that other processes can be given."""
OnDone = Callable[[Done, "BatchResult"], object]


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
    """Not begun, since `limit` bounds this run."""
    tokens_in: int = 0
    tokens_out: int = 0
    """Visual tokens before and after, of this run."""
    rows: int = 0
    """Of the dataset."""
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
        task: `compress`, `keyframes`, `segments` or `ask`.
        compressor: its options, with parts given as specs.
        question: about every video that has none of its own.
        count: keyframes of a video.
        seconds_each: seconds of a segment.
        max_side_px: longest side of pictures.
        workers: processes; as many as there are cores by default, one where a model answers.
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
    """
    task, sift = checked_task(task), compressor or VideoCompressor()
    asked = Asked(
        question=question,
        count=whole("count", count),
        seconds_each=seconds_each,
        max_side_px=max_side_px,
    )
    work = Work(task=task, options=_options(sift), asked=asked)
    items = items_of(where, allowed=OWN, limits=sift.limits, site=sift.site)
    _check(work, items)
    store, hands = store_of(out), _workers(sift, workers, timeout_seconds, memory_bytes)
    if dry_run:
        _claim(store, work, write=False)
        rest, result = _rest(store, items, retry_failed=retry_failed, write=False)
        result.left = len(rest) if limit is None else min(limit, len(rest))
        return result
    with _alone(store):
        _claim(store, work)
        rest, result = _rest(store, items, retry_failed=retry_failed)
        if limit is not None:
            result.left = max(0, len(rest) - limit)
            rest = rest[:limit]
        try:
            for each in (engine or work_locally)(work, rest, store, hands):
                _count(result, each)
                if on_done is not None:
                    on_done(each, result)
        finally:
            result.rows = write_dataset(store, task, items)
    return result


def _options(sift: VideoCompressor) -> dict[str, Any]:
    """Returns the options of a compressor that other processes can make it of."""
    options = {}
    for option in fields(sift):
        value = getattr(sift, option.name)
        if isinstance(value, Part):
            value = value.spec
        elif isinstance(value, list | tuple):
            value = tuple(each.spec if isinstance(each, Part) else each for each in value)
        if not isinstance(value, _SENT):
            raise InvalidOptionError(
                f"{option.name}={shown(value)} is made already, and workers are other processes; "
                "give its name or spec string"
            )
        options[option.name] = value
    return options


def _check(work: Work, items: Sequence[Item]) -> None:
    """Raises where options of a row are wrong, before any work; equal ones are read once."""
    seen = set()
    for item in items:
        key = json.dumps({**item.own, "question": None}, sort_keys=True, default=str)
        if key not in seen:
            seen.add(key)
            try:
                work.compressor(item.own)
            except FramesiftError as error:
                raise InvalidOptionError(f"video {item.id[:120]!r}: {error}") from error
        if work.task == "ask" and not work.of(item.own).question:
            raise InvalidOptionError(
                f"video {item.id[:120]!r} has no question; give one in a column `question`, or for "
                "all by question="
            )


def _workers(
    sift: VideoCompressor, count: int | None, seconds: float | None, memory_bytes: int | None
) -> Workers:
    cores = 1 if sift.vlm is not None else os.cpu_count() or 1
    count = cores if count is None else whole("workers", count)
    return Workers(count=count, seconds_each=seconds, memory_bytes=memory_bytes)


def _alone(store: Store) -> AbstractContextManager[None]:
    """Keeps other runs of this machine out of a folder.

    An object store has no lock; two runs there write equal rows, at twice the cost.
    """
    if "://" in store.place:
        return nullcontext()
    return writing_to(Path(store.place), wait_seconds=0)


def _claim(store: Store, work: Work, *, write: bool = True) -> None:
    """Writes what the batch is, or makes sure that it is the one that lies there.

    Raises:
        InvalidOptionError: another batch lies there; the line names what differs.
    """
    wanted = _about(work)
    content = store.read(ABOUT)
    if content is None:
        if write:
            store.write(ABOUT, json.dumps({**wanted, "framesift": __version__}, indent=2).encode())
        return
    try:
        there = json.loads(content)
        different = [name for name in wanted if there.get(name) != wanted[name]]
    except (ValueError, AttributeError):
        raise InvalidOptionError(
            f"{store.place} holds a {ABOUT} of another program; give another folder"
        ) from None
    if different:
        name = different[0]
        raise InvalidOptionError(
            f"{store.place} holds a batch with {name}={shown(there.get(name))}, not "
            f"{shown(wanted[name])}; give the same options, or another folder"
        )


def _about(work: Work) -> dict[str, Any]:
    """Returns everything that decides the results, JSON-safe."""
    told: dict[str, Any] = {"schema": VERSION, "task": work.task}
    for name, value in work.options.items():
        if name not in ("limits", "site", "text_folder"):
            value = list(value) if isinstance(value, tuple) else value
            told[name] = str(value) if isinstance(value, Path) else value
    return told | {each.name: getattr(work.asked, each.name) for each in fields(work.asked)}


def _rest(
    store: Store, items: Sequence[Item], *, retry_failed: bool, write: bool = True
) -> tuple[list[Item], BatchResult]:
    """Returns the videos to begin, and what earlier runs have finished."""
    result, rest = BatchResult(out=store.place, videos=len(items)), []
    names = set(store.names("rows"))
    for item in items:
        content = store.read(row_name(item.id)) if row_name(item.id) in names else None
        row = None if content is None else read_row(content)
        if row is not None and (row["video"], row["own"]) != (item.video, item.saved_own):
            raise InvalidOptionError(
                f"{store.place} has a result of {item.id[:120]!r} by another video or other options"
                " of its row; give it another id, or another folder"
            )
        if row is None or (retry_failed and row["status"] == "failed"):
            rest.append(item)
            if row is not None and write:
                store.remove(row_name(item.id))
            continue
        result.before += 1
        result.failed += row["status"] == "failed"
    return rest, result


def _count(result: BatchResult, each: Done) -> None:
    result.done += 1
    result.tokens_in += each.tokens_in
    result.tokens_out += each.tokens_out
    if each.status == "failed":
        result.failed += 1
        if len(result.errors) < 20:
            result.errors[each.id] = each.error or ""
