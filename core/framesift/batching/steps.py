"""In which order the work of a batch is done, where some videos wait for their stretches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from framesift.batching.items import Item
from framesift.batching.stretches import Missing
from framesift.batching.work import Done


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """What one worker does at a time: a video, or one stretch of it."""

    item: Item
    name: str | None = None
    """Of the stretch; None for the work that ends with a row."""
    tries: int = 1
    """How often it has been begun, this time included."""


class Steps:
    """The steps that nobody has begun yet.

    Stretches come first, and behind the last of them their video again; others keep their order.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        """Takes the videos."""
        self._waiting = deque(Step(item=item) for item in items)
        self._left: dict[str, int] = {}
        """Stretches of each video that is waiting for some."""
        self._ended: set[str] = set()
        """Videos that ended before all of their stretches."""

    def next(self) -> Step | None:
        """Returns the step to begin, None where there is none now."""
        while self._waiting:
            step = self._waiting.popleft()
            if step.item.id not in self._ended:
                return step
        return None

    def again(self, step: Step) -> None:
        """Takes a step back whose process ended."""
        self._waiting.append(Step(item=step.item, name=step.name, tries=step.tries + 1))

    def ended(self, step: Step, how: Done | Missing) -> Done | None:
        """Returns how a video ended; None where there is more to do, or it had ended before."""
        item = step.item
        if item.id in self._ended:
            return None
        if isinstance(how, Done):
            if self._left.pop(item.id, 0):
                self._ended.add(item.id)
            return how
        if step.name is None:
            self._left[item.id] = len(how.names)
            self._waiting.extendleft(Step(item=item, name=name) for name in reversed(how.names))
            return None
        self._left[item.id] -= 1
        if not self._left[item.id]:
            self._waiting.appendleft(Step(item=item))
        return None
