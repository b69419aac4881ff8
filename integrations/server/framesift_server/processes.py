"""The processes of one server: a single one, or several behind one address and their supervisor."""

from __future__ import annotations

import logging
import signal
import time
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from socket import socket
from types import FrameType
from typing import Final

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from framesift_server.common_settings import CommonSettings

REST_SECONDS: Final = 1.0
"""Time between the death of a worker and the start of the next one."""
logger = logging.getLogger(__name__)


def serve(settings: CommonSettings) -> None:
    """Serves until a signal ends it."""
    if settings.workers == 1:
        _serve(settings)
    else:
        import_module("framesift_server.metrics").share_metrics()
        config = uvicorn.Config("framesift_server.app", host=settings.host, port=settings.port)
        raise SystemExit(Supervisor(settings, config.bind_socket()).run())


class Supervisor:
    """Keeps several workers alive that listen at one socket, and ends with them."""

    def __init__(self, settings: CommonSettings, listener: socket) -> None:
        """Takes what each worker is to do.

        Args:
            settings: of each worker.
            listener: is bound to the address.
        """
        self._settings, self._listener = settings, listener
        self._workers: list[SpawnProcess] = []
        self._code: int | None = None

    def run(self) -> int:
        """Returns the exit code, once every worker has ended."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        for _ in range(self._settings.workers):
            self._start()
        while self._workers:
            wait([worker.sentinel for worker in self._workers])
            for worker in [worker for worker in self._workers if worker.exitcode is not None]:
                self._workers.remove(worker)
                self._replace(worker)
        return self._code or 0

    def _start(self) -> None:
        worker = get_context("spawn").Process(target=_serve, args=(self._settings, self._listener))
        worker.start()
        self._workers.append(worker)
        if self._code is not None:  # a signal came in between
            worker.terminate()

    def _replace(self, dead: SpawnProcess) -> None:
        if self._code is not None:
            return
        if dead.exitcode == STARTUP_FAILURE:  # it would fail again
            self._end_all(STARTUP_FAILURE)
            return
        logger.error("worker %s ended with %s; another one starts", dead.pid, dead.exitcode)
        time.sleep(REST_SECONDS)
        if self._code is None:
            self._start()

    def _end(self, number: int, _: FrameType | None) -> None:
        """Hands a signal on to the workers, which a second one ends at once."""
        self._end_all(128 + number)

    def _end_all(self, code: int) -> None:
        self._code = code
        for worker in self._workers:
            worker.terminate()


def _serve(settings: CommonSettings, listener: socket | None = None) -> None:
    """Serves in this process, at a socket of its supervisor's or its own."""
    from framesift_server import ending
    from framesift_server.protocol import CONFIG

    app = settings.app()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=ending.STEP_SECONDS,
        server_header=settings.own_headers,
        date_header=settings.own_headers,
        **CONFIG,
    )
    ending.serve(config, app.state.service, listener)
