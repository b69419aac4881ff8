"""How long a large library takes on many machines, simulated from what each piece takes.

A video goes through stations in turn, such as decoding on cores and encoding on a GPU. A station
has workers, each with one video at a time, and room for a few videos in front of it; where that is
full, the station before waits, as Ray Data has it. What work needs of a resource is shared evenly
by all that need it at the moment, and no task uses more of it than it can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

ROOM: Final = 2
"""Videos that wait in front of a station, for each of its workers."""
_DONE: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a piece of work takes of one resource."""

    resource: str
    amount: float
    """Such as core-seconds, or bytes."""
    most: float = 1.0
    """What it can use of the resource at once, such as cores, or bytes a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Workers of one kind."""

    name: str
    workers: int
    start: tuple[Step, ...] = ()
    """What each does before its first video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a simulated library ended."""

    seconds: float
    busy: Mapping[str, float]
    """Share of each resource that was used, over all the time."""

    @property
    def bottleneck(self) -> str:
        """The resource that was used most."""
        return max(self.busy, key=lambda name: self.busy[name])


Video = Sequence[Sequence[Step]]
"""The steps of a video at each station."""


@dataclass(slots=True)
class _Worker:
    station: int
    steps: deque[Step]
    video: Video | None = None
    left: float = 0.0
    """Of the first of `steps`."""

    def begin(self, steps: Sequence[Step], video: Video | None) -> None:
        self.steps, self.video = deque(step for step in steps if step.amount > 0), video
        self.left = self.steps[0].amount if self.steps else 0.0

    def advance(self, amount: float) -> None:
        self.left -= amount
        if self.left <= _DONE * self.steps[0].amount:
            self.steps.popleft()
            self.left = self.steps[0].amount if self.steps else 0.0


@dataclass(slots=True)
class _Line:
    """The workers of all stations, and the videos that wait in front of each."""

    stations: Sequence[Station]
    waiting: list[deque[Video]]
    workers: list[_Worker] = field(default_factory=list)

    def hand_on(self) -> None:
        """Gives each worker that has nothing to do its next video, the last station first."""
        moved = True
        while moved:
            moved = False
            for worker in reversed(self.workers):
                if worker.steps:
                    continue
                place = worker.station
                if worker.video is not None and not self._taken(worker.video, place + 1):
                    continue  # it holds its video until there is room
                moved = moved or worker.video is not None
                worker.video = None
                if self.waiting[place]:
                    video = self.waiting[place].popleft()
                    worker.begin(video[place], video)
                    moved = True

    def _taken(self, video: Video, place: int) -> bool:
        if place == len(self.stations):
            return True
        if len(self.waiting[place]) >= ROOM * self.stations[place].workers:
            return False
        self.waiting[place].append(video)
        return True


def simulate(
    videos: Sequence[Video], stations: Sequence[Station], capacity: Mapping[str, float]
) -> Outcome:
    """Returns how long videos take that are begun in their order.

    Args:
        videos: steps at each station.
        stations: who works, in the order that videos pass through.
        capacity: of each resource, such as cores, or bytes a second.
    """
    line = _Line(stations, [deque(videos), *(deque[Video]() for _ in stations[1:])])
    for place, station in enumerate(stations):
        for _ in range(station.workers):
            line.workers.append(_Worker(place, deque()))
            line.workers[-1].begin(station.start, None)
    seconds, used = 0.0, dict.fromkeys(capacity, 0.0)
    while True:
        line.hand_on()
        active = [worker for worker in line.workers if worker.steps]
        if not active:
            break
        rates = _rates(active, capacity)
        passed = min(worker.left / rate for worker, rate in zip(active, rates, strict=True))
        seconds += passed
        for worker, rate in zip(active, rates, strict=True):
            used[worker.steps[0].resource] += rate * passed
            worker.advance(rate * passed)
    busy = {name: used[name] / (capacity[name] * seconds) if seconds else 0.0 for name in used}
    return Outcome(seconds=seconds, busy=busy)


def _rates(active: Sequence[_Worker], capacity: Mapping[str, float]) -> list[float]:
    """Returns what each worker gets of its resource: equal shares, none more than it can use."""
    rates, needs = [0.0] * len(active), {name: list[tuple[float, int]]() for name in capacity}
    for place, worker in enumerate(active):
        needs[worker.steps[0].resource].append((worker.steps[0].most, place))
    for name, wanted in needs.items():
        free = capacity[name]
        for before, (most, place) in enumerate(sorted(wanted)):
            rates[place] = min(most, free / (len(wanted) - before))
            free -= rates[place]
    return rates
