"""Runs a measurement in a fresh process: none inherits caches, threads or memory of another.

Called as `python -m benchmarks.process module:function '{"option": 1}'`, it writes one line of
JSON. Only what is inside of a lap counts: starting Python and importing do not. What a module
imports counts in the peak memory of its processes all the same, so a section imports what is large
where it is used.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from framesift.registry import require

logger = logging.getLogger(__name__)
Json = dict[str, Any]


class MeasurementError(RuntimeError):
    """A measured process broke off; the message says how, without paths of the machine."""


@dataclass(slots=True, kw_only=True)
class Laps:
    """What a measured function times, and the memory before its first lap."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    start_bytes: int = 0

    @contextmanager
    def lap(self, name: str = "work") -> Iterator[None]:
        """Adds the seconds spent within to the laps of `name`."""
        self.start_bytes = self.start_bytes or _resident_bytes()
        start = time.perf_counter()
        yield
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a fresh process reports."""

    seconds: dict[str, list[float]]
    start_bytes: int
    """Resident memory after the imports, before the first lap."""
    peak_bytes: int
    """Largest resident memory of the process."""
    facts: Json
    """What the measured function returned."""


Work = Callable[..., Json]
"""Takes `Laps` and JSON-safe options by name, and returns facts about its result."""


def in_fresh_process(work: Work, *, timeout_seconds: float = 3600.0, **options: Any) -> Measured:
    """Returns what `work(laps, **options)` took and gave in a Python process of its own.

    Raises:
        MeasurementError: the process failed, was killed or took too long.
    """
    target = f"{work.__module__}:{work.__name__}"
    command = [sys.executable, "-m", __name__, target, json.dumps(options, default=str)]
    places = {"PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env=os.environ | places,
        )
    except subprocess.TimeoutExpired:
        raise MeasurementError(f"took more than {timeout_seconds:.0f} s") from None
    if done.returncode:
        logger.warning("%s(%s) failed:\n%s", target, options, done.stderr)
        raise MeasurementError(_failure(done))
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def interleaved(
    contestants: Mapping[str, Callable[[], Measured]], *, rounds: int, peers: Sequence[str]
) -> tuple[dict[str, list[Measured]], dict[str, str]]:
    """Returns the runs of all `contestants`, and why some `peers` were skipped.

    Each round runs all of them once, starting with another one, so that a disturbance of the
    machine meets all alike. A peer that fails is skipped; a failure of ours is raised.
    """
    runs: dict[str, list[Measured]] = {name: [] for name in contestants}
    skipped: dict[str, str] = {}
    for turn in range(rounds):
        names = [name for name in contestants if name not in skipped]
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            try:
                runs[name].append(contestants[name]())
            except MeasurementError as error:
                if name not in peers:
                    raise
                skipped[name] = str(error)
            else:
                logger.info("%s: %.2f s", name, sum(map(sum, runs[name][-1].seconds.values())))
    return {name: results for name, results in runs.items() if name not in skipped}, skipped


def timing(seconds: Sequence[float]) -> Json:
    """Returns the median and all of the runs, for a row of results."""
    return {
        "seconds": round(median(seconds), 6),
        "runs_seconds": [round(value, 6) for value in seconds],
    }


def _failure(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"killed by signal {-done.returncode}"
    # The text after the name of the exception may hold paths.
    return f"failed with {(done.stderr.splitlines() or ['no message'])[-1].partition(':')[0]}"


def _resident_bytes() -> int:
    resident: int = require("psutil", extra="test").Process().memory_info().rss
    return resident


def peak_bytes() -> int:
    """Returns the high-water mark of resident memory of this process.

    Linux adds to `ru_maxrss` what the parent held when it forked, so the kernel's mark for this
    process alone is read there.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _main() -> None:
    module, _, name = sys.argv[1].partition(":")
    laps = Laps()
    facts = getattr(importlib.import_module(module), name)(laps, **json.loads(sys.argv[2]))
    measured = Measured(
        seconds=laps.seconds, start_bytes=laps.start_bytes, peak_bytes=peak_bytes(), facts=facts
    )
    sys.stdout.write(f"\n{json.dumps(asdict(measured))}\n")


if __name__ == "__main__":
    _main()
