"""MiniCPM-V 4.6: frames of their own proportions between marks, encoded whole."""

from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.errors import ModelError
from framesift.testing import TINY_VLMS, compressed, random_frames
from framesift.testing.tiny_vlms import own_inputs
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


def numbered(folder):
    """Returns a model whose checkpoint numbers its pictures."""
    TINY_VLMS["minicpm-v-4-6"].build(folder)
    settings = folder / "preprocessor_config.json"
    settings.write_text(
        settings.read_text().replace('"use_image_id": false', '"use_image_id": true')
    )
    return load_vlm(str(folder), device="cpu")


def pictured(vlm, *sizes, keep=1.0):
    compressor = VideoCompressor(vlm=vlm, strategy="uniform", keep=keep)
    pixels = [random_frames(1, size).data[0] for size in sizes]
    videos = tuple(compressor.compress(Image.fromarray(each)) for each in pixels)
    return vlm.prompt([Turn(role="user", text="What?", videos=videos)]), pixels


def test_pictures_have_numbers_and_lines_of_slices(tmp_path):
    vlm = numbered(tmp_path)
    prompt, _ = pictured(vlm, (90, 90), (40, 40))
    text = vlm.tokenizer.decode(prompt.input_ids).replace(" ", "").replace("<|image_pad|>", "")
    slices = "<slice></slice>" * 2
    first = f"<image_id>0</image_id><image></image>{slices}\n{slices}"
    assert f"{first}<|vision_end|><|vision_start|><image_id>1</image_id><image></image>" in text


def test_a_slice_that_loses_all_tokens_loses_its_marks(vlm):
    prompt, _ = pictured(vlm, (90, 90), keep=0.05)
    text = vlm.tokenizer.decode(prompt.input_ids).replace(" ", "")
    assert "<slice></slice>" not in text
    assert "<image></image>" not in text
    assert text.count("<|image_pad|>") == len(prompt.features)


@pytest.mark.torchvision
def test_numbers_are_those_of_its_own_processor(tmp_path):
    prompt, pixels = pictured(numbered(tmp_path), (90, 90), (40, 40))
    own = own_inputs(TINY_VLMS["minicpm-v-4-6"].processor, tmp_path, pixels, "What?")
    assert torch.equal(prompt.input_ids, own["input_ids"][0])


def test_layers_with_a_state_cannot_be_pruned_within(vlm):
    with pytest.raises(ModelError, match="carry a state"), vlm.in_llm(layer=1):
        pass
