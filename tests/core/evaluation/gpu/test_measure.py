"""The bench of a card runs small on a CPU, says so, and compares what it says it compares."""

import json
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("matplotlib")

from framesift.answering.prefix_cache import PrefixCache
from framesift.cli import main
from framesift.errors import InvalidOptionError
from framesift.evaluation.gpu import measure as bench
from framesift.evaluation.gpu.answers import QUESTIONS, BothPaths
from framesift.evaluation.gpu.clock import DeviceClock
from framesift.evaluation.gpu.goals import goals
from framesift.evaluation.gpu.models import PUBLISHED, TINY
from framesift.evaluation.gpu.picture import write_picture
from framesift.evaluation.gpu.still import made_up_frames
from framesift.evaluation.gpu.words import result_lines
from framesift.strategies import registry
from framesift.vlms.prompt import Turn

CPU = torch.device("cpu")
SMALL = replace(
    bench.SIZES["tiny"], models=TINY[:1], keeps={4: (0.25,)}, still=((4, 0.75), (4, 0.0))
)


@pytest.fixture(scope="module")
def results():
    return bench.measure(SMALL, CPU, lambda _: None)


def test_a_run_on_a_cpu_says_that_it_is_none_of_a_card(results):
    lines = result_lines(results)
    assert results["kind"] == "cpu"
    assert "(a CPU" in lines[0]
    assert "says nothing about a card" in lines[1]
    assert {goal["met"] for goal in results["goals"]} == {None}
    assert not any("met" in line.split() or "MISSED" in line for line in lines)


def test_every_strategy_that_plans_before_the_llm_is_measured(results):
    rows = results["planning"]["rows"]
    assert {row["strategy"] for row in rows} == set(registry.names()) - {"fastv"}
    assert all(row["seconds"] > 0 and row["launches"] > 0 for row in rows)


def test_the_stages_are_set_beside_the_own_path(results):
    (model,) = results["models"]
    (size,) = model["first_tokens"]
    (row,) = size["rows"]
    own = size["own"]
    assert row["tokens"] == round(0.25 * size["tokens"])
    assert row["times_as_fast_as_own"] == pytest.approx(own["seconds"] / row["seconds"])
    ways = [own["processor_seconds"], own["processor_on_device_seconds"]]
    quicker = min((way for way in ways if way), default=0)
    assert own["seconds"] == own["generate_seconds"] + quicker
    still, moving = model["skipping"]
    assert still["share_encoded"] < moving["share_encoded"] == 1
    assert model["decoding"]["compiled"]["not_compiled"].endswith("the model is on cpu")


def test_the_results_are_json_and_one_picture(results, tmp_path):
    assert json.loads(json.dumps(results)) == results
    path = write_picture(tmp_path / "gpu.png", results)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_goals_are_met_or_missed_on_a_card(results):
    good, bad = deepcopy(results), deepcopy(results)
    for found, factor in ((good, 1e-3), (bad, 1e3)):
        for row in found["planning"]["rows"]:
            row["share_of_encoding"], row["launches"] = factor, 300 * factor
        (model,) = found["models"]
        model["first_tokens"][0]["rows"][0]["times_as_fast_as_own"] = 1 / factor
        model["first_tokens"][0]["encode_times_tower"] = factor
        model["decoding"]["compiled_times_usual"] = factor
        model["decoding"]["compiled"]["second_times_first"] = factor
        for row in model["skipping"]:
            row["times_whole"], row["first_token_seconds"] = factor, factor
            model["first_tokens"][0]["own"]["seconds"] = 1.0
    assert all(goal.as_row(on_gpu=True)["met"] for goal in goals(good))
    assert not any(goal.as_row(on_gpu=True)["met"] for goal in goals(bad))
    verdicts = {**good, "note": "", "goals": [goal.as_row(on_gpu=True) for goal in goals(bad)]}
    assert sum("MISSED" in line for line in result_lines(verdicts)) == len(goals(bad))


@pytest.mark.parametrize("model", TINY, ids=lambda model: model.family)
def test_both_paths_give_the_same_answer_to_all_tokens(model, tmp_path):
    vlm = model.load(tmp_path, CPU)
    vlm.hf.float()
    frames = made_up_frames(4, (112, 112), still=False)
    paths = BothPaths(clock=DeviceClock(device=CPU), model=model, vlm=vlm, frames=frames)
    own = vlm.hf.generate(**paths.own_inputs, max_new_tokens=6, do_sample=False, pad_token_id=0)
    video = paths.reduced(paths.encoded(), 1.0)
    turn = Turn(role="user", text=QUESTIONS[0], videos=(video,))
    inputs, _ = PrefixCache().prepare(vlm.hf, vlm.prompt([turn]))
    ours = vlm.hf.generate(**inputs, max_new_tokens=6, do_sample=False, pad_token_id=0)
    assert torch.equal(ours, own)


