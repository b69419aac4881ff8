"""The run of a batch: options are checked, what is left is found, and done by an engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from framesift.batching.batch import TOLD, BatchResult, OnDone
from framesift.batching.claim import alone, claim
from framesift.batching.dataset import write_dataset
from framesift.batching.items import Item, items_of
from framesift.batching.local import Workers, work_locally
from framesift.batching.store import STRETCHES, Store, row_name, store_of
from framesift.batching.tasks import ASKING, Asked, Task, question_of
from framesift.batching.work import OWN, Done, Work, read_row
from framesift.compression.compressor import VideoCompressor
from framesift.errors import FramesiftError, InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.registry import Part
from framesift.types.options import number, shown, whole

Engine = Callable[[Work, Sequence[Item], Store, Workers], Iterator[Done]]
"""Does the work on videos and tells of each as it ends."""
_SENT: Final = (str, int, float, Path, tuple, FetchLimits, SiteOptions, type(None))
"""Kinds of options that other processes can be given."""


def run(
    where: str | Path | Sequence[str | Path],
    out: str | Path,
    task: Task,
    compressor: VideoCompressor | None,
    *,
    asked: Mapping[str, Any],
    workers: tuple[int | None, float | None, int | None],
    limit: int | None,
    retry_failed: bool,
    dry_run: bool,
    engine: Engine | None,
    on_done: OnDone | None,
) -> BatchResult:
    """Returns how a task over many videos ended; `framesift.batch` says what it takes."""
    sift = compressor or VideoCompressor()
    work = Work(task=task, options=_options(sift), asked=Asked(**asked))
    items = items_of(where, allowed=OWN, limits=sift.limits, site=sift.site)
    _check(work, items, limit)
    sift.unload()  # weights here would take the room on a GPU of those of the workers
    store, hands = store_of(out), _workers(*workers)
    with nullcontext() if dry_run else alone(store):
        claim(store, work, write=not dry_run)
        rest, result = _rest(store, items, limit, retry_failed=retry_failed, write=not dry_run)
        if dry_run:
            return result
        try:
            for each in (engine or work_locally)(work, rest, store, hands):
                _count(result, each, on_done)
            _tidy(store, result)
        finally:
            result.rows = write_dataset(store, task, items)
    return result


def _workers(count: int | None, seconds: float | None, memory_bytes: int | None) -> Workers:
    count = None if count is None else whole("workers", count)
    if memory_bytes is not None:
        memory_bytes = whole("memory_bytes", memory_bytes)
    if seconds is not None:
        seconds = number("timeout_seconds", seconds, low=0.001, high=1e9, unit="seconds")
    return Workers(count=count, seconds_each=seconds, memory_bytes=memory_bytes)


def _options(sift: VideoCompressor) -> dict[str, Any]:
    """Returns the options of a compressor that other processes can make it of."""
    options = {}
    for option in fields(sift):
        value = getattr(sift, option.name)
        if option.name == "text" and isinstance(value, str | Part):
            value = (value,)  # one reader is told as several are
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


def _check(work: Work, items: Sequence[Item], limit: int | None) -> None:
    """Raises where options are wrong, also of a row, before any work; equal ones are read once."""
    if limit is not None:
        whole("limit", limit)
    asking, seen = work.task in ASKING, set()
    for item in items:
        key = json.dumps(work.own_options(item.own), sort_keys=True, default=str)
        try:
            asked = work.of(item.own)
            if key not in seen:
                seen.add(key)
                made = work.compressor(item.own)
                _ = made.answering_vlm if asking else None  # refused here where it cannot answer
            if work.task == "label":
                question_of(asked, item.video, 1.0)
        except FramesiftError as error:
            raise InvalidOptionError(f"video {item.id[:120]!r}: {error}") from error


def _rest(
    store: Store,
    items: Sequence[Item],
    limit: int | None,
    *,
    retry_failed: bool,
    write: bool = True,
) -> tuple[list[Item], BatchResult]:
    """Returns the videos to begin, and what earlier runs have finished."""
    result, rest, again = BatchResult(out=store.place, videos=len(items)), list[Item](), set[str]()
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
            again |= set() if row is None else {item.id}
            continue
        result.before += 1
        result.failed += row["status"] == "failed"
    begun = rest if limit is None else rest[:limit]
    result.left = len(rest) - len(begun)
    if not write:
        result.next = [item.id for item in begun[:TOLD]]
        result.left = len(rest)
    elif again:  # what this run does not come to keeps its error
        for item in begun:
            if item.id in again:
                store.remove(row_name(item.id))
    return begun, result


def _tidy(store: Store, result: BatchResult) -> None:
    """Removes what is left of stretches, unless videos that are not begun may need them."""
    if not result.left:
        store.clear(STRETCHES)


def _count(result: BatchResult, each: Done, on_done: OnDone | None) -> None:
    result.done += 1
    result.tokens_in += each.tokens_in
    result.tokens_out += each.tokens_out
    if each.status == "failed":
        result.failed += 1
        if len(result.errors) < TOLD:
            result.errors[each.id] = each.error or ""
    if on_done is not None:
        on_done(each, result)
