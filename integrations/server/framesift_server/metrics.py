"""What Prometheus reads: counters of this server's processes, and usage from the database.

Requests and their times are counted in memory: one process has its own registry, several write to
files of prometheus_client's multiprocess mode, which any of them adds up. Usage comes from the
database, so that it equals the bill, is the same whichever process is asked, and outlives all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from framesift.serving import new_folder
from framesift_server.usage import COUNTS, usage_totals

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where it is set as prometheus_client is imported, all values go to files in that folder."""


def share_metrics() -> None:
    """Has the processes that are started from now on count together, from zero."""
    # Not in the state's folder: servers of other machines, with the same process ids, share that.
    os.environ[VARIABLE] = str(new_folder())


def exposition(own: CollectorRegistry, engine: Engine) -> bytes:
    """Returns all metrics in the text format of Prometheus.

    Args:
        own: those of this process.
        engine: of the database.
    """
    shared = os.environ.get(VARIABLE)
    if shared is not None:
        own = CollectorRegistry()
        _forget_dead(Path(shared))
        MultiProcessCollector(own, shared)  # type: ignore[no-untyped-call]
    usage = CollectorRegistry()
    usage.register(_Usage(engine))
    return generate_latest(own) + generate_latest(usage)


class _Usage(Collector):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        totals = usage_totals(self._engine)
        for number, name in enumerate(COUNTS):
            scale = 1000 if name.endswith("milliseconds") else 1
            named = name.replace("milliseconds", "seconds")
            text = f"Usage of each client since the database was made: {named}."
            family = CounterMetricFamily(f"framesift_usage_{named}", text, labels=["client"])
            for client, used in totals.items():
                family.add_metric([client], astuple(used)[number] / scale)
            yield family


def _forget_dead(folder: Path) -> None:
    """Leaves out what processes had in work that were killed."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
