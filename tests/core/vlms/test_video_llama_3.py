"""VideoLLaMA3: frames share the pixels of their video, and each comes after its time."""

from dataclasses import replace

import pytest
import torch

from framesift.testing import TINY_VLMS, compressed, random_frames
from framesift.testing.rounding import assert_near
from framesift.types.plan import TokenPlan
from framesift.types.video import VideoInfo
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

transformers = pytest.importorskip("transformers")

SIZES = [(90, 50), (240, 320), (288, 512), (720, 1280), (1810, 2048), (1280, 720), (9, 1500)]


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("video-llama-3")
    TINY_VLMS["video-llama-3"].build(folder)
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
@pytest.mark.parametrize("frames", [1, 6, 180])
def test_frames_have_the_size_that_the_familys_own_rule_gives(vlm, size, frames):
    from transformers.models.video_llama_3.image_processing_pil_video_llama_3 import smart_resize

    limits = vlm.frame_pixels.settings["size"]
    expected = smart_resize(
        *size,
        factor=16,
        min_pixels=limits["shortest_edge"],
        max_pixels=limits["longest_edge"] // frames,
    )
    assert vlm.encoder.fitted(info(*size), frames).size_px == expected


def test_pixels_that_older_settings_name_hold(vlm):
    older = replace(vlm.frame_pixels, settings={"max_pixels": 16 * 16 * 16, "min_pixels": 256})
    object.__setattr__(vlm, "frame_pixels", older)
    try:
        assert vlm.encoder.fitted(info(720, 1280), 4).grid == (1, 2)
    finally:
        del vlm.__dict__["frame_pixels"]


def test_times_go_with_their_frames(vlm):
    tokens = vlm.encoder.fitted(info(64, 48), 3).encode(random_frames(3, (64, 48), fps=2))
    kept = torch.tensor([3, 26])
    plan = TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=12)
    prompt = vlm.prompt([Turn(role="user", text="What?", videos=(compressed(tokens, plan),))])
    text = vlm.tokenizer.decode(prompt.input_ids).replace(" ", "").replace("<|video_pad|>", "#")
    assert "<|vision_start|>Time0.0s:#,Time1.0s:#<|vision_end|>" in text


def test_what_is_projected_alone_is_what_the_model_projects(vlm):
    tokens = vlm.encoder.fitted(info(64, 48), 2).encode(random_frames(2, (64, 48)))
    assert vlm.encoder.has_projector
    assert_near(vlm.encoder.project(tokens.signals.pre_projector), tokens.features)


@pytest.mark.torchvision
def test_what_its_processor_drops_by_itself_is_a_plan_with_compact_positions(vlm, tmp_path):
    frames = random_frames(6, (64, 48))
    frames.data[1:4, 16:] = frames.data[0, 16:]
    frames.data[5] = frames.data[4]
    TINY_VLMS["video-llama-3"].build(tmp_path)
    settings = tmp_path / "video_preprocessor_config.json"
    settings.write_text(settings.read_text().replace("false", "true"))
    own = TINY_VLMS["video-llama-3"].processed(tmp_path, frames, "What?")
    kept = own["video_compression_mask"].nonzero().flatten()
    assert len(kept) == 12 + 3 * 3 + 12 + 1

    tokens = vlm.encoder.fitted(info(64, 48), 6).encode(frames)
    plan = TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=12)
    turns = [Turn(role="user", text="What?", videos=(compressed(tokens, plan),))]
    inputs = vlm.prompt(turns, positions="compact").inputs()
    assert torch.equal(inputs["input_ids"], own["input_ids"])
    with torch.no_grad():
        assert_near(vlm.hf(**inputs).logits, vlm.hf(**own).logits)
