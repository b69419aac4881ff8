"""How worker processes start: as forks of one process that has loaded what all of them need.

Loading PyTorch takes two seconds of a core in each process that begins anew; a fork that has it
begins within milliseconds, also where a worker is replaced. The process that is forked runs no
threads of its own, touches no GPU, and ends with the one that began it, or behind its last worker.
Elsewhere than on Linux each worker begins anew.
"""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Lock
from types import ModuleType
from typing import Any, Final

from framesift.errors import FramesiftError

WRITTEN: Final = frozenset({"LD_LIBRARY_PATH", "TORCHINDUCTOR_CACHE_DIR"})
"""Variables that OpenCV and PyTorch write themselves once they are loaded."""
LONGEST_ADDRESS_BYTES: Final = 107
"""Of a socket with a name, on Linux."""
_lock: Final = Lock()
_server: _Server | None = None
_life: tuple[int, int] | None = None
"""In the process that is forked, and in its workers: a pipe that it alone keeps open."""


class WorkersError(FramesiftError, RuntimeError):
    """Worker processes cannot be started, or end before they have begun a video."""


def begin_ahead() -> None:
    """Lets the process begin that workers are forks of, beside whatever is done until then.

    One that began in another environment than there is now is replaced.

    Raises:
        WorkersError: this process can have none.
    """
    if multiprocessing.current_process().daemon:
        raise WorkersError(
            "a batch works in processes, and a daemonic process, as those of multiprocessing.Pool "
            "are, may begin none; call it in a process of concurrent.futures.ProcessPoolExecutor"
        )
    if sys.platform == "linux":
        with telling():
            _running(anew=True)


@contextmanager
def telling() -> Iterator[None]:
    """Says in one line why no worker can be started.

    Raises:
        WorkersError: none can.
    """
    try:
        yield
    except (OSError, BrokenProcessPool) as error:  # the second, of pebble, says nothing itself
        reason = error if isinstance(error, OSError) else error.__cause__ or error
        raise WorkersError(f"worker processes cannot be started: {reason}") from error


@contextmanager
def _without_main() -> Iterator[None]:
    """Keeps a process that begins from running the script of this one again.

    Nothing of it is needed here, and one that calls `framesift.batch` outside of
    `if __name__ == "__main__":` would begin a batch in each worker.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _held_ctrl_c() -> Iterator[None]:
    """Keeps Ctrl-C from a process that begins, which would print a trace until it can ignore it."""
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # which would let Ctrl-C through where it begins itself
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _reachable(address: str) -> Iterator[str]:
    """Yields a name of a socket that is short enough, however long the folder's is."""
    if len(os.fsencode(address)) <= LONGEST_ADDRESS_BYTES:
        yield address
        return
    folder, name = os.path.split(address)
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{handle}/{name}"
    finally:
        os.close(handle)


class _Spawned(SpawnProcess):
    """A process that begins anew."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802  # the name that multiprocessing calls
        with _without_main():
            return SpawnProcess._Popen(process_obj)


class _Server:
    """A process that forks when it is asked to, by the protocol of multiprocessing's own one.

    It is none of those that `multiprocessing` keeps: what a program loads there is its own matter.
    """

    def __init__(self) -> None:
        self.environment: Final = _environment()
        self._parent: Final = os.getpid()
        # In a folder that only this user can enter.
        self._address: Final = connection.arbitrary_address("AF_UNIX")  # type: ignore[attr-defined]
        ends, self._alive = multiprocessing.Pipe(duplex=False)
        with ends, socket.socket(socket.AF_UNIX) as listener:
            with _reachable(self._address) as short:
                listener.bind(short)
            listener.listen()
            asked = connection.Connection(os.dup(listener.fileno()))  # which can be sent
            with asked:
                self._process: Final = _Spawned(target=_serve, args=(asked, ends), daemon=True)
                with _held_ctrl_c():
                    self._process.start()

    def serves(self) -> bool:
        """Returns whether this process can ask it."""
        return self._parent == os.getpid() and self._process.is_alive()

    def fork(self, given: list[int]) -> tuple[int, int]:
        """Returns what tells of a new process, and what it reads; `given` are handles for it.

        Raises:
            OSError: the process is gone.
        """
        from multiprocessing import reduction, resource_tracker

        told, tells = os.pipe()
        reads, written = os.pipe()
        try:
            with socket.socket(socket.AF_UNIX) as client:
                with _reachable(self._address) as short:
                    client.connect(short)
                tracker: Any = resource_tracker.getfd()
                own = [reads, tells, self._alive.fileno(), tracker]
                reduction.sendfds(client, [*own, *given])
        except BaseException:
            os.close(told)
            os.close(written)
            raise
        finally:
            os.close(tells)
            os.close(reads)
        return told, written


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in WRITTEN}


def _running(*, anew: bool = False) -> _Server:
    """Returns the process that is forked; it may still be loading."""
    global _server
    with _lock:
        stays = _server is not None and _server.serves()
        if _server is None or not stays or (anew and _server.environment != _environment()):
            _server = _Server()
        return _server


def ends_of_parents() -> list[Any]:
    """Returns what can be read, in a worker, when one of the processes above it has ended."""
    parent = multiprocessing.parent_process()
    found: list[Any] = [] if parent is None else [parent.sentinel]
    if _life is not None:  # one that was forked tells nobody of its end without the one above
        reads, held = _life
        os.close(held)
        found.append(reads)
    return found


def _serve(asked: connection.Connection, ends: connection.Connection) -> None:
    """Loads what workers need, and forks until nobody is left who could ask."""
    global _life
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with the process that began it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # what workers start gets it
    with suppress(Exception):  # a worker meets the same, and tells of it
        _load()
    _life = os.pipe()
    gc.collect()
    gc.freeze()  # else each worker would go through all of it again
    from multiprocessing import forkserver

    forkserver.main(os.dup(asked.fileno()), ends.fileno(), [])


def _load() -> None:
    import cv2  # noqa: F401
    import torch  # noqa: F401

    from framesift.batching import work  # noqa: F401
    from framesift.compression.compressor import VideoCompressor
    from framesift.sources import registry

    VideoCompressor()  # the parts that are taken by default
    registry.parts()


if sys.platform == "linux":
    from multiprocessing import forkserver, popen_forkserver, reduction, spawn, util
    from multiprocessing.context import set_spawning_popen

    class _Forked(popen_forkserver.Popen):
        """A worker that the process above has forked."""

        _fds: list[int]

        def _launch(self, process_obj: Any) -> None:
            message = io.BytesIO()
            set_spawning_popen(self)
            try:
                with _without_main():
                    about = spawn.get_preparation_data(process_obj.name)
                reduction.dump(about, message)
                reduction.dump(process_obj, message)
            finally:
                set_spawning_popen(None)
            self.sentinel, written = _running().fork(self._fds)
            # The other end of what a worker reads tells it of this process for as long as it lives.
            self.finalizer = util.Finalize(self, _close, (os.dup(written), self.sentinel))
            with os.fdopen(written, "wb") as pipe:
                pipe.write(message.getbuffer())
            self.pid = forkserver.read_signed(self.sentinel)

    class _Worker(SpawnProcess):
        @staticmethod
        def _Popen(process_obj: Any) -> Any:  # noqa: N802  # as above
            return _Forked(process_obj)

else:
    _Worker = _Spawned


def _close(*handles: int) -> None:
    for handle in handles:
        os.close(handle)


class WorkerContext(SpawnContext):
    """Makes processes as above, for whatever takes a context of `multiprocessing`."""

    Process = _Worker
