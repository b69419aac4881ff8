import json
import pickle
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save

pytest.importorskip("transformers")

from framesift.errors import InvalidOptionError, InvalidTokensError, ModelError
from framesift.nn.time_perceiver import TimePerceiverConfig
from framesift.nn.time_perceiver_files import (
    FILLINGS,
    ProjectorConfig,
    SlowFastFilling,
    TimePerceiverCard,
    TrainedFor,
    load_filling,
    read_filling_card,
    save_filling,
)
from framesift.vlms.load import load_vlm

CARD = TimePerceiverCard(
    perceiver=TimePerceiverConfig(width=16, grid=(4, 6), out_grid=(2, 3), head_dim=8),
    stage="pre",
    projector=ProjectorConfig(width=16, width_out=24),
    segment=4,
    key_grid=(4, 6),
    include_key=True,
    trained_for=TrainedFor(vlm="tiny", fingerprint="0c8d30b9f7e924e9"),
    trained_on="synthetic://",
)
POST = replace(CARD, stage="post", projector=None)


def filling(card=CARD):
    torch.manual_seed(0)
    made = SlowFastFilling(card).eval()
    with torch.no_grad():
        for value in made.parameters():
            value.add_(0.1 * torch.randn_like(value))
    return made


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_filling(filling(), tmp_path_factory.mktemp("filling") / "made")


def copied(folder, there, **changes):
    """A copy of a folder with other values in its config.json; dots lead into its objects."""
    there.mkdir()
    for path in folder.iterdir():
        (there / path.name).write_bytes(path.read_bytes())
    config = json.loads((there / "config.json").read_text())
    for name, value in changes.items():
        *outer, last = name.split("__")
        place = config
        for key in outer:
            place = place[key]
        place[last] = value
    (there / "config.json").write_text(json.dumps(config))
    return there


def load(folder, dtype="float32"):
    return load_filling(str(folder), device="cpu", dtype=dtype)


@torch.no_grad()
@pytest.mark.parametrize("card", [CARD, POST], ids=["pre", "post"])
def test_what_is_saved_gives_the_same_tokens(tmp_path, card):
    made = filling(card)
    loaded = load(save_filling(made, tmp_path / "made"))
    assert loaded.card == card == read_filling_card(str(tmp_path / "made"))
    assert not loaded.training
    frames, live = torch.randn(3, 4, 24, 16), torch.rand(3, 4, 24) < 0.7
    given = loaded(frames, live)
    assert given.shape == (3, 6, 24 if card.projector else 16)
    torch.testing.assert_close(given, made(frames, live), rtol=2e-2, atol=5e-3)


def test_weights_are_kept_in_half_precision_and_loaded_in_what_is_wanted(saved):
    weights = load_file(saved / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}
    for dtype in (torch.float32, torch.bfloat16):
        assert {value.dtype for value in load(saved, dtype).parameters()} == {dtype}


@torch.no_grad()
def test_many_segments_equal_one_at_a_time():
    made, frames = filling(), torch.randn(35, 2, 24, 16)
    live = torch.rand(35, 2, 24) < 0.7
    alone = torch.cat([made(frames[i : i + 1], live[i : i + 1]) for i in range(35)])
    torch.testing.assert_close(made(frames, live), alone, rtol=0, atol=1e-5)


@torch.no_grad()
def test_it_takes_the_projector_of_a_llava_as_it_is():
    own = load_vlm("tiny").hf.base_model.multi_modal_projector
    perceiver = TimePerceiverConfig(width=192, grid=(8, 8), out_grid=(4, 4))
    projector = ProjectorConfig(width=192, width_out=192)
    card = replace(CARD, perceiver=perceiver, projector=projector, key_grid=(8, 8))
    made = SlowFastFilling(card)
    made.projector.load_state_dict(own.state_dict())
    keys = torch.randn(5, 192)
    torch.testing.assert_close(made.projected(keys), own(keys), rtol=0, atol=1e-5)


def test_without_a_projector_tokens_are_as_the_llm_reads_them():
    keys = torch.randn(5, 16)
    assert filling(POST).projected(keys) is keys


def test_a_folder_without_a_filling_is_refused_in_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"holds no config\.json of a filling") as error:
        read_filling_card(str(tmp_path))
    assert "\n" not in str(error.value)
    assert "framesift train time-perceiver" in str(error.value)


