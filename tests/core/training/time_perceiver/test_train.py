import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from framesift import VideoCompressor
from framesift.disk.writing import writing_to
from framesift.errors import InvalidOptionError, StorageError
from framesift.nn.time_perceiver_files import load_filling
from framesift.training.time_perceiver import train
from framesift.training.time_perceiver.adapting import freeze_for_stage_1
from framesift.training.time_perceiver.dataset import PerceiverBatches
from framesift.training.time_perceiver.recipe import PRESETS
from framesift.training.time_perceiver.start import begin
from framesift.training.time_perceiver.train import METRICS, PerceiverTraining
from framesift.vlms.load import load_vlm


@pytest.fixture
def training(start, tmp_path):
    """Returns a run in a folder by values of the recipe that differ, and what it announces."""

    def made(work="work", **changes):
        stage = replace(PRESETS["tiny"].stage_1, epochs=1.0)
        begun, recipe = start(**{"stage_1": stage, "held_out": 0.4, "measure_every": 1, **changes})
        told = []
        run = PerceiverTraining(
            start=begun, recipe=recipe, work=tmp_path / work, announce=told.append
        )
        return run, told

    return made


def test_what_is_trained_can_be_loaded_and_was_measured(training, videos, tmp_path):
    run, told = training()
    out = run.run(videos, tmp_path / "out")
    filling = load_filling(str(out), device="cpu", dtype="float32")
    card = run.start.task.filling.card
    assert filling.card == card
    assert card.trained_for.fingerprint == run.start.vlm.weights
    assert card.trained_for.vlm == "tiny"
    assert card.trained_on == "synthetic://"
    report = json.loads((out / METRICS).read_text())
    assert report["recipe"]["depth"] == 1
    measures = [line for line in report["stage_1"] if "held_out_loss" in line]
    assert measures
    assert {"held_out_right", "held_out_right_direction"} <= measures[0].keys()
    assert [line["loss"] for line in report["stage_1"] if "loss" in line]
    assert any("step 1: held-out loss" in line for line in told)


def test_a_run_that_is_broken_off_goes_on_and_ends_the_same(
    training, videos, tmp_path, monkeypatch
):
    training("whole")[0].run(videos, tmp_path / "whole-out")

    class KilledError(Exception):
        pass

    def measured_until(step):
        def measured(task, batches, videos):
            calls.append(1)
            if len(calls) > step:
                raise KilledError
            return {"loss": 0.0, "right": 0.0}

        calls = []
        return measured

    for step in (1, 1000):
        monkeypatch.setattr(train, "measured", measured_until(step))
        try:
            training("broken")[0].run(videos, tmp_path / "broken-out")
        except KilledError:
            assert step < 1000
    weights, same = (
        load_file(tmp_path / name / "model.safetensors") for name in ("whole-out", "broken-out")
    )
    for name, value in weights.items():
        assert torch.equal(value, same[name])


@pytest.mark.slow
def test_seeds_draw_other_networks_and_batches(training, videos, tmp_path):
    outs = [
        training(f"work-{seed}", seed=seed, held_out=0.0)[0].run(videos, tmp_path / f"{seed}")
        for seed in (0, 1)
    ]
    one, other = (load_file(out / "model.safetensors") for out in outs)
    name = "perceiver.blocks.0.query.weight"
    assert not torch.equal(one[name], other[name])


def test_a_work_folder_serves_one_run(training, videos, tmp_path):
    training(held_out=0.0)[0].run(videos, tmp_path / "out")
    with pytest.raises(InvalidOptionError, match=r"another run.*depth=2 and not 1") as error:
        training(depth=2, held_out=0.0)[0].run(videos, tmp_path / "out")
    assert "\n" not in str(error.value)
    with pytest.raises(InvalidOptionError, match=r"another run.*videos_and_questions="):
        training(held_out=0.0)[0].run(videos[:-1], tmp_path / "out")
    with writing_to(tmp_path / "work"), pytest.raises(StorageError):
        training(held_out=0.0)[0].run(videos, tmp_path / "out")


def test_another_model_is_not_overwritten(training, videos, tmp_path):
    out = tmp_path / "other"
    out.mkdir()
    (out / "config.json").write_text('{"model_type": "llava"}')
    with pytest.raises(InvalidOptionError, match="another model"):
        training()[0].run(videos, out)
    assert (out / "config.json").read_text() == '{"model_type": "llava"}'


def test_videos_must_be_left_to_learn_from(training, videos, tmp_path):
    with pytest.raises(InvalidOptionError, match=r"held_out=1\.0 leaves none of 8 videos"):
        training(held_out=1.0)[0].run(videos, tmp_path / "out")


def short(videos):
    """Returns the same videos, of one frame each."""
    return [
        replace(video, times_seconds=(0.0,), features=lambda made=video.features: made()[:1])
        for video in videos
    ]


def test_videos_of_one_frame_teach_nothing(training, videos, tmp_path):
    with pytest.raises(InvalidOptionError, match=r"none of \d videos .* two frames"):
        training()[0].run(short(videos), tmp_path / "out")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("stage", ["warm_start", "stage_1"])
def test_batches_of_pictures_among_videos_are_passed_over(stage, training, videos, tmp_path):
    run, _ = training(stage="post", head_dim=64, held_out=0.0, **stages(**{stage: 1.0}))
    # Batches hold videos of about the same length.
    out = run.run([*short(videos[:4]), *videos[4:]], tmp_path / "out")
    (curve,) = (v for k, v in json.loads((out / METRICS).read_text()).items() if k == stage)
    assert curve[-1]["step"] == 4
    load_filling(str(out), device="cpu", dtype="float32")


