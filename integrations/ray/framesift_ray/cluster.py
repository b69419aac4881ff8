"""The engine of `framesift batch --engine ray`: a driver of Ray in a process of its own.

Ray ends the process of a driver whose cluster has gone, and starts processes that end with it. So
the driver is not the process of whoever calls: what happens to it is one line here.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from framesift.batching import Done, Engine, Item, Store, Work, Workers, finished, store_of
from framesift.errors import FramesiftError, InvalidOptionError, MissingDependencyError, ModelError
from framesift_ray.driver import Job, drive, gone_away, not_joined

END_SECONDS: Final = 40.0
"""How long a driver may take to leave its cluster."""


class ClusterError(ModelError):
    """A cluster cannot be reached, has gone away, or does not see the files."""


def engine(address: str | None = None, *, gpus_each: float = 0.0) -> Engine:
    """Returns the engine that does the work of a batch on a Ray cluster.

    Where `workers` is not given, each CPU of the cluster is a worker, or with `gpus_each` as many
    as its GPUs hold.

    Args:
        address: of the cluster, such as `head:6379` or `auto`; None takes the one that this process
            has joined or that `RAY_ADDRESS` names, or else starts one on this machine for the time
            of the batch.
        gpus_each: GPUs of each worker, such as 1 or 0.5, where a model on one makes the tokens.

    Raises:
        InvalidOptionError: `gpus_each` is negative.
        MissingDependencyError: Ray is not installed.
    """
    if not gpus_each >= 0:
        raise InvalidOptionError(f"gpus_each={gpus_each!r} must be 0 or more, such as 1 or 0.5")
    if find_spec("ray") is None:
        raise MissingDependencyError("'ray' is not installed; run: pip install 'ray[data]'")

    def work_on_cluster(
        work: Work, items: Sequence[Item], store: Store, workers: Workers
    ) -> Iterator[Done]:
        if items:
            # Processes elsewhere begin in folders of their own.
            place = store.place if "://" in store.place else str(Path(store.place).absolute())
            job = Job(
                work=work,
                place=place,
                workers=replace(workers, threads=1),
                folder=str(Path.cwd()),
                address=address or _joined() or os.environ.get("RAY_ADDRESS") or None,
                gpus_each=gpus_each,
            )
            yield from _reported(job, items)

    return work_on_cluster


def _joined() -> str | None:
    """Returns the address of the cluster that this process has joined; None where there is none."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return None
    return str(ray.get_runtime_context().gcs_address)


def _reported(job: Job, items: Sequence[Item]) -> Iterator[Done]:
    """Yields each video as the driver tells of it."""
    context, store = multiprocessing.get_context("spawn"), store_of(job.place)
    here, there = context.Pipe()
    # Not a daemon: those are refused children, and a driver may start a cluster.
    driver = context.Process(target=drive, args=(there, job), name="framesift-ray")
    with _uninterrupted():
        driver.start()
    there.close()
    left, joined = {item.id: item for item in items}, False
    try:
        here.send(list(items))
        while (told := here.recv()) is not None:
            if told is True:
                joined = True
                continue
            if isinstance(told, FramesiftError):
                raise told
            if isinstance(told, str):
                raise ClusterError(told)
            if finished(store, left.pop(told.id)) is None:
                raise ClusterError(
                    f"a worker wrote the results of {told.id[:120]!r} to {job.place} of its own "
                    "machine; give a folder that all machines share, or such as s3://bucket/out"
                )
            yield told
    except (EOFError, OSError) as error:
        if isinstance(error, FramesiftError):
            raise
        driver.join(END_SECONDS)
        words = f"its driver ended with code {driver.exitcode}"
        raise ClusterError(gone_away(len(left), words) if joined else not_joined(job, words)) from (
            error
        )
    finally:
        _end(driver, here)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keeps Ctrl-C, which a terminal sends to all, from what is started here until it takes it."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # its start lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(driver: SpawnProcess, here: Connection) -> None:
    """Ends a driver: it leaves its cluster, and one that it started ends with it."""
    here.close()  # which the driver sees
    driver.join(END_SECONDS)
    if driver.is_alive():
        driver.kill()
        driver.join()
