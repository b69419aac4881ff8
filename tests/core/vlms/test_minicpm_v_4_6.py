"""MiniCPM-V 4.6: frames of their own proportions between marks, encoded whole."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from framesift.errors import ModelError
from framesift.testing import TINY_VLMS, compressed, random_frames
from framesift.types.plan import TokenPlan
from framesift.types.video import VideoInfo
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm
from framesift.vlms.minicpm_v_4_6 import MiniCPMV46

transformers = pytest.importorskip("transformers")

SIZES = [(90, 50), (240, 320), (288, 512), (720, 1280), (1810, 2048), (1280, 720), (1, 900)]


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("minicpm")
    TINY_VLMS["minicpm-v-4-6"].build(folder)
    return load_vlm(str(folder), device="cpu")


def info(height, width):
    return VideoInfo(
        width_px=width,
        height_px=height,
        duration_seconds=6.0,
        start_seconds=0.0,
        frame_count=6,
        average_fps=1.0,
        codec="none",
    )


@pytest.mark.parametrize("size", SIZES)
def test_frames_have_the_size_that_the_familys_own_processor_gives(vlm, size):
    own = vlm.image_processor
    picture = Image.fromarray(random_frames(1, size).data[0])
    given = own(images=[picture], max_slice_nums=1, return_tensors="pt")
    rows, columns = given["target_sizes"][0].tolist()
    assert vlm.encoder.fitted(info(*size)).size_px == (rows * 4, columns * 4)


def test_published_frames_have_about_64_tokens():
    vlm = MiniCPMV46(model="nowhere")
    vlm.__dict__["config"] = transformers.MiniCPMV4_6Config(vision_config={"patch_size": 14})
    vlm.__dict__["frame_pixels"] = SimpleNamespace(settings={})
    for size, grid in (((448, 448), (8, 8)), ((720, 1280), (6, 11)), ((1280, 720), (11, 6))):
        assert vlm.encoder.fitted(info(*size)).grid == grid


def test_marks_go_with_their_frames(vlm):
    tokens = vlm.encoder.fitted(info(64, 48)).encode(random_frames(3, (64, 48)))
    plan = TokenPlan.keep(torch.tensor([3, 26]), num_in=tokens.count, tokens_per_frame=12)
    prompt = vlm.prompt([Turn(role="user", text="What?", videos=(compressed(tokens, plan),))])
    text = vlm.tokenizer.decode(prompt.input_ids).replace(" ", "")
    assert "<image><|video_pad|></image><image><|video_pad|></image><|vision_end|>" in text


def test_layers_with_a_state_cannot_be_pruned_within(vlm):
    with pytest.raises(ModelError, match="carry a state"), vlm.in_llm(layer=1):
        pass