@pytest.mark.parametrize("segment", [1, 10**11])
def test_segments_have_two_to_256_frames(segment):
    with pytest.raises(InvalidOptionError, match=r"segment=.* from 2 to 256"):
        PRESETS["tiny"].changed([f"segment={segment}"])


def stages(**epochs):
    """Returns stages that run for some epochs each, by name."""
    named = {"warm_start": 0.0, "stage_1": 0.0, "stage_2": 0.0, **epochs}
    return {
        name: replace(PRESETS["tiny"].stage_1, epochs=count, optimizer="adamw")
        for name, count in named.items()
    }


@pytest.mark.parametrize("llm", ["lora", "all"])
def test_in_stage_2_the_llm_learns_and_is_kept(llm, training, videos, tiny, tmp_path):
    run, _ = training(llm=llm, lora_rank=4, held_out=0.0, **stages(stage_1=0.5, stage_2=0.5))
    before = {name: value.clone() for name, value in tiny.hf.state_dict().items()}
    out = run.run(videos, tmp_path / "out")
    vlm = load_vlm(str(out / "vlm"))
    card = load_filling(str(out), device="cpu", dtype="float32").card
    assert card.trained_for.fingerprint == vlm.weights != tiny.weights
    assert card.trained_for.vlm == "tiny:model=[vlm]"
    learned = vlm.hf.state_dict()
    moved = {name for name in before if not torch.equal(before[name], learned[name])}
    assert any("self_attn.q_proj" in name for name in moved)
    assert any("multi_modal_projector" in name for name in moved)
    assert any("embed_tokens" in name for name in moved) == (llm == "all")
    assert not any("vision_tower" in name for name in moved)
    # Whoever else has the model open still has the one that was not trained.
    for name, value in tiny.hf.state_dict().items():
        assert torch.equal(value, before[name])
    report = VideoCompressor(vlm=vlm, strategy=f"slow-fast:filling=[{out}]", keep=0.2).compress(
        "synthetic://number?seconds=4&width=64&height=64"
    )
    assert report.tokens.isfinite().all()


@pytest.mark.slow
def test_stage_2_that_is_broken_off_goes_on_and_ends_the_same(
    training, videos, tmp_path, monkeypatch
):
    few = {"held_out": 0.4, "lora_rank": 4, **stages(warm_start=0.5, stage_1=0.5, stage_2=1.0)}

    class KilledError(Exception):
        pass

    def killed(task, batches, given):
        if batches.name == "stage_2" and not calls:
            calls.append(1)
            raise KilledError
        return {"loss": 0.0, "right": 0.0}

    calls = [1]
    monkeypatch.setattr(train, "measured", killed)
    whole = training("whole", **few)[0].run(videos, tmp_path / "whole-out")
    calls.clear()
    with pytest.raises(KilledError):
        training("broken", **few)[0].run(videos, tmp_path / "broken-out")
    broken = training("broken", **few)[0].run(videos, tmp_path / "broken-out")
    for name in ("model.safetensors", "vlm/model.safetensors"):
        weights, same = load_file(whole / name), load_file(broken / name)
        for key, value in weights.items():
            assert torch.equal(value, same[key])


def test_a_warm_start_moves_the_network_and_not_the_projector(training, videos, tmp_path):
    run, told = training(held_out=0.0, **stages(warm_start=1.0))
    before = {name: v.clone() for name, v in run.start.task.filling.state_dict().items()}
    out = run.run(videos, tmp_path / "out")
    learned = run.start.task.filling.state_dict()
    moved = {name for name in before if not torch.equal(before[name], learned[name])}
    assert "perceiver.latents" in moved
    assert not any(name.startswith("projector") for name in moved)
    assert json.loads((out / METRICS).read_text())["warm_start"]
    assert told[0].startswith("warm start: 4 steps")


def test_layers_that_are_computed_again_give_the_same_gradients(start, videos):
    gradients = []
    for again in (False, True):
        # Of a model of its own, which nobody else has afterwards.
        begun, recipe = start(checkpoint_layers=again, **stages(stage_2=1.0))
        batches = PerceiverBatches(
            videos, begun.vlm, begun.strategy, recipe=recipe, epochs=1.0, name="stage_1"
        )
        freeze_for_stage_1(begun.task, recipe)
        begun.task.train()
        begun.task(**batches[0])["loss"].backward()
        gradients.append(begun.task.filling.perceiver.latents.grad.clone())
    assert torch.allclose(*gradients, atol=1e-6)


def test_a_trained_network_is_gone_on_with(training, start, videos, tmp_path):
    run, _ = training(held_out=0.0)
    out = run.run(videos, tmp_path / "out")
    again = begin("tiny", run.recipe, out)
    assert again.is_trained
    for name, value in load_file(out / "model.safetensors").items():
        assert torch.equal(again.task.filling.state_dict()[name], value.float())
    other = replace(run, start=again, work=tmp_path / "work")
    with pytest.raises(InvalidOptionError, match=r"another run, as now begun="):
        other.run(videos, tmp_path / "other")
    with pytest.raises(InvalidOptionError, match=r"segment=4 and not 3") as error:
        begin("tiny", replace(run.recipe, segment=3), out)
    assert "\n" not in str(error.value)


def test_embeddings_of_frames_begin_apart_where_the_recipe_says(training, videos, tmp_path):
    spread = float(videos[0].features().float().std())
    for places, low, high in ((0.0, 0.0, 0.0), (2.0, 1.8 * spread, 2.2 * spread)):
        run, _ = training(f"work-{places}", places=places, held_out=0.0, **stages())
        run.run(videos, tmp_path / f"out-{places}")
        assert low <= run.start.task.filling.perceiver.places.std().item() <= high
