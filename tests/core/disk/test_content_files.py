"""Content-addressed files: equal contents are one, and only what is whole is read back."""

import pytest

from framesift.errors import StorageError
from framesift.serving import save_content, saved_content


def test_equal_contents_are_one_file_that_is_read_back_by_its_name(tmp_path):
    first = save_content(b"one", tmp_path / "new", ".bin")
    before = first.stat().st_mtime_ns
    assert save_content(b"one", tmp_path / "new", ".bin") == first
    assert first.stat().st_mtime_ns == before
    assert save_content(b"two", tmp_path / "new", ".bin") != first
    assert saved_content(first.name, tmp_path / "new") == b"one"


def test_what_its_name_is_not_the_hash_of_is_not_read(tmp_path):
    kept = save_content(b"one", tmp_path / "kept", ".bin")
    (tmp_path / "secret.txt").write_text("a password")
    names = [
        "secret.txt",
        "../secret.txt",
        str(tmp_path / "secret.txt"),
        "absent.bin",
        "..",
        "a\0b",
    ]
    assert [saved_content(name, tmp_path / "kept") for name in names] == [None] * len(names)
    assert saved_content(f"../kept/{kept.name}", tmp_path / "kept") == b"one"
    kept.write_bytes(b"two")
    assert saved_content(kept.name, tmp_path / "kept") is None


def test_a_file_that_was_damaged_is_written_anew(tmp_path):
    kept = save_content(b"one", tmp_path, ".bin")
    kept.write_bytes(b"")
    assert save_content(b"one", tmp_path, ".bin").read_bytes() == b"one"


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StorageError, match="taken"):
        save_content(b"one", tmp_path / "taken", ".bin")
