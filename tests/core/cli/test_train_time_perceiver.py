import json
import sys

import pytest

pytest.importorskip("transformers")

from framesift import cli

TRAIN = ("train", "time-perceiver")
FEW = ("--set", "stage_1.epochs=0.5", "--set", "batch=2", "--set", "held_out=0", "--set", "depth=1")


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process; returns exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


@pytest.mark.slow
def test_a_network_is_trained_from_a_file_and_answers(run, tmp_path):
    lines = tmp_path / "lines.jsonl"
    video = "synthetic://number?seconds=6&width=64&height=64&seed={}"
    lines.write_text(
        "\n".join(
            json.dumps({"video": video.format(seed), "question": "What number?", "answer": "7"})
            for seed in range(4)
        )
    )
    out = tmp_path / "out"
    code, told, progress = run(*TRAIN, lines, "-o", out, "--vlm", "tiny", "--recipe", "tiny", *FEW)
    assert code == 0, progress
    assert "stage 1: 1 steps" in progress
    assert f"wrote     {out}" in told
    assert (out / "training.json").is_file()
    strategy = f"slow-fast:filling=[{out}]"
    assert strategy in told
    code, answer, problem = run(
        "ask", video.format(9), "What number?", "--vlm", "tiny", "--strategy", strategy
    )
    assert code == 0, problem
    assert answer.strip()


def test_something_to_learn_from_is_asked_for(run, tmp_path):
    code, _, problem = run(*TRAIN, "-o", tmp_path / "out", "--vlm", "tiny")
    assert code == 2
    assert "give files of questions or captions, or --synthetic N" in problem


def test_a_change_that_means_nothing_is_answered_with_the_names(run, tmp_path):
    code, _, problem = run(
        *TRAIN, "-o", tmp_path / "out", "--vlm", "tiny", "--synthetic", 4, "--set", "deep=6"
    )
    assert code != 0
    assert "changes nothing of a recipe" in problem
    assert "warm_start.epochs" in problem


def test_a_folder_of_another_model_is_refused_before_anything_is_drawn(run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text('{"model_type": "llava"}')
    code, _, problem = run(*TRAIN, "-o", out, "--vlm", "tiny", "--synthetic", 4)
    assert code != 0
    assert "holds another model" in problem
    assert not (tmp_path / "out-work").exists()
