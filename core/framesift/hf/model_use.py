"""The use of a model's weights: one thread at a time, loaded once, one copy in memory."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, RLock, local
from time import monotonic
from typing import Any, Final, Generic, TypeVar, cast
from weakref import WeakKeyDictionary, WeakValueDictionary

from framesift.errors import ModelError
from framesift.run import report_progress

Made = TypeVar("Made")

STEP_SECONDS: Final = 0.05
"""How often a thread that waits for a model looks whether its wait was cancelled."""
FILES: Final = ("*.json", "*.safetensors", "model.bin")
"""The files of a checkpoint's folder that decide its weights."""

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

    A thread that waits reports progress, so that a time limit holds and a listener may end the
    wait.

    Args:
        model: of torch; all code that runs it enters here first.
        cancelled: ends the wait, once it is set.
        whatever_happens: whether nothing may end the wait, as where hooks are taken off again.

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
        report_progress("wait", monotonic() - start, None, "s")


def loaded_once(key: Hashable, load: Callable[[], Any]) -> Any:
    """Returns what `load` returns, or returned before for this key while it is still referenced.

    Threads that come at the same time wait for one load; one that fails is tried again by the next.
    """
    with _guard:
        lock = _loading.setdefault(key, RLock())
    with lock:
        value = _loaded.get(key)
        if value is None:
            value = _loaded[key] = load()
        return value


class Once(Generic[Made]):
    """A value that is made when it is first needed, once, however many threads need it then.

    A first try that fails is made again by the next call.
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make: Final = make
        self._key: Final = object()
        self._value: Made | None = None

    @classmethod
    def made(cls, value: Made) -> Once[Made]:
        """Returns one whose value is there already."""
        once = cls(lambda: value)
        once._value = value
        return once

    def __call__(self) -> Made:
        """Returns the value."""
        if self._value is None:
            self._value = cast("Made", loaded_once(self._key, self._make))
        return self._value


def state_of(model: str) -> Hashable:
    """Returns a key that changes when other weights are written to a checkpoint's folder.

    Args:
        model: hub id or local folder; a hub id is its own state.
    """
    folder = Path(model)
    if not folder.is_dir():
        return model
    files = sorted(path for pattern in FILES for path in folder.glob(pattern))
    stats = ((path.name, path.stat()) for path in files)
    return str(folder.resolve()), *((name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in stats)
