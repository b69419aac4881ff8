"""LLaVA-NeXT-Video and LLaVA-OneVision, which pool patches before or after they project them."""

import json
import shutil

import numpy as np
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
from framesift.types.video import VideoInfo  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402


@pytest.fixture(scope="session")
def next_video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("next_video")
    TINY_VLMS["llava-next-video"].build(folder)
    return load_vlm(str(folder))


@pytest.fixture(scope="session")
def onevision(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onevision")
    TINY_VLMS["llava-onevision"].build(folder)
    return load_vlm(str(folder))


@pytest.fixture(params=["next_video", "onevision"])
def vlm(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def copied(vlm, tmp_path):
    return shutil.copytree(vlm.model, tmp_path / "copied")


def settings_of(folder):
    return json.loads((folder / "video_preprocessor_config.json").read_text())


def tower_of(vlm, frames):
    """Returns attention and hidden states of the tower in the slow attention."""
    pixels = vlm.encoder.preparation.pixels(frames.data)
    tower = vlm.hf.model.vision_tower
    tower.set_attn_implementation("eager")
    with torch.no_grad():
        out = tower(pixels, output_attentions=True, output_hidden_states=True)
    tower.set_attn_implementation("sdpa")
    return out


def test_next_video_pools_what_its_projector_takes(next_video):
    frames = random_frames(3, (32, 32))
    tokens = next_video.encoder.encode(frames)
    assert tokens.grid == (2, 2)
    out = tower_of(next_video, frames)
    with torch.no_grad():
        pooled = next_video.hf.model.vision_resampler(out.hidden_states[-2][:, 1:])
        projected = next_video.hf.model.multi_modal_projector(tokens.signals.pre_projector)
    assert_near(tokens.signals.pre_projector, pooled)
    assert_near(tokens.features, projected)
    attention = out.attentions[-2].mean(1)[:, 0, 1:].reshape(3, 2, 2, 2, 2).mean((2, 4))
    assert_near(tokens.signals.attention, attention.flatten(1))


def test_onevision_pools_by_interpolation_after_it_projects(onevision):
    frames = random_frames(3, (40, 40))
    tokens = onevision.encoder.encode(frames)
    assert tokens.grid == (3, 3)
    out = tower_of(onevision, frames)
    with torch.no_grad():
        pooled = onevision.hf.model.apply_pooling(out.hidden_states[-1])
        projected = onevision.hf.model.multi_modal_projector(out.hidden_states[-1])
        features = onevision.hf.model.apply_pooling(projected)
    assert_near(tokens.signals.pre_projector, pooled)
    assert_near(tokens.features, features)
    received = out.attentions[-1].mean((1, 2))[..., None]
    expected = onevision.hf.model.apply_pooling(received)[..., 0]
    assert_near(tokens.signals.attention, expected)


def test_a_newline_ends_every_video_of_onevision_and_no_plan_drops_it(onevision):
    tokens = onevision.encoder.encode(random_frames(4, (40, 40)))
    plan = TokenPlan.keep(torch.tensor([5, 20]), num_in=36, tokens_per_frame=9)
    video = compressed(tokens, plan)
    prompt = onevision.prompt([Turn(role="user", text="Hi", videos=(video, video))])
    assert prompt.rows.tolist() == [0, 1, -1, 2, 3, -1]
    assert prompt.visual_tokens_before == 2 * 37
    newline = onevision.hf.model.image_newline
    assert torch.equal(prompt.features[2], newline)
    assert torch.equal(prompt.features[5], newline)
    columns = prompt.visual.nonzero().flatten()
    start = int(prompt.position_ids[columns[0]]) - 5
    assert prompt.position_ids[columns[:3]].tolist() == [start + 5, start + 20, start + 36]


def test_next_video_adds_no_token(next_video):
    tokens = next_video.encoder.encode(random_frames(4, (32, 32)))
    plan = TokenPlan.keep(torch.tensor([5, 7]), num_in=16, tokens_per_frame=4)
    prompt = next_video.prompt([Turn(role="user", text="", videos=(compressed(tokens, plan),))])
    assert prompt.rows.tolist() == [0, 1]
    assert prompt.visual_tokens_before == 16


def info_of(height, width):
    return VideoInfo(
        width_px=width,
        height_px=height,
        duration_seconds=1.0,
        start_seconds=0.0,
        frame_count=1,
        average_fps=1.0,
        codec="none",
    )


def test_next_video_crops_and_onevision_squashes(next_video, onevision):
    info = info_of(480, 640)
    assert next_video.encoder.region(info) == pytest.approx((0.125, 0, 0.875, 1), abs=0.01)
    assert onevision.encoder.region(info) == (0, 0, 1, 1)


@pytest.mark.parametrize("size_px", [(32, 32), (40, 40), (48, 64), (90, 50), (20, 25)])
def test_settings_for_videos_go_before_those_for_images(vlm, size_px):
    pixels = vlm.encoder.preparation.pixels(random_frames(2, size_px).data)
    side = vlm.config.vision_config.image_size
    assert pixels.shape == (2, 3, side, side)
    assert pixels.dtype == torch.float32
    black = vlm.encoder.preparation.pixels(np.zeros((1, *size_px, 3), np.uint8))
    expected = -torch.tensor([0.4, 0.5, 0.6]) / torch.tensor([0.2, 0.3, 0.25])
    assert_near(black.mean((0, 2, 3)), expected)


@pytest.mark.torchvision
@pytest.mark.parametrize("size_px", [(32, 32), (40, 40), (48, 64), (90, 50), (20, 25)])
def test_frames_are_prepared_as_the_familys_own_video_processor_does(vlm, size_px):
    kind = type(vlm.hf).__name__.replace("ForConditionalGeneration", "VideoProcessor")
    processor = getattr(transformers, kind).from_pretrained(vlm.model)
    frames = random_frames(3, size_px)
    expected = processor(videos=[frames.data], return_tensors="pt")["pixel_values_videos"][0]
    found = vlm.encoder.preparation.pixels(frames.data)
    assert_near(found, expected)


def test_settings_may_stand_in_those_of_a_whole_processor(vlm, copied):
    settings = settings_of(copied) | {"image_mean": [0.1, 0.1, 0.1]}
    (copied / "processor_config.json").write_text(json.dumps({"video_processor": settings}))
    black = load_vlm(str(copied)).encoder.preparation.pixels(np.zeros((1, 9, 9, 3), np.uint8))
    expected = -0.1 / torch.tensor([0.2, 0.3, 0.25])
    assert_near(black.mean((0, 2, 3)), expected)


def test_sizes_that_the_checkpoint_leaves_out_are_the_familys(vlm, copied):
    settings = {key: value for key, value in settings_of(copied).items() if "size" not in key}
    (copied / "video_preprocessor_config.json").write_text(json.dumps(settings))
    pixels = load_vlm(str(copied)).encoder.preparation.pixels(np.zeros((1, 50, 70, 3), np.uint8))
    assert pixels.shape[2:] in ((224, 224), (384, 384))


def test_a_checkpoint_that_does_not_say_how_to_prepare_is_refused(vlm, copied):
    (copied / "video_preprocessor_config.json").unlink()
    (copied / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"preprocessor_config\.json") as error:
        load_vlm(str(copied))
    assert "\n" not in str(error.value)


def test_a_crop_larger_than_the_frame_is_refused(next_video, tmp_path):
    folder = shutil.copytree(next_video.model, tmp_path / "copied")
    settings = settings_of(folder) | {"crop_size": {"height": 48, "width": 48}}
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="crop_size must be at most its size") as error:
        load_vlm(str(folder))
    assert "\n" not in str(error.value)
