"""`framesift label`: a file of questions in, a file of labels out."""

import json
import sys

import pytest

from framesift import cli

CLIP = "synthetic://number?seconds=4&seed=3&fps=4"


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process; returns exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", "label", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def questions(tmp_path):
    """Writes questions, one a line, and returns their file."""

    def write(*lines):
        path = tmp_path / "questions.jsonl"
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return path

    return write


def asked(question, answer="7", **more):
    return {"video": CLIP, "question": question, "answer": answer, "fps": 2.0, **more}


def test_questions_are_labeled_once(run, questions, tmp_path):
    out = tmp_path / "labels.jsonl"
    path = questions(asked("What number flashes?"), asked("Is there a number?", "yes"))
    code, said, _ = run(path, "-o", out, "--model", "tiny", "--judge", "answer")
    assert (code, said.splitlines()[0]) == (0, "labeled   2 questions, 0 before")
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(len(line["labels"]), line["fps"]) for line in lines] == [(8, 2.0)] * 2
    first = out.read_bytes()
    code, said, _ = run(path, "-o", out)
    assert (code, said.splitlines()[0]) == (0, "labeled   0 questions, 2 before")
    assert out.read_bytes() == first


def test_bad_input_is_one_line(run, questions, tmp_path):
    out = tmp_path / "labels.jsonl"
    code, _, said = run(tmp_path / "none.jsonl", "-o", out)
    assert (code, said.count("\n")) == (2, 1)
    assert "none.jsonl" in said
    code, _, said = run(questions({"video": CLIP, "question": "What?"}), "-o", out)
    assert code == 2
    assert "has no answer" in said
    both = questions(asked("What number flashes?"), asked("What?", video="missing.mp4"))
    code, told, said = run(both, "-o", out, "--temporal", "none")
    assert (code, told.splitlines()[0]) == (2, "labeled   1 questions, 0 before")
    assert "missing.mp4 is passed over" in said
    assert "1 videos could not be read" in said
