"""How worker processes start: what they have, and with whom they end."""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import framesift
from framesift.batching import local, starting
from framesift.batching.items import Item
from framesift.batching.store import store_of

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


def program(text, **streams):
    """Returns a program that runs beside."""
    return subprocess.Popen(
        [sys.executable, "-c", f"from framesift.batching import starting\n{text}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        **streams,
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


def test_the_folder_for_temporary_files_may_have_a_long_name(tmp_path, monkeypatch):
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    script = """
from multiprocessing import util
starting.begin_ahead()
process = starting.WorkerContext().Process(target=exec, args=("import sys; sys.exit(7)",))
process.start()
process.join()
print(process.exitcode, util.get_temp_dir())
"""
    with program(script) as made:
        code, where = made.communicate(timeout=120)[0].split()
    assert (code, Path(where).parent) == ("7", folder)


def test_a_daemonic_process_is_told_that_it_may_begin_none(tmp_path):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        asked = pool.apply_async(framesift.batch, (str(tmp_path), str(tmp_path / "out")))
        with pytest.raises(starting.WorkersError, match="ProcessPoolExecutor"):
            asked.get(SECONDS)


def test_what_keeps_workers_from_starting_is_told(tmp_path, monkeypatch):
    def none_left(given):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    starting.begin_ahead()
    monkeypatch.setattr(starting._running(), "fork", none_left)
    pool = local.Pool(None, store_of(str(tmp_path)), local.Workers(count=1))
    refused = pytest.raises(starting.WorkersError, match=r"be started: .+Too many open files$")
    with refused, pool:
        list(pool.run([Item(id="a", video="a.mp4")]))


def test_ctrl_c_while_the_process_begins_prints_nothing():
    script = """
import os, signal, time
starting.begin_ahead()
os.kill(starting._server._process.pid, signal.SIGINT)  # before it has loaded anything
process = starting.WorkerContext().Process(target=exec, args=("import signal, sys; sys.exit(\
    5 + (signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())))",))
process.start()
process.join()
print(process.exitcode, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""
    with program(script, stderr=subprocess.PIPE) as made:
        said, complained = made.communicate(timeout=120)
    assert (said, complained) == ("5 set()\n", "")
