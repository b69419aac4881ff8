import errno
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from framesift.disk import temporary
from framesift.errors import StorageError
from framesift.serving.termination import unwound_by_sigterm
from framesift.types.video import LocalVideo

HOLD = """
import sys, time
from framesift.disk import temporary
(temporary.new_folder() / "video").write_text("half")
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def parent(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(temporary, "_swept", set())
    return tmp_path


@pytest.fixture
def other(parent):
    """Another process that holds a folder in `parent`."""
    environment = {**os.environ, "TMPDIR": str(parent)}
    with subprocess.Popen([sys.executable, "-c", HOLD], env=environment, stdout=-1) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def test_a_folder_of_a_living_process_stays_and_one_of_a_killed_process_is_swept(parent, other):
    (theirs,) = parent.iterdir()
    mine = temporary.new_folder()
    assert theirs.is_dir(), "its process is alive"
    assert temporary.sweep(parent) == []
    other.kill()
    other.wait()
    assert temporary.sweep(parent) == [theirs]
    assert list(parent.iterdir()) == [mine]
    temporary.remove(mine)


def test_the_first_folder_of_a_process_sweeps(parent, other):
    other.kill()
    other.wait()
    mine = temporary.new_folder()
    assert list(parent.iterdir()) == [mine]
    temporary.remove(mine)
    temporary.remove(mine)
    assert list(parent.iterdir()) == []


def test_what_is_not_ours_is_never_swept(parent):
    (parent / "framesift-benchmark-1").mkdir()
    (parent / "framesift-run-of-mine").mkdir()
    (parent / "framesift-run-abcdefgh").write_text("a file")
    (parent / "kept").mkdir()
    (parent / "framesift-run-12345678").symlink_to(parent / "kept")
    before = sorted(parent.iterdir())
    assert temporary.sweep(parent) == []
    assert sorted(parent.iterdir()) == before
    assert temporary.sweep(parent / "missing") == []


def test_a_folder_of_another_user_is_not_swept(parent, monkeypatch):
    folder = parent / "framesift-run-abcdefgh"
    folder.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    assert temporary.sweep(parent) == []


def test_a_forked_child_leaves_its_parents_folders_alone(parent):
    mine = temporary.new_folder()
    child = os.fork()
    if child == 0:
        temporary.remove_all()
        os._exit(0)
    os.waitpid(child, 0)
    assert mine.is_dir()
    temporary.remove_all()
    assert not mine.exists()


def test_only_success_keeps_a_folder(parent):
    with temporary.kept_on_success() as folder:
        pass
    LocalVideo(path=None, uri="x", temporary_folder=folder).close()
    with pytest.raises(KeyboardInterrupt), temporary.kept_on_success():
        raise KeyboardInterrupt
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EACCES, errno.EDQUOT])
def test_a_full_disk_is_one_line_that_says_what_to_do(parent, reason):
    with pytest.raises(StorageError, match=r"set TMPDIR") as caught, temporary.kept_on_success():
        raise OSError(reason, os.strerror(reason))
    assert caught.value.errno == reason
    assert str(parent) not in str(caught.value)
    assert list(parent.iterdir()) == []


def test_what_a_listener_raises_is_left_alone(parent):
    with pytest.raises(TimeoutError, match="nobody waits"), temporary.kept_on_success():
        raise TimeoutError("nobody waits")


def test_a_missing_folder_for_temporary_files_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(StorageError, match=r"No such file or directory.*set TMPDIR"):
        temporary.new_folder()


def test_a_folder_that_cannot_be_locked_is_not_left(parent, monkeypatch):
    def full(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(StorageError, match="Too many open files"):
        temporary.new_folder()
    assert list(parent.iterdir()) == []


def test_a_name_that_is_taken_is_left_to_its_owner(parent, monkeypatch):
    taken = parent / "framesift-run-01234567"
    taken.mkdir()
    (taken / "video").write_text("theirs")
    monkeypatch.setattr(temporary, "_swept", {parent})
    names = iter(["01234567", "89abcdef"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(names))
    mine = temporary.new_folder()
    assert mine.name == "framesift-run-89abcdef"
    temporary.remove_all()
    assert list(parent.iterdir()) == [taken]
    assert (taken / "video").read_text() == "theirs"


class Interrupted(BaseException):
    """As the handler of a signal raises it, between any two instructions."""


def interrupted_at(count):
    """Returns a trace function that raises before the `count`-th instruction of the module."""
    left = iter(range(count, -1, -1))

    def trace(frame, event, _):
        if frame.f_code.co_filename not in {temporary.__file__, shutil.__file__}:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and next(left) == 0:
            raise Interrupted
        return trace

    return trace


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # an interrupted `scandir` stays open
def test_an_interruption_between_any_two_instructions_leaves_nothing(parent):
    def work():
        with temporary.kept_on_success() as folder:
            (folder / "video").write_text("half")
        temporary.remove(folder)

    points, made = 0, 0
    while True:
        before = sys.gettrace()
        sys.settrace(interrupted_at(points))
        try:
            work()
            break
        except (Interrupted, OSError):  # `rmtree` closes twice what was closed the moment before
            points += 1
        finally:
            sys.settrace(before)
        made += any(parent.iterdir())
        temporary.remove_all()
        assert list(parent.iterdir()) == [], points
    assert points > 200, "every instruction was interrupted once"
    assert made > 20, "some where the folder is there and nobody unwinds it"
    assert temporary._held == {}


def test_a_file_that_is_written_while_the_folder_is_emptied_goes_too(parent, monkeypatch):
    folder = temporary.new_folder()
    emptied, rmdir = [], os.rmdir

    def written_just_before(path, **where):
        if len(emptied) < 2:
            emptied.append(path)
            (folder / "late").write_text("half")
        rmdir(path, **where)

    monkeypatch.setattr(os, "rmdir", written_just_before)
    temporary.remove(folder)
    assert len(emptied) == 2
    assert list(parent.iterdir()) == []


def test_what_could_not_be_removed_is_tried_again_at_the_end(parent, monkeypatch):
    folder = temporary.new_folder()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        temporary.remove(folder)
    assert folder.is_dir()
    temporary.remove_all()
    assert list(parent.iterdir()) == []


def test_sigterm_ends_a_command_with_143_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "framesift", "compress", "synthetic://mixed?seconds=3000"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob("framesift-run-*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    assert told.decode().splitlines()[-1] == "framesift: terminated"
    assert list(tmp_path.iterdir()) == []


STUCK = """
import subprocess, sys, threading
from framesift.disk import temporary
from framesift.serving.termination import unwound_by_sigterm
with unwound_by_sigterm(0.2):
    temporary.new_folder()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=-1)
    thread = threading.Thread(target=child.communicate)
    thread.start()
    print(child.pid, flush=True)
    thread.join()
"""


def is_running(process_id):
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_thread_that_does_not_end_does_not_hold_up_the_end(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", STUCK], env=environment, stdout=-1) as process:
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
    assert list(tmp_path.iterdir()) == []
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child), "what the process had started ends with it"


def test_an_ignored_signal_stays_ignored():
    program = (
        "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "from framesift.serving.termination import unwound_by_sigterm\n"
        "with unwound_by_sigterm(): os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_afterwards_the_signal_does_what_it_did():
    before = signal.getsignal(signal.SIGTERM)
    with unwound_by_sigterm():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    with ThreadPoolExecutor(1) as pool, unwound_by_sigterm():
        pool.submit(unwound_by_sigterm().__enter__).result()
