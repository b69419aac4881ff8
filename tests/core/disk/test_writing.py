"""Files are written whole or not at all, and by one writer of a folder at a time."""

import fcntl
import os
import threading
import time

import pytest

from framesift.disk.writing import write_atomically, writing_to
from framesift.errors import StorageError


def test_two_threads_exclude_each_other(tmp_path):
    inside, seen = [], []

    def work():
        with writing_to(tmp_path):
            inside.append(1)
            seen.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1, 1, 1, 1]


def test_a_writer_that_never_ends_is_not_waited_for_for_ever(tmp_path):
    with (
        writing_to(tmp_path),
        pytest.raises(StorageError, match=r"another process has been writing .* for 0.05 s"),
        writing_to(tmp_path, wait_seconds=0.05),
    ):
        pass


@pytest.mark.parametrize("name", ["x" * 300, "a/b/c", "d"])
def test_places_that_cannot_be_written_are_one_line(tmp_path, name):
    (tmp_path / "a").write_text("a file")
    (tmp_path / "d").mkdir()
    with pytest.raises(StorageError, match="could not be written"):
        write_atomically(tmp_path / name, b"content")
    assert not list(tmp_path.glob(".*.part"))


def test_unfinished_files_of_dead_writers_are_swept(tmp_path):
    kept = [tmp_path / name for name in ("a.part", ".a.part", ".a.1.part", ".a.1.2.part.txt")]
    dead, young = tmp_path / ".a.json.1.2.part", tmp_path / ".b.json.1.2.part"
    alive = tmp_path / ".c.json.1.2.part"
    for path in (*kept, dead, young, alive):
        path.write_bytes(b"half")
        if path != young:
            os.utime(path, (0, 0))
    with alive.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_atomically(tmp_path / "other.json", b"{}")
    assert set(tmp_path.iterdir()) == {*kept, young, alive, tmp_path / "other.json"}


def test_a_long_name_is_written(tmp_path):
    assert write_atomically(tmp_path / ("é" * 120), b"content").read_bytes() == b"content"
