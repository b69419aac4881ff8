import json
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from framesift import cli
from framesift.disk.writing import writing_to
from framesift.errors import InvalidOptionError, StorageError
from framesift.fetching.limits import FetchLimits
from framesift.nn.frame_scorer_files import load_frame_scorer
from framesift.training import staged_training
from framesift.training.frame_selector import start, train
from framesift.training.frame_selector.recipe import PRESETS
from framesift.training.frame_selector.train import METRICS, SelectorTraining


@pytest.fixture
def labels(label_lines):
    return label_lines


@pytest.fixture
def training(begin, tmp_path):
    """Returns a run in a folder by values of the recipe that differ, and what it announces."""

    def training(work="work", **changes):
        one = replace(PRESETS["tiny"].stage_1, epochs=1.0)
        given = {"stage_1": one, "stage_2": one, "batch": 2, "held_out": 0.4, "measure_every": 1}
        made, recipe = begin(**given, **changes)
        told = []
        run = SelectorTraining(
            start=made,
            recipe=recipe,
            work=tmp_path / work,
            features=tmp_path / "features",
            limits=FetchLimits(),
            announce=told.append,
        )
        return run, told

    return training


def test_what_is_trained_can_be_loaded_and_measured(training, labels, tmp_path):
    run, told = training()
    out = run.run([labels], tmp_path / "out")
    loaded = load_frame_scorer(out, device="cpu", dtype="float32")
    assert loaded.card.tower == run.start.tower
    assert loaded.card.trained_on == "synthetic://"
    assert loaded.card.network.llm["num_hidden_layers"] == 3
    assert len(list((tmp_path / "features").iterdir())) == 4
    report = json.loads((out / METRICS).read_text())
    for stage in ("stage_1", "stage_2"):
        assert [line["loss"] for line in report[stage] if "loss" in line]
        assert [line["held_out_gain"] for line in report[stage] if "held_out_gain" in line]
    assert report["recipe"]["head"] == "query_key"
    assert any("step 1: held-out loss" in line for line in told)


def test_a_run_that_is_broken_off_goes_on_and_ends_the_same(
    training, labels, tmp_path, monkeypatch
):
    whole = training("whole")[0].run([labels], tmp_path / "whole-out")

    class KilledError(Exception):
        pass

    def measured_until(step):
        def measured(task, batches, questions):
            calls.append(1)
            if len(calls) > step:
                raise KilledError
            return {"loss": 0.0, "picked": 0.0, "any": 0.0, "best": 0.0, "gain": 0.0}

        calls = []
        return measured

    for step in (1, 2, 1000):
        monkeypatch.setattr(train, "measured", measured_until(step))
        try:
            training("broken")[0].run([labels], tmp_path / "broken-out")
        except KilledError:
            assert step < 1000
    weights, same = (
        load_file(tmp_path / name / "model.safetensors") for name in ("whole-out", "broken-out")
    )
    assert whole == tmp_path / "whole-out"
    for name, value in weights.items():
        torch.testing.assert_close(same[name], value, rtol=0, atol=0, msg=name)


def test_a_finished_stage_is_read_not_trained(training, labels, tmp_path, monkeypatch):
    first = load_file(training()[0].run([labels], tmp_path / "a") / "model.safetensors")
    monkeypatch.setattr(staged_training, "_arguments", None)
    again = load_file(training()[0].run([labels], tmp_path / "b") / "model.safetensors")
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.mark.parametrize("left", [None, b"", b'{"global_st'])
@pytest.mark.slow
def test_a_checkpoint_that_was_cut_off_is_passed_over(training, labels, tmp_path, left):
    first = load_file(training()[0].run([labels], tmp_path / "a") / "model.safetensors")
    (tmp_path / "work" / "stage_2" / "learned.safetensors").unlink()
    (state,) = (tmp_path / "work" / "stage_2").glob("checkpoint-*/trainer_state.json")
    state.unlink() if left is None else state.write_bytes(left)
    (tmp_path / "work" / "stage_2" / "checkpoint-of-mine").mkdir()
    again = load_file(training()[0].run([labels], tmp_path / "b") / "model.safetensors")
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_work_folder_takes_one_run_at_a_time_and_its_own_recipe(
    training, labels, tmp_path, monkeypatch
):
    monkeypatch.setattr(train, "WAIT_SECONDS", 0.0)
    with (
        writing_to(tmp_path / "work"),
        pytest.raises(StorageError, match="another process is writing"),
    ):
        training()[0].run([labels], tmp_path / "out")
    for foreign in ("[1]", "{"):
        (tmp_path / "work" / "recipe.json").write_text(foreign)
        with pytest.raises(InvalidOptionError, match="does not hold the recipe of a run"):
            training()[0].run([labels], tmp_path / "out")


