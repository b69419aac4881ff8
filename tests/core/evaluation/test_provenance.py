import subprocess

import pytest

from framesift.evaluation.provenance import SAMPLE_BYTES, commit, fingerprint


def git(folder, *arguments):
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_a_commit_is_told_with_whether_its_files_were_changed(tmp_path):
    package, results = tmp_path / "package", tmp_path / "results.json"
    package.mkdir()
    file = package / "code.py"
    file.write_text("1")
    results.write_text("old")
    git(tmp_path, "init")
    assert commit(package) == "unknown"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = commit(package)
    assert len(clean) == 40
    results.write_text("new")
    assert commit(package) == clean
    file.write_text("2")
    assert commit(package) == f"{clean}+changes"


def test_other_weights_have_another_fingerprint(tmp_path):
    path = tmp_path / "model.safetensors"
    found = set()
    for content in (b"a" * 9, b"b" * 9, b"a" * 10):
        path.write_bytes(content)
        found.add(fingerprint(tmp_path))
    assert len(found) == 3


@pytest.mark.parametrize("place", [0, 3 * SAMPLE_BYTES, -1])
def test_a_change_anywhere_in_small_weights_changes_the_fingerprint(tmp_path, place):
    path, content = tmp_path / "model.safetensors", bytearray(5 * SAMPLE_BYTES + 7)
    path.write_bytes(content)
    before = fingerprint(tmp_path)
    content[place] = 1
    path.write_bytes(content)
    assert fingerprint(tmp_path) != before


def test_a_large_file_is_sampled_and_not_read_whole(tmp_path):
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.truncate(2**36)
    before = fingerprint(tmp_path)
    with path.open("r+b") as file:
        file.seek(2**35)
        file.write(b"1")
    assert fingerprint(tmp_path) != before
