"""A server with the tiny model, in this process; and the databases that a server may have."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from framesift_server import Settings, create_app

DEBIAN = Path("/usr/lib/postgresql")


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    settings = Settings(allow_synthetic=True, state_folder=tmp_path_factory.mktemp("state"))
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def serve(tmp_path_factory):
    """Starts further servers, each with a state folder of its own; returns their clients."""
    started = []

    def start(**settings):
        settings = {
            "allow_synthetic": True,
            "state_folder": tmp_path_factory.mktemp("state"),
            **settings,
        }
        client = TestClient(create_app(Settings(**settings)))
        started.append(client.__enter__())
        return client

    yield start
    for client in started:
        client.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL of Debian's packages that listens at a socket only; yields how to name one."""
    programs = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not programs:
        pytest.skip(f"no PostgreSQL is installed in {DEBIAN}; install the package postgresql")
    programs = programs[-1].parent
    # As root it does not run; and an unprivileged user cannot enter the folders of pytest.
    user = {"user": "nobody"} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if user:
            shutil.chown(folder, "nobody")
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "cwd": folder, **user}
        data = str(folder / "data")
        make = [programs / "initdb", "-D", data, "-U", "framesift", "-A", "trust", "-N"]
        subprocess.run(make, check=True, **quiet)
        settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off"}
        options = [word for item in settings.items() for word in ("-c", "{}={}".format(*item))]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *options], stderr=log, **quiet
            )
        try:
            ready = [programs / "pg_isready", "-q", "-h", folder]
            deadline = time.monotonic() + 60
            while subprocess.run(ready, **quiet).returncode != 0:
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
            yield lambda name: f"postgresql://framesift@/{name}?host={folder}"
        finally:
            server.terminate()  # waits for its clients to leave
            try:
                server.wait(timeout=10)
            except subprocess.TimeoutExpired:
                server.send_signal(2)  # does not wait for them
                server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_settings(request, tmp_path):
    """Settings of servers that share their state: a folder, and either kind of database."""
    settings = {"allow_synthetic": True, "state_folder": tmp_path / "state"}
    if request.param == "postgresql":
        import psycopg

        address = request.getfixturevalue("postgresql")
        name = f"test{time.monotonic_ns()}"
        with psycopg.connect(address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        settings["database"] = address(name)
    return settings
