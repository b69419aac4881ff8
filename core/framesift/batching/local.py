"""A batch on one machine: worker processes, each with one video at a time.

A video that ends its process (a crash of a library, memory that runs out) or takes too long ends
nothing but itself: the process is replaced, and after a second try its row says what happened.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import connection
from pathlib import Path
from threading import RLock, Thread
from types import TracebackType
from typing import Any, Final, Self

from framesift.batching.cores import own_cores
from framesift.batching.items import Item
from framesift.batching.starting import (
    WorkerContext,
    WorkersError,
    ends_of_parents,
    telling,
)
from framesift.batching.steps import Step, Steps
from framesift.batching.store import Store, row_name, store_of
from framesift.batching.stretches import Missing, forget, work_on_part
from framesift.batching.work import Done, Work, failed, finished
from framesift.errors import InvalidOptionError
from framesift.registry import require

TRIES: Final = 2
"""How often a video is begun whose process ends; the first end may be the fault of another."""
VIDEOS_EACH: Final = 500
"""Videos after which a worker is replaced, so that what libraries leak goes with it."""
ENDED: Final = "WorkerEnded"
TOO_LONG: Final = "TimeLimitError"
_ours: dict[str, Any] = {}
"""In a worker: what it was started with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """How many processes work, and what each video may take."""

    count: int | None = None
    """None for as many as the engine has cores for; on one machine one where a model answers."""
    seconds_each: float | None = None
    """Longest work on one video; None for no bound."""
    memory_bytes: int | None = None
    """Most memory of one worker; None for no bound."""
    threads: int | None = None
    """Of each worker; None for its share of this machine's cores."""


def work_locally(
    work: Work, items: Sequence[Item], store: Store, workers: Workers
) -> Iterator[Done]:
    """Yields each video as it ends, in whatever order.

    Raises:
        ResultError: a result cannot be written; what was finished stays.
        WorkersError: no worker can be started.
        MissingDependencyError: pebble is not installed.
    """
    if workers.count is None:
        own = 1 if work.options.get("vlm") is not None else own_cores()
        workers = replace(workers, count=own)
    with Pool(work, store, workers) as pool:
        yield from pool.run(items)


class Pool:
    """Worker processes, within a `with` block."""

    def __init__(self, work: Work, store: Store, workers: Workers) -> None:
        """Takes what is done, where results lie, and who works.

        Raises:
            MissingDependencyError: pebble is not installed.
        """
        pebble = require("pebble", extra="batch")
        self._ended = require("pebble.common", extra="batch").ProcessExpired
        self._store, self._workers, self._count = store, workers, workers.count or 1
        self._pool = pebble.ProcessPool(
            max_workers=self._count,
            max_tasks=VIDEOS_EACH,
            initializer=_begin,
            initargs=(work, store.place, workers),
            context=WorkerContext(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.close() if kind is None else self._pool.stop()
        self._pool.join()

    def run(self, items: Iterable[Item]) -> Iterator[Done]:
        """Yields each video as it ends, in whatever order.

        Raises:
            ResultError: a result cannot be written.
            WorkersError: no worker can be started.
            InvalidOptionError: the bound of memory is less than a worker takes by itself.
        """
        steps, running = Steps(items), dict[Any, Step]()
        while True:
            # Few lie in the pool, so that a stop does not wait for what has not begun.
            while len(running) < 2 * self._count and (step := steps.next()):
                given = [step.item, step.name]
                with telling():
                    future = self._pool.schedule(_one, given, timeout=self._workers.seconds_each)
                running[future] = step
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                step = running.pop(future)
                how = self._ended_as(future, step)
                if how is None:
                    steps.again(step)
                elif done := steps.ended(step, how):
                    yield done

    def _ended_as(self, future: Any, step: Step) -> Done | Missing | None:
        """Returns how a step ended; None where it is to be begun again."""
        item = step.item
        try:
            how: Done | Missing = future.result()
        except TimeoutError:
            kind, bound = TOO_LONG, self._workers.seconds_each
            line = (
                f"it took longer than {bound:g} s; raise --timeout, or give a part by #t=START,END"
            )
        except self._ended as error:
            kind, line = ENDED, _end_words(error.exitcode)
            if step.tries < TRIES and not self._store.has(row_name(item.id)):
                return None
        except BrokenProcessPool as error:
            raise WorkersError(
                "worker processes were ended before they began a video, as a system does that runs "
                "out of memory; take fewer by --workers, and the same command goes on"
            ) from error
        else:
            return how
        if done := finished(self._store, item):  # its process ended after the last step
            return done
        forget(self._store, item.id)
        return failed(self._store, item, kind, line)


def _end_words(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        because = "; the system ends what takes too much memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}, {TRIES} times{because}"
    return f"its process ended with code {code}, {TRIES} times"


def _begin(work: Work, place: str, workers: Workers) -> None:
    """Prepares a worker: its end, its share of the cores, its bound of memory, its store."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the work, and says so
    if sys.platform != "win32":
        os.setpgid(0, 0)  # what it starts is of its group, and ends with it
        signal.signal(signal.SIGTERM, _end)
    Thread(target=_end_with, args=(ends_of_parents(),), daemon=True).start()
    import cv2
    import torch
    from tqdm import tqdm

    tqdm.set_lock(RLock())  # its own is a semaphore of the system, which a killed process leaves
    threads = workers.threads or max(1, own_cores() // (workers.count or 1))
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    _ours.update(work=work, store=store_of(place), refused=_bounded(workers.memory_bytes))


def _end(*_: object) -> None:
    """Ends this worker and what it has started, at once."""
    if sys.platform != "win32":
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _end_with(parents: list[Any]) -> None:
    """A worker whose parent was killed would work on, beside those of the next run."""
    if parents:
        connection.wait(parents)
        _end()


def _bounded(memory_bytes: int | None) -> str | None:
    """Bounds the memory of this process; returns why not, where it takes more already."""
    if memory_bytes is None or sys.platform == "win32":
        return None
    import resource

    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    taken = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))
    if taken >= memory_bytes:
        return (
            f"--max-memory {memory_bytes / 2**20:.0f}M is less than the {taken / 2**20:.0f}M that "
            "a worker takes before it opens a video; give more"
        )
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    return None


def _one(item: Item, name: str | None) -> Done | Missing:
    if _ours["refused"] is not None:
        raise InvalidOptionError(_ours["refused"])
    return work_on_part(_ours["work"], item, _ours["store"], name)
