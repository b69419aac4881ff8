import json
import os

import pytest

from framesift.disk.journal import Journal
from framesift.errors import StorageError


def test_values_are_there_again_when_the_file_is_opened_again(tmp_path):
    with Journal(tmp_path / "sub" / "work.jsonl") as journal:
        journal.add("one", {"text": "<b>\u2028\n"})
        journal.add("two", [1, None])
        assert journal.get("one") == {"text": "<b>\u2028\n"}
    with Journal(tmp_path / "sub" / "work.jsonl") as again:
        assert again.get("one") == {"text": "<b>\u2028\n"}
        assert again.get("two") == [1, None]
        assert again.get("three") is None


@pytest.mark.parametrize("cut", [2, 5, 40])
def test_a_line_that_was_cut_off_is_lost_alone(tmp_path, cut):
    path = tmp_path / "work.jsonl"
    with Journal(path) as journal:
        journal.add("one", 1)
        journal.add("two", 2)
    os.truncate(path, path.stat().st_size - cut)
    with Journal(path) as again:
        assert again.get("one") == 1
        assert again.get("two") is None
        again.add("two", 3)
        assert again.get("two") == 3
    with Journal(path) as third:
        assert [third.get("one"), third.get("two")] == [1, 3]


@pytest.mark.parametrize("content", [b"\xff\x00 no json", b"[1]\n[2, 3]\n{}\n", b"[" * 9000])
def test_a_file_of_something_else_gives_nothing_and_can_be_added_to(tmp_path, content):
    (tmp_path / "odd").write_bytes(content)
    with Journal(tmp_path / "odd") as journal:
        assert journal.get("1") is None
        journal.add("1", "value")
        assert journal.get("1") == "value"


def test_two_add_to_one_file(tmp_path):
    path = tmp_path / "work.jsonl"
    with Journal(path) as one, Journal(path) as other:
        for number in range(20):
            one.add(f"one {number}", number)
            other.add(f"other {number}", number)
        assert all(one.get(f"one {n}") == other.get(f"other {n}") == n for n in range(20))
    assert len([json.loads(line) for line in path.read_bytes().splitlines()]) == 40


def test_a_journal_that_somebody_else_removes_works_to_its_end(tmp_path):
    path = tmp_path / "work.jsonl"
    with Journal(path) as one:
        one.add("one", 1)
        Journal(path).remove()
        one.add("two", 2)
        assert [one.get("one"), one.get("two")] == [1, 2]


def test_what_is_removed_is_no_more(tmp_path):
    journal = Journal(tmp_path / "work.jsonl")
    journal.add("one", 1)
    journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        Journal(tmp_path / "file" / "work.jsonl")