def test_a_hub_id_is_found_in_the_cache_of_this_machine(saved, tmp_path, monkeypatch):
    cached = tmp_path / "models--somebody--filling"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc")
    shutil.copytree(saved, cached / "snapshots" / "abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert load("somebody/filling").card == CARD
    (cached / "snapshots" / "abc" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"'somebody/filling' .*out of reach"):
        load("somebody/filling")


@pytest.mark.parametrize("name", ["no/such/folder/here", "nowhere-at-all"])
def test_a_name_that_is_neither_a_folder_nor_within_reach_is_refused_in_one_line(name):
    with pytest.raises(ModelError, match=name) as error:
        load_filling(name, device="cpu", dtype="float32")
    assert "\n" not in str(error.value)
    assert "pass a folder that `framesift train time-perceiver` wrote" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"kind": "framesift-frame-scorer"}, "of kind 'framesift-frame-scorer'"),
        ({"version": 2}, "version 2"),
        ({"perceiver": 3}, "does not describe a filling"),
        ({"stage": "within"}, "does not describe a filling"),
        ({"perceiver__head_dim": 7}, r"does not describe a filling.*multiple of head_dim=7"),
        ({"perceiver__depth": 10**9}, r"does not describe a filling.*depth"),
        ({"perceiver__grid": [10**6, 10**6]}, r"does not describe a filling"),
        ({"segment": 5}, r"segment=5 must be at most frames_max=4"),
        ({"key_grid": [5, 6]}, r"key_grid=\(5, 6\) must not exceed grid=\(4, 6\)"),
        ({"projector__width": 17}, r"projector\.width=17 must be the width .* 16"),
        ({"projector__activation": "relu"}, r"does not describe a filling"),
        ({"stage": "post"}, r"stage='post' must come with a projector where it is 'pre'"),
        ({"projector": None}, r"stage='pre' must come with a projector"),
    ],
)
def test_another_configuration_is_refused_in_one_line(saved, tmp_path, changes, line):
    with pytest.raises(ModelError, match=line) as error:
        load(copied(saved, tmp_path / "other", **changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"perceiver__width": 32, "projector__width": 32}, r"perceiver\.blocks"),
        ({"perceiver__out_grid": [2, 2]}, r"perceiver\.latents"),
        ({"perceiver__frames_max": 5}, r"perceiver\.places"),
        ({"perceiver__depth": 3}, r"perceiver\.blocks\.2"),
        ({"perceiver__ff_mult": 10**9}, r"perceiver\.blocks\.0\.inner"),
        ({"projector__width_out": 25}, r"projector\.linear_1"),
        ({"stage": "post", "projector": None}, r"projector\.linear_1"),
    ],
)
def test_weights_of_another_size_are_refused(saved, tmp_path, changes, name):
    folder = copied(saved, tmp_path / "other", **changes)
    with pytest.raises(ModelError, match=rf"does not fit its config\.json, such as in '{name}"):
        load(folder)


@torch.no_grad()
def test_tokens_of_another_grid_are_refused_although_the_weights_fit_it(saved, tmp_path):
    loaded = load(copied(saved, tmp_path / "other", perceiver__grid=[8, 6]))
    with pytest.raises(InvalidTokensError, match=r"takes tokens \(S, F, 48, 16\)"):
        loaded(torch.zeros(1, 4, 24, 16), torch.ones(1, 4, 24, dtype=torch.bool))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_neither_loaded_nor_saved(saved, tmp_path, value):
    folder = copied(saved, tmp_path / "other")
    weights = {name: each.clone() for name, each in load_file(saved / "model.safetensors").items()}
    weights["perceiver.latents"].view(-1)[0] = value
    (folder / "model.safetensors").write_bytes(save(weights))
    with pytest.raises(ModelError, match=r"not a finite number, such as in 'perceiver\.latents'"):
        load(folder)
    astray = filling()
    with torch.no_grad():
        astray.perceiver.latents[0, 0] = value
    with pytest.raises(ModelError, match=r"went astray: 'perceiver\.latents'"):
        save_filling(astray, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64])
def test_weights_of_another_kind_of_number_are_refused(saved, tmp_path, dtype):
    folder = copied(saved, tmp_path / "other")
    weights = load_file(saved / "model.safetensors")
    weights["perceiver.latents"] = weights["perceiver.latents"].to(dtype)
    (folder / "model.safetensors").write_bytes(save(weights))
    with pytest.raises(ModelError, match=r"such as in 'perceiver\.latents'"):
        load(folder)


def test_weights_of_eight_bits_are_loaded_and_held_to_be_finite(saved, tmp_path):
    folder = copied(saved, tmp_path / "other")
    weights = load_file(saved / "model.safetensors")
    weights["perceiver.latents"] = weights["perceiver.latents"].to(torch.float8_e4m3fn)
    (folder / "model.safetensors").write_bytes(save(weights))
    assert load(folder).perceiver.latents.isfinite().all()
    weights["perceiver.latents"][0, 0] = float("nan")
    (folder / "model.safetensors").write_bytes(save(weights))
    with pytest.raises(ModelError, match=r"not a finite number, such as in 'perceiver\.latents'"):
        load(folder)


class Marked:
    """Leaves a mark where a pickle of it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_pickled_weights_are_refused_unread(saved, tmp_path, name):
    folder = copied(saved, tmp_path / "other")
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(pickle.dumps(Marked(tmp_path / "read")))
    with pytest.raises(ModelError, match=r"no readable model\.safetensors"):
        load(folder)
    assert not (tmp_path / "read").exists()


def test_weights_that_were_cut_off_are_named(saved, tmp_path):
    folder = copied(saved, tmp_path / "other")
    whole = (folder / "model.safetensors").read_bytes()
    for kept in (0, 7, 100, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:kept])
        with pytest.raises(ModelError, match=r"no readable model\.safetensors"):
            load(folder)


def test_a_place_that_holds_another_model_is_refused_before_training(saved, tmp_path):
    FILLINGS.check_place(saved)
    FILLINGS.check_place(tmp_path / "new")
    with pytest.raises(InvalidOptionError, match="holds another model"):
        FILLINGS.check_place(copied(saved, tmp_path / "other", kind="llava"))
