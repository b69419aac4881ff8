"""`framesift label`: a file of questions in, a file of labels out."""

import json
import sys

import pytest

from chat_server import chat_server, said
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


def test_an_endpoint_labels_and_says_what_it_cost(run, questions, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    out = tmp_path / "labels.jsonl"
    path = questions({"video": f"{CLIP}&width=64&height=64", "question": "What?"})
    arguments = [path, "-o", out, "--model", "m", "--key-variable", "MY_KEY", "--temporal", "none"]
    with chat_server(lambda request: said("Evaluation: True")) as server:
        code, told, warned = run(
            *arguments, "--endpoint", server.url, "--price-in", "1000", "--price-out", "500"
        )
        assert server.headers[0][1]["Authorization"] == "Bearer sk-secret"
    assert code == 0
    assert "cost      4 requests, 400 tokens of prompts, 40 of answers, 0.4200" in told
    assert "gives no probabilities" in warned
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"sk-secret" not in written + told.encode() + warned.encode()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--endpoint", "http://127.0.0.1:9/v1"], "give --model NAME"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--judge", "answer"], "look into"),
        (["--endpoint", "nowhere", "--model", "m"], "is not an address"),
    ],
)
def test_endpoints_that_cannot_be_asked_are_one_line(run, questions, tmp_path, arguments, reason):
    path = questions({"video": CLIP, "question": "What?"})
    code, _, said_ = run(path, "-o", tmp_path / "labels.jsonl", *arguments)
    assert (code, said_.count("\n")) == (2, 1)
    assert reason in said_


def test_the_tiny_model_judges_by_words_and_captions_too(run, questions, tmp_path):
    out = tmp_path / "labels.jsonl"
    path = questions({"video": CLIP, "question": "What number flashes?"})
    code, _, _ = run(path, "-o", out, "--judge", "true-false", "--temporal", "captions")
    assert code == 0
    line = json.loads(out.read_text())
    assert len(line["spatial"]) == 4
    assert line["temporal"] is None
    assert "names no frames by captions" in line["warnings"][0]
