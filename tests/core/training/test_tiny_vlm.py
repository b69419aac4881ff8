import functools
import json
import shutil
import sys
from collections import Counter
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file

from framesift import VideoCompressor, cli, load_vlm
from framesift.errors import InvalidOptionError, StorageError
from framesift.testing import TINY_VLMS
from framesift.training import tiny_vlm
from framesift.training.fit import TrainingPace
from framesift.training.language_stage import AnswerTask
from framesift.training.recipe import Recipe
from framesift.training.tiny_vlm import CURVES, train
from framesift.training.tower_stage import TowerTask
from framesift.training.work_folder import RECIPE
from framesift.vlms.origin import fingerprint

SMALL = Recipe(
    pages=2,
    clips=4,
    stills=4,
    tower_steps=2,
    language_steps=2,
    glimpses_first=1,
    tower_batch=4,
    language_batch=2,
    seed=0,
    processes=1,
)
URI = "synthetic://number?seconds=4&width=160&height=90"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a model that has seen next to nothing, its work folder, and what was told."""
    folder, lines = tmp_path_factory.mktemp("train"), []
    out = train(folder / "model", SMALL, work=folder / "work", announce=lines.append)
    return out, folder / "work", lines


def stamps(folder):
    """Returns when each file of a folder was last written."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in files}


def counting(forward, calls):
    """Returns a method that counts its calls under its own name, with the same signature."""

    @functools.wraps(forward)
    def counted(*given, **named):
        calls[forward.__qualname__] += 1
        return forward(*given, **named)

    return counted


@pytest.mark.slow
def test_what_is_trained_can_be_loaded_and_asked(trained):
    out, _, lines = trained
    vlm = load_vlm(str(out))
    assert vlm.hf.dtype == torch.float32
    assert 2e6 < sum(weights.numel() for weights in vlm.hf.parameters()) < 6e6
    answer = VideoCompressor(vlm=vlm, keep=0.5).ask(URI, "What number flashes?")
    assert answer.usage.visual_tokens_after == answer.usage.visual_tokens_before / 2
    assert answer.usage.answer_tokens >= 1
    assert len(lines) == 3
    assert all("\n" not in line for line in lines)