def test_where_it_goes_is_looked_at_before_anything_is_trained(training, labels, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match=r"file' could not be written"):
        training()[0].run([labels], tmp_path / "file")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "qwen2"}')
    with pytest.raises(InvalidOptionError, match="holds another model, which"):
        training()[0].run([labels], tmp_path / "model")
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_another_llm_is_another_run(training, labels, tmp_path):
    run, _ = training()
    run.run([labels], tmp_path / "out")
    other = replace(training()[0], start=replace(run.start, llm="0123456789abcdef"))
    with pytest.raises(InvalidOptionError, match=r"another run.*llm=0123456789abcdef"):
        other.run([labels], tmp_path / "out")


@pytest.mark.slow
def test_a_work_folder_serves_one_run(training, labels, tmp_path):
    training()[0].run([labels], tmp_path / "out")
    with pytest.raises(InvalidOptionError, match=r"another run.*seed=1 and not 0") as error:
        training(seed=1)[0].run([labels], tmp_path / "out")
    assert "\n" not in str(error.value)
    fewer = tmp_path / "fewer.jsonl"
    fewer.write_text("\n".join(labels.read_text().splitlines()[:3]))
    with pytest.raises(InvalidOptionError, match=r"another run.*labels_file="):
        training()[0].run([fewer], tmp_path / "out")


def test_times_that_the_video_does_not_have_are_refused(training, labels, tmp_path):
    path = tmp_path / "labels.jsonl"
    line = json.loads(labels.read_text().splitlines()[0])
    changed = {"times_seconds": [0, 1, 90, 95], "labels": [0] * 4, "spatial": [0] * 4}
    path.write_text(json.dumps({**line, **changed}))
    with pytest.raises(InvalidOptionError, match="no 4 frames of its own at the times"):
        training(seed=3)[0].run([path], tmp_path / "out")


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs `framesift train frame-selector` here; returns exit code, stdout and stderr."""

    def call(*arguments):
        given = ["framesift", "train", "frame-selector", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


@pytest.mark.parametrize(
    "given",
    [
        ("--vlm", "tiny"),
        ("LABELS",),
        ("LABELS", "--vlm", "tiny", "--llm", "x"),
        ("LABELS", "--llm", "x"),
    ],
)
def test_what_to_begin_with_must_be_given(run, labels, tmp_path, given):
    arguments = [labels if each == "LABELS" else each for each in given]
    code, _, err = run(*arguments, "-o", tmp_path / "out")
    assert code == 2
    assert "either --vlm" in err


def test_a_bad_value_is_one_line(run, labels, tmp_path):
    code, _, err = run(labels, "-o", tmp_path / "out", "--vlm", "tiny", "--set", "batch=0")
    assert code == 2
    assert "batch='0' must be a whole number of at least 1" in err
    assert "Traceback" not in err


def test_the_folder_at_hand_has_a_work_folder_beside_it(run, labels, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(start, "begin_with_vlm", lambda name, recipe: None)
    works = []
    monkeypatch.setattr(SelectorTraining, "run", lambda self, given, out: works.append(self.work))
    code, _, _ = run(labels, "-o", ".", "--vlm", "tiny")
    assert (code, works) == (0, [tmp_path / "here-work"])
    code, _, err = run(labels, "-o", "", "--vlm", "tiny")
    assert code == 2
    assert "it is empty" in err


def test_the_command_hands_on_what_it_is_given(run, labels, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(start, "begin_with_vlm", lambda name, recipe: (name, recipe))
    monkeypatch.setattr(
        train.SelectorTraining, "run", lambda self, labels, out: calls.append((self, labels, out))
    )
    code, out, _ = run(
        *(labels, "-o", tmp_path / "out", "--vlm", "tiny", "--recipe", "tiny"),
        *("--set", "candidates=16", "--features", tmp_path / "seen"),
    )
    assert code == 0
    ((made, given, where),) = calls
    assert made.recipe == replace(PRESETS["tiny"], candidates=16)
    assert made.start == ("tiny", made.recipe)
    assert (made.work, made.features) == (tmp_path / "out-work", tmp_path / "seen")
    assert (given, where) == ((labels,), tmp_path / "out")
    assert f"mllm:model={tmp_path / 'out'}" in out
