"""The driver of a batch: joins or starts a cluster, hands videos to its actors, tells of each."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from framesift import __version__
from framesift.batching import (
    Done,
    Item,
    Work,
    Workers,
    failed,
    finished,
    forget,
    own_cores,
    store_of,
)
from framesift.errors import FramesiftError
from framesift_ray.rows import done_of, json_of

PORTION: Final = 10_000
"""Videos that are handed to Ray at once."""
MOST_EACH: Final = 8
"""Most videos of a block, which one actor does one after the other."""
SHARES: Final = 12
"""Blocks for each actor at least, so that all of them end at about the same time."""
TRIES: Final = 3
"""How often a video is begun whose actor is lost, with its machine or by the video's fault."""
REACH_SECONDS: Final = 10.0
LEAVE_SECONDS: Final = 30.0
"""How long leaving a cluster may take, one that was started here with all its processes."""
ENDED: Final = "WorkerEnded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a driver is to do."""

    work: Work
    place: str
    """Of the results, absolute."""
    workers: Workers
    folder: str
    """From which relative paths of videos go on."""
    address: str | None
    gpus_each: float
    version: str = __version__


def drive(pipe: Connection, job: Job) -> None:
    """Sends True when it has joined, each video that ends, and then None.

    A text or an error is sent where the work cannot go on. Ends with that process.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process ends the work, and says so
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _silence()
    import ray

    items: list[Item] = pipe.recv()
    leaving = threading.Event()
    threading.Thread(target=_end_with, args=(pipe, leaving), daemon=True).start()
    try:
        _join(job)
        pipe.send(True)
        for start in range(0, len(items), PORTION):
            for done in _ended(job, items[start : start + PORTION]):
                pipe.send(done)
        pipe.send(None)
    except FramesiftError as error:
        pipe.send(error)
    except Exception as error:  # Ray raises what its layers raise
        pipe.send(_line(job, error))
    finally:
        leaving.set()
        ray.shutdown()


def _silence() -> None:
    """Keeps what Ray writes, also below Python, out of the terminal; its folder has it in full."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def _end_with(pipe: Connection, leaving: threading.Event) -> None:
    """Ends this process when the other one has closed its end, by will or by its own end.

    Ray is left as far as time allows; what it started would take minutes to notice by itself.
    """
    with suppress(EOFError, OSError):
        pipe.recv()
    if not leaving.is_set():
        late = threading.Timer(LEAVE_SECONDS, os.kill, (os.getpid(), signal.SIGKILL))
        late.start()
        import ray

        ray.shutdown()
        os._exit(1)


def _line(job: Job, error: Exception) -> str:
    words = " ".join(str(error).split())[:300]
    if isinstance(error, _NotJoinedError):
        return not_joined(job, words)
    return gone_away(None, f"{type(error).__name__}: {words}")


def gone_away(left: int | None, words: str) -> str:
    """Returns the line that a cluster does not go on."""
    videos = "" if left is None else f" with {left} videos left"
    return (
        f"the Ray cluster ended the work{videos} ({words}); finished videos stay, and the same "
        "command goes on"
    )


def not_joined(job: Job, words: str) -> str:
    """Returns the line that there is no cluster."""
    if job.address is None:
        return f"no Ray cluster can be started on this machine ({words})"
    return (
        f"there is no Ray cluster at {job.address!r} ({words}); start it by `ray start --head`, or "
        "leave the address out for one on this machine"
    )


class _NotJoinedError(Exception):
    """There is no cluster at the address."""


def _join(job: Job) -> None:
    import ray

    if job.address is None:
        count = job.workers.count or own_cores()
        # Without `local`, Ray would join the last one that `ray start` began here, also a dead one.
        given: dict[str, Any] = {"address": "local", "num_cpus": count, "include_dashboard": False}
    else:
        given = {"address": job.address}
    try:
        _reach(job.address or "")
        ray.init(logging_level=logging.ERROR, log_to_driver=False, **given)
    except Exception as error:  # among them RuntimeError, ValueError, ConnectionError
        raise _NotJoinedError(str(error)) from error


def _reach(address: str) -> None:
    """Looks whether anything answers at `HOST:PORT`, where Ray would try for minutes.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()


def _ended(job: Job, items: Sequence[Item]) -> Iterator[Done]:
    """Yields each video as it ends; those of lost actors are begun anew when the rest has ended."""
    left = {item.id: item for item in items}
    for time in range(TRIES):
        for done in _worked(job, list(left.values()), alone=time > 0) if left else ():
            del left[done.id]
            yield done
    store = store_of(job.place)
    for item in left.values():
        line = (
            f"the actor that worked on it was lost, {TRIES} times, by a crash or because memory "
            "ran out on its machine; bound a worker by --max-memory, or give a part by #t=START,END"
        )
        ended = finished(store, item)
        if ended is None:
            forget(store, item.id)
            ended = failed(store, item, ENDED, line)
        yield ended


def _worked(job: Job, items: Sequence[Item], *, alone: bool) -> Iterator[Done]:
    """Yields each video that ends; those whose actors are lost are left out.

    Args:
        job: what is done.
        items: the videos.
        alone: whether an actor has no more than one at a time, so that its end costs no other one a
            try. Else it has a few, since Ray takes about as long over a block of rows as the work
            on a short video; what it has finished stays finished.
    """
    import ray
    import ray.data

    from framesift_ray.actor import Videos

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1
    rows = [{"item": json_of(item)} for item in items]
    count = _count(job)
    each = 1 if alone else max(1, min(MOST_EACH, len(rows) // (SHARES * count)))
    blocks = -(-len(rows) // each)
    ended = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
        Videos,
        fn_constructor_kwargs={"job": job},
        batch_size=each,
        num_cpus=1,
        num_gpus=job.gpus_each,
        compute=ray.data.ActorPoolStrategy(
            min_size=1,
            max_size=count,
            initial_size=count,
            max_tasks_in_flight_per_actor=1 if alone else 2,  # the next waits there
        ),
        # A video would wait for its own actor to begin anew, which has no room when a node is lost.
        max_restarts=-1,
        max_task_retries=0,
    )
    tables: Any = ended.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow")
    for table in tables:
        yield from map(done_of, table.to_pylist())


def _count(job: Job) -> int:
    """Returns how many actors work at once: as many as the cluster has room for, or fewer."""
    import ray

    there: dict[str, float] = dict(ray.cluster_resources())
    room = int(there.get("CPU", 1))
    if job.gpus_each:
        room = min(room, int(there.get("GPU", 0) / job.gpus_each))
    if room < 1:
        raise RuntimeError(
            f"it has {there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs, and each "
            f"worker takes 1 and {job.gpus_each:g}"
        )
    return min(room, job.workers.count or room)
