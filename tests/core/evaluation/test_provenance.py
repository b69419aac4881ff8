import subprocess

from framesift.evaluation.provenance import commit, fingerprint


def git(folder, *arguments):
    who = ("-c", "user.name=me", "-c", "user.email=me@example.org")
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True)


def test_a_commit_is_told_with_whether_its_files_were_changed(tmp_path):
    file = tmp_path / "code.py"
    file.write_text("1")
    git(tmp_path, "init")
    assert commit(file) == "unknown"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = commit(file)
    assert len(clean) == 40
    (tmp_path / "results.json").write_text("new")
    assert commit(file) == clean
    file.write_text("2")
    assert commit(file) == f"{clean}+changes"


def test_other_weights_have_another_fingerprint(tmp_path):
    path = tmp_path / "model.safetensors"
    found = set()
    for content in (b"a" * 9, b"b" * 9, b"a" * 10):
        path.write_bytes(content)
        found.add(fingerprint(tmp_path))
    assert len(found) == 3
