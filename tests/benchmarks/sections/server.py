"""How the HTTP server holds under load: clients that ask at once, on one machine and one model.

The server is a process of its own on loopback, as `framesift serve` starts it; the clients are
threads of this one. Each asks one question after the other about a small video; where the line is
full it comes again when `Retry-After` says.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.effort import Effort
from benchmarks.process import Json, MeasurementError
from framesift.registry import require

QUEUE: Final = 2
"""Requests that may wait: few, so that eight clients meet a full line."""
CLIP: Final = "synthetic://number?seed=3&seconds=3&width=160&height=90"
REQUEST: Final = {"video": CLIP, "question": "What number flashes?", "max_new_tokens": 8}
START_SECONDS: Final = 180.0
REQUEST_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer of the server."""

    status: int
    seconds: float
    retry_seconds: float


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how a server bears several clients; requests in work are waited for.

    Raises:
        MeasurementError: the server did not start, or ended.
    """
    with _server() as (port, process):
        _ask(port)
        start_bytes = _resident(process)
        rows = [
            _round(port, process, count, effort.server_seconds) for count in effort.server_clients
        ]
    first, last = rows[0], rows[-1]
    peak = max(row["peak_bytes"] for row in rows)
    return {
        "question": f"questions answered per second by one server with one tiny model, "
        f"{QUEUE} requests may wait; 429 says that the line is full; memory of the server alone",
        "rows": rows,
        "start_bytes": start_bytes,
        "peak_bytes": peak,
        "asked": "no status but 200 and 429; memory at most 1.25 times that after one request; "
        "throughput with most clients at least 0.8 of that with one",
        "met": {
            "statuses": all(row["other"] == 0 for row in rows),
            "memory": peak <= 1.25 * start_bytes,
            "throughput": last["per_second"] >= 0.8 * first["per_second"],
        },
    }


def _round(port: int, process: Any, clients: int, seconds: float) -> Json:
    start = time.perf_counter()
    deadline = start + seconds

    def one(_: int) -> list[Reply]:
        replies = [_ask(port)]
        while time.perf_counter() < deadline:
            time.sleep(replies[-1].retry_seconds)
            replies.append(_ask(port))
        return replies

    with ThreadPoolExecutor(clients) as pool:
        working = pool.map(one, range(clients))
        replies = [reply for part in working for reply in part]
    took = time.perf_counter() - start
    counts = Counter(reply.status for reply in replies)
    answered = [reply.seconds for reply in replies if reply.status == http.client.OK]
    return {
        "name": f"{clients} clients" if clients > 1 else "1 client",
        "clients": clients,
        "ok": counts[http.client.OK],
        "full": counts[http.client.TOO_MANY_REQUESTS],
        "other": counts.total() - counts[http.client.OK] - counts[http.client.TOO_MANY_REQUESTS],
        "per_second": round(len(answered) / took, 3),
        "median_seconds": round(median(answered), 3) if answered else None,
        "peak_bytes": _peak(process),
    }


def _ask(port: int) -> Reply:
    """Returns how a question was answered; a broken connection has status 0."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/v1/ask", json.dumps(REQUEST), headers)
        response = connection.getresponse()
        response.read()
        status, retry = response.status, float(response.getheader("Retry-After", "0"))
    except (OSError, http.client.HTTPException):
        status, retry = 0, 1.0
    finally:
        connection.close()
    return Reply(status=status, seconds=time.perf_counter() - start, retry_seconds=retry)


@contextmanager
def _server() -> Iterator[tuple[int, Any]]:
    """Gives the port of a server and its process, and ends it."""
    psutil = require("psutil", extra="test")
    port = _free_port()
    command = [sys.executable, "-m", "framesift", "serve", "--port", str(port)]
    command += ["--allow-synthetic", "--queue", str(QUEUE)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FRAMESIFT_")}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=kept, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        _wait_for(port, process)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.perf_counter() + START_SECONDS
    while process.poll() is None and time.perf_counter() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise MeasurementError("the server did not start; run: framesift serve --allow-synthetic")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _resident(process: Any) -> int:
    resident: int = process.memory_info().rss
    return resident


def _peak(process: Any) -> int:
    """Returns the high-water mark of resident memory where the kernel keeps one."""
    status = Path(f"/proc/{process.pid}/status")
    if not status.is_file():
        return _resident(process)
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024
