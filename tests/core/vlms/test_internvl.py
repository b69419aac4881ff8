"""InternVL: numbered frames, pixel-shuffled patches, the summary token dropped."""

import shutil
from dataclasses import replace

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.errors import ModelError  # noqa: E402
from framesift.testing import (  # noqa: E402
    TINY_VLMS,
    assert_near,
    compressed,
    random_frames,
)
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.internvl import InternVL  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("internvl")
    TINY_VLMS["internvl"].build(found)
    return found


@pytest.fixture(scope="module")
def vlm(folder):
    return load_vlm(str(folder), device="cpu")


def prompt_text(vlm, kept, frames=4):
    tokens = vlm.encoder.encode(random_frames(frames, (32, 32)))
    plan = TokenPlan.keep(torch.tensor(kept), num_in=frames * 4, tokens_per_frame=4)
    turn = Turn(role="user", text="Why?", videos=(compressed(tokens, plan),))
    ids = vlm.prompt([turn]).input_ids
    return "".join(vlm.tokenizer.convert_ids_to_tokens(ids))


def test_frames_without_tokens_lose_their_line_and_the_others_keep_their_numbers(vlm):
    assert prompt_text(vlm, [0, 3, 9]) == (
        "<s><|im_start|>user\nFrame1: <img><image><image></img>\nFrame3: <img><image></img>\n"
        "Why?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert prompt_text(vlm, [15]).startswith("<s><|im_start|>user\n\nFrame4: <img><image></img>\n")


def test_four_patches_make_one_token(vlm):
    assert vlm.encoder.grid == (2, 2)
    assert vlm.encoder.input_px == (896, 896)


def test_attention_is_that_of_the_summary_token(vlm):
    frames = random_frames(3, (32, 32))
    found = vlm.encoder.encode(frames).signals.attention
    tower = vlm.hf.base_model.vision_tower
    pixels = vlm.encoder.pixels(frames.data)
    tower.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            weights = tower(pixels, output_attentions=True).attentions[-1]
    finally:
        tower.set_attn_implementation("sdpa")
    rows = weights.mean(1)[:, 0, 1:].view(3, 2, 2, 2, 2)
    assert_near(found, rows.mean((2, 4)).flatten(1))


def test_features_of_an_earlier_layer_come_with_the_attention_of_that_layer(folder, tmp_path, vlm):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = transformers.AutoConfig.from_pretrained(folder)
    config.vision_feature_layer = -2
    config.save_pretrained(tmp_path)
    early, frames = load_vlm(str(tmp_path), device="cpu"), random_frames(2, (32, 32))
    layers = early.hf.base_model.vision_tower.encoder.layer
    assert early.encoder.layer is layers[-2].attention
    found, late = early.encoder.encode(frames), vlm.encoder.encode(frames)
    with torch.no_grad():
        pixels = early.encoder.pixels(frames.data)
        expected = early.hf.base_model.get_image_features(pixels, return_dict=True).pooler_output
    assert_near(found.features, expected)
    for name, value in found.signals.present().items():
        assert name == "edge_density" or not torch.allclose(value, getattr(late.signals, name))


@pytest.mark.parametrize("size", [[32, 64], [24, 24]])
def test_a_tower_whose_patches_make_no_square_of_tokens_is_refused(folder, tmp_path, size):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = transformers.AutoConfig.from_pretrained(folder)
    config.vision_config.image_size = size
    config.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"joins 2x2; .* checkpoint with such a tower") as error:
        _ = InternVL(model=str(tmp_path)).encoder
    assert "\n" not in str(error.value)


def test_frames_of_any_size_are_squashed(vlm):
    for size in ((40, 90), (7, 5)):
        tokens = vlm.encoder.encode(random_frames(2, size))
        assert tokens.features.shape == (2, 4, vlm.width)
        assert torch.isfinite(tokens.features).all()


def test_batches_of_frames_are_one_run(vlm):
    frames = random_frames(5, (32, 32))
    small = replace(vlm.encoder, batch_size=2).encode(frames)
    assert_near(small.features, vlm.encoder.encode(frames).features)