@pytest.mark.slow
def test_weights_are_kept_in_half_precision_and_without_pickles(trained):
    out, _, _ = trained
    assert not [path for path in out.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    weights = load_file(out / "model.safetensors")
    assert {values.dtype for values in weights.values()} == {torch.float16}
    assert (out / "model.safetensors").stat().st_size < 12e6


@pytest.mark.slow
def test_curves_lie_beside_the_model(trained):
    curves = json.loads((trained[0] / CURVES).read_text())
    assert Recipe(**curves["recipe"]) == SMALL
    for stage in ("tower", "language"):
        assert curves[stage]
        assert all(0 < point["loss"] < 100 for point in curves[stage])
        assert [point["step"] for point in curves[stage]] == sorted(
            point["step"] for point in curves[stage]
        )


@pytest.mark.slow
def test_a_second_run_goes_on_from_the_work_folder(trained, tmp_path, monkeypatch):
    out, work, _ = trained
    again, steps = tmp_path / "work", Counter()
    shutil.copytree(work, again)
    drawn = {name: stamps(again / name) for name in ("stills", "clips")}
    for task in (TowerTask, AnswerTask):
        monkeypatch.setattr(task, "forward", counting(task.forward, steps))
    recipe = replace(SMALL, processes=2)
    found = train(tmp_path / "model", recipe, work=again, announce=lambda line: None)
    assert {name: stamps(again / name) for name in drawn} == drawn
    # At its end transformers takes one step more, with a learning rate of zero.
    assert max(steps.values(), default=0) <= 1
    weights, same = (load_file(folder / "model.safetensors") for folder in (out, found))
    assert set(same) == set(weights)
    for name, values in weights.items():
        torch.testing.assert_close(same[name], values, rtol=0, atol=0, msg=name)
    curves, before = (json.loads((folder / CURVES).read_text()) for folder in (found, out))
    assert (curves["tower"], curves["language"]) == (before["tower"], before["language"])


@pytest.mark.parametrize(
    "amounts",
    [{"clips": 0}, {"stills": -3}, {"tower_steps": 0}, {"language_batch": 0}, {"processes": 0}],
)
def test_too_little_is_refused_in_one_line(amounts):
    ((name, value),) = amounts.items()
    with pytest.raises(
        InvalidOptionError, match=f"{name}={value} must be a whole number of"
    ) as error:
        Recipe(**amounts)
    assert "\n" not in str(error.value)


def test_fewer_clips_than_batches_take_are_refused_in_one_line():
    assert Recipe(clips=12, language_batch=6).clips == 12
    with pytest.raises(InvalidOptionError, match=r"clips=11 .*language_batch=6.* 12") as error:
        Recipe(clips=11, language_batch=6)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("change", [{"seed": 1}, {"stills": 5}, {"language_steps": 3}])
def test_a_work_folder_serves_one_recipe(change, tmp_path):
    ((name, value),) = change.items()
    (tmp_path / RECIPE).write_text(json.dumps(asdict(SMALL)))
    told = []
    with pytest.raises(InvalidOptionError, match=f"another run.*{name}={value} and not") as error:
        train(tmp_path / "model", replace(SMALL, **change), work=tmp_path, announce=told.append)
    assert "\n" not in str(error.value)
    assert told == []
    assert [path.name for path in tmp_path.iterdir()] == [RECIPE]


def test_the_seed_may_be_zero_but_not_less():
    assert Recipe(seed=0).seed == 0
    with pytest.raises(InvalidOptionError, match="seed=-1") as error:
        Recipe(seed=-1)
    assert "\n" not in str(error.value)


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs `framesift train tiny-vlm` in this process; returns exit code, stdout and stderr."""

    def call(*arguments):
        given = ["framesift", "train", "tiny-vlm", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", given)
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


def test_help_names_every_amount(run):
    code, out, _ = run("--help")
    assert code == 0
    for option in ("--out", "--work", "--clips", "--stills", "--tower-steps", "--language-steps"):
        assert option in out


def test_a_bad_amount_is_one_line_and_draws_nothing(run, tmp_path):
    code, _, err = run("--out", tmp_path / "model", "--clips", "0")
    assert code != 0
    assert "clips=0 must be a whole number of at least 1" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_the_command_hands_on_what_it_is_given(run, tmp_path, monkeypatch):
    calls = []

    def noted(out, recipe, *, work, announce, vlm):
        announce("drawing")
        calls.append((out, recipe, work, vlm))

    monkeypatch.setattr(tiny_vlm, "train", noted)
    code, out, err = run("-o", tmp_path / "model", "--clips", "50", "--seed", "7")
    assert code == 0
    assert calls == [(tmp_path / "model", Recipe(clips=50, seed=7), tmp_path / "model-work", None)]
    assert err == "drawing\n"
    assert str(tmp_path / "model") in out
    run("-o", tmp_path / "model", "--work", tmp_path / "there", "--tower-steps", "9")
    assert calls[1] == (tmp_path / "model", Recipe(tower_steps=9), tmp_path / "there", None)
    on = ["--vlm", tmp_path, "--first-seed", 600, "--seconds", 9.5, "--language-batch", 64]
    run("-o", tmp_path / "model", *on, "--language-rate", 2e-3, "--glimpses-first", 1)
    recipe = Recipe(
        first_seed=600, seconds=9.5, language_batch=64, language_rate=2e-3, glimpses_first=1
    )
    assert calls[2] == (tmp_path / "model", recipe, tmp_path / "model-work", tmp_path)


@pytest.mark.slow
def test_a_run_that_goes_on_with_a_model_leaves_its_tower_as_it_is(trained, tmp_path):
    out, work, _ = trained
    shutil.copytree(work / "clips", tmp_path / "work" / "clips")
    recipe = replace(SMALL, glimpses_first=0, language_rate=1e-2)
    lines = []
    found = train(
        tmp_path / "model", recipe, work=tmp_path / "work", announce=lines.append, vlm=out
    )
    before, after = (load_file(folder / "model.safetensors") for folder in (out, found))
    assert set(before) == set(after)
    same = {name for name, values in before.items() if torch.equal(values, after[name])}
    assert {name for name in before if "vision_tower" in name} <= same
    assert len(same) < len(before)
    assert [line.split()[0] for line in lines] == ["drawing", "teaching"]
    curves = json.loads((found / CURVES).read_text())
    assert (curves["tower"], curves["begun"]) == ([], fingerprint(str(out)))
    assert (found / "tokenizer.json").read_bytes() == (out / "tokenizer.json").read_bytes()
    with pytest.raises(InvalidOptionError, match=r"another run.*begun="):
        train(tmp_path / "model", recipe, work=tmp_path / "work", announce=lines.append)


def test_a_run_by_the_clock_ends_with_a_rate_of_zero():
    pace = TrainingPace(steps=1000, seconds=20.0)
    assert 0 < pace(0) < pace(25) < pace(50) == 1
    pace.spent_seconds = 10.5
    assert pace(60) == pytest.approx(0.5)
    pace.spent_seconds = 20.0
    assert (pace.done(60), pace(60)) == (1, 0)
    unbound = TrainingPace(steps=1000, seconds=0.0)
    unbound.spent_seconds = 1e9
    assert unbound.done(60) == 0.06
    assert unbound(1000) == 0


def test_another_kind_of_model_is_refused_before_anything_is_kept(tmp_path):
    TINY_VLMS["qwen3-vl"].build(tmp_path / "qwen")
    with pytest.raises(InvalidOptionError, match="'qwen' is not a tiny model") as error:
        train(
            tmp_path / "out",
            Recipe(clips=16),
            work=tmp_path / "work",
            announce=print,
            vlm=tmp_path / "qwen",
        )
    assert "\n" not in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["qwen"]


def test_a_place_that_can_be_no_folder_is_refused_before_anything_is_drawn(tmp_path):
    (tmp_path / "file").write_text("in the way")
    lines = []
    with pytest.raises(StorageError, match=r"file.*could not be written") as error:
        train(tmp_path / "file", SMALL, work=tmp_path / "work", announce=lines.append)
    assert "\n" not in str(error.value)
    assert lines == []
