"""Who uses the weights of a model: one thread at a time, and one copy of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, RLock, local
from time import monotonic
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from framesift.errors import ModelError
from framesift.progress import tell

STEP_SECONDS: Final = 0.05
"""How soon somebody who waits for a model notices that he need not wait any more."""
FILES: Final = ("*.json", "*.safetensors")
"""What decides the weights of a folder."""

_here: Final = local()
_guard: Final = Lock()
_in_use: Final[WeakKeyDictionary[Any, Any]] = WeakKeyDictionary()
_loaded: Final[WeakValueDictionary[Hashable, Any]] = WeakValueDictionary()
_loading: Final[WeakValueDictionary[Hashable, Any]] = WeakValueDictionary()


@contextmanager
def alone_with(
    model: Any, cancelled: Event | None = None, *, whatever_happens: bool = False
) -> Iterator[None]:
    """Keeps other threads from a loaded model; a thread may nest it.

    Who waits tells progress, so that a time limit holds and a listener may end the wait.

    Args:
        model: of torch; whoever runs it comes here first.
        cancelled: ends the wait, once it is set.
        whatever_happens: whether nothing may end the wait, as where something is put back.

    Raises:
        ModelError: `cancelled` was set before the model was free.
    """
    with _guard:
        lock = _in_use.setdefault(model, RLock())
    if whatever_happens:
        lock.acquire()
    else:
        _wait(lock, cancelled)
    _here.models = is_user() + 1
    try:
        yield
    finally:
        _here.models -= 1
        lock.release()


def is_user() -> int:
    """Returns how many times this thread is within `alone_with` now."""
    models: int = getattr(_here, "models", 0)
    return models


def _wait(lock: Any, cancelled: Event | None) -> None:
    start = monotonic()
    while not lock.acquire(timeout=STEP_SECONDS):
        if cancelled is not None and cancelled.is_set():
            raise ModelError("the answer was cancelled while another one used the model")
        tell("wait", monotonic() - start, None, "s")


def loaded_once(key: Hashable, load: Callable[[], Any]) -> Any:
    """Returns what `load` gives, or what it gave before for this key while somebody holds it.

    Threads that come at the same time wait for one load; one that fails is tried again by the next.
    """
    with _guard:
        lock = _loading.setdefault(key, RLock())
    with lock:
        found = _loaded.get(key)
        if found is None:
            found = _loaded[key] = load()
        return found


def state_of(model: str) -> Hashable:
    """Returns what changes when somebody writes other weights to a checkpoint's folder.

    Args:
        model: hub id or local folder; a hub id is its own state.
    """
    folder = Path(model)
    if not folder.is_dir():
        return model
    files = sorted(path for pattern in FILES for path in folder.glob(pattern))
    stats = ((path.name, path.stat()) for path in files)
    return str(folder.resolve()), *((name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in stats)
