"""How many cores this process may use."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
"""Where a container reads which part of its machine is its own (control groups, version 2)."""


def own_cores() -> int:
    """Returns how many cores there are for this process: of the machine, or fewer.

    Those that it is bound to count (`taskset`), within the share of its container (`--cpus`).
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text().split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max" in it
        return cores
