"""How worker processes start: what they have, and with whom they end."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framesift.batching import starting

pytest.importorskip("pebble")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers begin anew elsewhere")
SECONDS = 60.0

NEEDED = ("torch", "cv2", "framesift.strategies.temporal")
ABOUT = f"""
import os, sys
pipe.send({{
    "pid": os.getpid(),
    "parent": os.getppid(),
    "folder": os.getcwd(),
    "path": list(sys.path),
    "told": os.environ.get("FRAMESIFT_TOLD"),
    "lacks": set({NEEDED}) - sys.modules.keys(),
    "threads": len(os.listdir("/proc/self/task")),
    "has_gpu": sys.modules["torch"].cuda.is_initialized(),
}})
"""


def begun(code):
    """Returns a worker that runs code, and what it sends."""
    here, there = multiprocessing.Pipe(duplex=False)
    with there:
        process = starting.WorkerContext().Process(target=exec, args=(code, {"pipe": there}))
        process.start()
    with here:
        assert here.poll(SECONDS)
        return process, here.recv()


def told():
    process, about = begun(ABOUT)
    process.join(SECONDS)
    assert process.exitcode == 0
    return about


def ends(pid):
    """Waits until a process is gone."""
    limit = time.monotonic() + SECONDS
    while time.monotonic() < limit:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_workers_are_forks_of_one_process_that_has_loaded_what_they_need():
    first, second = told(), told()
    assert first["parent"] == second["parent"] != os.getpid()
    assert first["pid"] != second["pid"]
    for worker in (first, second):
        assert worker["lacks"] == set()
        assert worker["threads"] == 1
        assert not worker["has_gpu"]


def test_a_worker_has_the_environment_folder_and_path_of_now(monkeypatch, tmp_path):
    told()
    monkeypatch.setenv("FRAMESIFT_TOLD", "new")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    starting.begin_ahead()
    worker = told()
    assert (worker["told"], worker["folder"]) == ("new", str(tmp_path))
    assert str(tmp_path) in worker["path"]
    again = told()
    assert again["parent"] == worker["parent"]
    monkeypatch.delenv("FRAMESIFT_TOLD")
    starting.begin_ahead()
    assert told()["told"] is None


def test_the_codes_of_workers_that_are_killed_arrive():
    process, pid = begun("import os, time; pipe.send(os.getpid()); time.sleep(600)")
    os.kill(pid, signal.SIGKILL)
    process.join(SECONDS)
    assert process.exitcode == -signal.SIGKILL


def test_workers_end_with_the_process_that_they_are_forks_of(tmp_path):
    _, (pid, parent) = begun(
        "import os, time\n"
        "from framesift.batching import local\n"
        f"local._begin(None, {str(tmp_path)!r}, local.Workers(count=1))\n"
        "pipe.send((os.getpid(), os.getppid())); time.sleep(600)"
    )
    os.kill(parent, signal.SIGKILL)
    assert ends(pid)
    assert told()["parent"] != parent


def program(text):
    """Returns a program that runs beside."""
    return subprocess.Popen(
        [sys.executable, "-c", f"from framesift.batching import starting\n{text}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_fork_server_of_the_program_is_left_alone():
    script = """
import multiprocessing
multiprocessing.set_forkserver_preload(["colorsys"])
starting.begin_ahead()
theirs = multiprocessing.get_context("forkserver")
code = "import sys; sys.exit(('colorsys' in sys.modules) + 2 * ('torch' in sys.modules))"
for context in (theirs, starting.WorkerContext(), theirs):
    process = context.Process(target=exec, args=(code,))
    process.start()
    process.join()
    print(process.exitcode)
"""
    with program(script) as made:
        codes = made.communicate(timeout=120)[0].split()
    assert (codes[0], codes[2]) == ("1", "1")
    assert int(codes[1]) & 2


def test_nothing_is_left_of_a_program_that_was_killed():
    script = """
import time
starting.begin_ahead()
process = starting.WorkerContext().Process(target=time.sleep, args=(0,))
process.start()
process.join()
print(starting._server._process.pid, flush=True)
time.sleep(600)
"""
    with program(script) as made:
        server = int(made.stdout.readline())
        made.kill()
    assert ends(server)