@pytest.mark.parametrize(("place", "billions"), [(0, 8.0), (1, 8.3)])
def test_published_models_have_their_size(place, billions, tmp_path):
    vlm = PUBLISHED[place].load(tmp_path, torch.device("meta"))
    count = sum(weight.numel() for weight in vlm.hf.parameters())
    assert count / 1e9 == pytest.approx(billions, abs=0.06)
    assert vlm.hf.dtype == torch.bfloat16
    assert not list(tmp_path.glob("*.safetensors"))


def test_three_quarters_of_made_up_frames_stand_still():
    frames = made_up_frames(6, (64, 64), still=True).data
    assert (frames[1:] == frames[:1]).all((0, 3)).mean() == pytest.approx(0.75, abs=0.01)
    moving = made_up_frames(6, (64, 64), still=False).data
    assert (moving[1:] == moving[:1]).all((0, 3)).mean() < 0.05
    assert np.array_equal(made_up_frames(6, (64, 64), still=False).data, moving)


def refusing(*_, **__):
    raise torch.OutOfMemoryError("full, in\nparagraphs")


PARTS = {
    "own_answer": "4 frames: own path",
    "own_features": "4 frames: tower alone",
    "first_token": "4 frames: keep 0.25",
    "encoded": "4 frames to the first token",
}


@pytest.mark.parametrize("part", PARTS)
def test_what_a_card_is_too_small_for_leaves_the_rest(part, monkeypatch, tmp_path):
    monkeypatch.setattr(BothPaths, part, refusing)
    kept = []
    found = bench.measure(SMALL, CPU, lambda _: None, lambda so_far: kept.append(deepcopy(so_far)))
    assert kept[-1] == json.loads(json.dumps(found))
    named = {failure["section"]: failure["error"] for failure in found["failures"]}
    assert any(PARTS[part] in name for name in named)
    assert set(named.values()) == {"the device has no memory for it"}
    assert len(found["planning"]["rows"]) == len(registry.names()) - 1
    assert found["models"][0]["from_file"]["seconds"] > 0
    assert sum("FAILED" in line for line in result_lines(found)) == len(named)
    assert write_picture(tmp_path / "gpu.png", found).exists()
    before = [so_far for so_far in kept if so_far["planning"] and not so_far["models"]]
    assert before, "plans are kept before a model is made"


def test_a_plan_and_a_model_that_fail_leave_the_others(monkeypatch, tmp_path):
    monkeypatch.setattr(registry.get("evs"), "plan", refusing)
    broken = replace(TINY[0], published="broken", make=refusing)
    found = bench.measure(replace(SMALL, models=(broken, *SMALL.models)), CPU, lambda _: None)
    assert [failure["section"] for failure in found["failures"]] == [
        "plan of evs",
        "broken: weights",
    ]
    assert "evs" not in {row["strategy"] for row in found["planning"]["rows"]}
    assert [model["name"] for model in found["models"]] == [TINY[0].published]
    assert not any("evs" in goal["name"] for goal in found["goals"])
    assert write_picture(tmp_path / "gpu.png", found).exists()


def test_a_step_that_cannot_be_compiled_leaves_the_usual_answers(monkeypatch, tmp_path):
    monkeypatch.setattr("framesift.evaluation.gpu.decoding.warm_up", refusing)
    found = bench.measure(SMALL, CPU, lambda _: None)
    decoding = found["models"][0]["decoding"]
    assert decoding["compiled"] is None
    assert decoding["usual"]["ms_per_token"] > 0
    assert not any("compiled" in goal["name"] for goal in found["goals"])
    assert write_picture(tmp_path / "gpu.png", found).exists()
    assert result_lines(found)


def test_the_large_models_are_refused_on_a_cpu(capsys):
    with pytest.raises(InvalidOptionError, match="on a CPU would take hours"):
        bench.bench_device("cpu", "7b")
    assert bench.bench_device("cpu", "tiny") == CPU


def test_the_command_writes_figures_and_picture(monkeypatch, tmp_path, capsys, results):
    monkeypatch.setattr(bench, "measure", lambda *_: results)
    arguments = ["framesift", "bench", "gpu", "--size", "tiny", "--device", "cpu"]
    monkeypatch.setattr("sys.argv", [*arguments, "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    assert json.loads((tmp_path / "out" / "gpu.json").read_text()) == results
    assert (tmp_path / "out" / "gpu.png").exists()
    assert "says nothing about a card" in capsys.readouterr().out


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_kernels_are_counted_on_a_gpu():
    clock = DeviceClock(device=torch.device("cuda"))
    values = torch.ones(1000, device="cuda")
    assert clock.launches(lambda: values.sin().cos()) == 2
    assert clock.measured(lambda: values.sin())[1] > 0
