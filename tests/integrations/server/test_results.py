"""Results that are kept as files."""

import os

import pytest

from framesift.errors import StorageError
from framesift_server.results import Results


def test_a_result_is_whole_or_absent(tmp_path):
    results = Results(tmp_path / "results", most=9, most_bytes=10**6)
    name = results.save([b"one", memoryview(b"two")])
    assert results.path(name).read_bytes() == b"onetwo"

    def broken():
        yield b"half"
        raise RuntimeError("the rest is not there")

    with pytest.raises(RuntimeError, match="the rest"):
        results.save(broken())
    assert [path.name for path in (tmp_path / "results").iterdir()] == [name]
    results.remove(name)
    results.remove(name)
    assert results.path(name) is None


@pytest.mark.parametrize("limits", [{"most": 2, "most_bytes": 100}, {"most": 9, "most_bytes": 20}])
def test_the_oldest_make_room_and_the_newest_stays(tmp_path, limits):
    (tmp_path / "another.txt").write_text("is no result")
    results = Results(tmp_path, **limits)
    names = []
    for age in range(4, 0, -1):
        names.append(results.save([b"x" * 10]))
        os.utime(tmp_path / names[-1], (1000 - age, 1000 - age))
    kept = [results.path(name) is not None for name in names]
    assert kept == [False, False, True, True]
    large = results.save([b"x" * 1000])
    assert results.path(large) is not None
    assert (tmp_path / "another.txt").exists()


@pytest.mark.parametrize("name", ["", "..", "../a.safetensors", "a" * 32, "/etc/passwd", "a\0b"])
def test_a_name_reaches_no_other_file(tmp_path, name):
    (tmp_path / "a.safetensors").write_bytes(b"another's")
    results = Results(tmp_path / "results", most=9, most_bytes=100)
    assert results.path(name) is None
    results.remove(name)
    assert (tmp_path / "a.safetensors").exists()


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="no room for results") as caught:
        Results(tmp_path / "file", most=1, most_bytes=1).save([b"x"])
    assert str(tmp_path) not in str(caught.value), "clients need not know where they lie"
