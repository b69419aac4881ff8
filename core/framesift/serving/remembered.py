"""What was made last, for objects of frameworks that are asked for the same again and again."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Any


class Remembered:
    """The results that were used last, by their keys; threads may share it.

    Copies and pickles begin empty, and what is remembered tells no two objects apart.
    """

    def __init__(self, most: int) -> None:
        """Takes how many results are held."""
        self._most = most
        self._held: dict[Hashable, Any] = {}
        self._lock = Lock()

    def get(self, key: Hashable) -> Any:
        """Returns the result of a key, None where it is not held."""
        with self._lock:
            result = self._held.pop(key, None)
            if result is not None:
                self._held[key] = result
            return result

    def keep(self, key: Hashable, result: Any) -> None:
        """Holds a result, and drops the one that was used longest ago where there are too many."""
        with self._lock:
            self._held[key] = result
            for oldest in list(self._held)[: -self._most]:
                del self._held[oldest]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remembered)

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Remembered:
        return Remembered(self._most)

    def __deepcopy__(self, memo: dict[int, Any]) -> Remembered:
        return Remembered(self._most)

    def __reduce__(self) -> tuple[type[Remembered], tuple[int]]:
        return Remembered, (self._most,)
