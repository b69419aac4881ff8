"""Qwen2.5-VL: grids by video, patches over two frames, windows undone, positions by time."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.errors import InvalidOptionError, ModelError  # noqa: E402
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
from framesift.vlms.qwen2_5_vl import Qwen25VL  # noqa: E402

SIZES = [(720, 1280), (1080, 1920), (240, 320), (2160, 3840), (100, 99), (28, 28), (900, 31)]


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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("qwen2_5_vl")
    TINY_VLMS["qwen2-5-vl"].build(found)
    return found


@pytest.fixture(scope="module")
def vlm(folder):
    return load_vlm(str(folder), device="cpu")


def changed(folder, target, **vision):
    """Returns the model with another vision_config."""
    shutil.copytree(folder, target, dirs_exist_ok=True)
    path = target / "config.json"
    config = json.loads(path.read_text())
    config["vision_config"] |= vision
    path.write_text(json.dumps(config))
    return Qwen25VL(model=str(target), device="cpu")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("most", [768, 100])
def test_frames_have_the_size_that_qwens_own_rule_gives(vlm, size, most):
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    limits = {"min_pixels": 16 * 28**2, "max_pixels": most * 28**2}
    limited = replace(vlm, min_step_tokens=16, max_step_tokens=most)
    found = limited.encoder.fitted(info(*size)).size_px
    assert found == smart_resize(*size, factor=28, **limits)
    assert 16 <= found[0] * found[1] // 28**2 <= most


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1)])
def test_even_the_thinnest_picture_keeps_to_the_limit(vlm, size):
    limited = replace(vlm, min_step_tokens=4, max_step_tokens=10)
    height, width = limited.encoder.fitted(info(*size)).size_px
    assert 4 <= height * width // 28**2 <= 10


def test_the_grid_follows_the_video(vlm):
    assert vlm.encoder.grid == (27, 27)
    fitted = vlm.encoder.fitted(info(720, 1280))
    assert fitted.grid == (26, 46)
    assert fitted.input_px == fitted.size_px == (728, 1288)
    tall = replace(vlm, max_step_tokens=12).encoder.fitted(info(320, 180))
    assert tall.grid == (4, 2)
    assert tall.input_px[0] >= 896
    assert tall.region(info(320, 180)) == (0, 0, 1, 1)
    tokens = tall.encode(random_frames(3, (320, 180)))
    assert tokens.features.shape == (2, 8, vlm.width)
    assert tokens.pts_seconds.tolist() == [0.0, 2.0]


def test_batches_of_steps_are_one_run(vlm):
    encoder, frames = vlm.encoder.fitted(info(112, 84)), random_frames(7, (112, 84))
    whole, parts = encoder.encode(frames), replace(encoder, batch_size=1).encode(frames)
    assert_near(parts.features, whole.features)
    for name, value in parts.signals.present().items():
        assert_near(value, getattr(whole.signals, name))
    with pytest.raises(InvalidOptionError, match="batch_size=0 must be a whole number"):
        replace(encoder, batch_size=0)


def test_limits_the_wrong_way_round_are_refused():
    with pytest.raises(InvalidOptionError, match=r"min_step_tokens=9 .* max_step_tokens=8"):
        Qwen25VL(model="nowhere", min_step_tokens=9, max_step_tokens=8)
    with pytest.raises(InvalidOptionError, match="at least 1"):
        Qwen25VL(model="nowhere", min_step_tokens=0)


def test_windows_change_the_order_of_work_and_nothing_else(folder, tmp_path):
    """With every layer attending to the whole picture, windows only reorder the patches."""
    frames, whole = random_frames(4, (112, 140)), {"fullatt_block_indexes": [0, 1, 2]}
    windowed = changed(folder, tmp_path / "windowed", window_size=56, **whole)
    plain = changed(folder, tmp_path / "plain", window_size=1120, **whole)
    order = windowed.token_order(4, 5)
    assert order.tolist() != sorted(order.tolist())
    assert plain.token_order(4, 5).tolist() == list(range(20))
    found, expected = (v.encoder.fitted(info(112, 140)).encode(frames) for v in (windowed, plain))
    assert found.grid == (4, 5)
    assert_near(found.features, expected.features)
    for name, value in found.signals.present().items():
        assert_near(value, getattr(expected.signals, name))


def test_the_last_layer_over_whole_pictures_is_watched(vlm, folder, tmp_path):
    assert vlm.watched_layer == 1
    blind = changed(folder, tmp_path, fullatt_block_indexes=[])
    with pytest.raises(ModelError, match="no fullatt_block_indexes"):
        _ = blind.encoder


def video(vlm, frames, kept=None):
    tokens = vlm.encoder.fitted(info(112, 84)).encode(frames)
    kept = torch.arange(tokens.count) if kept is None else torch.tensor(kept)
    return compressed(tokens, TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=12))


def at(found, seconds, **report):
    seconds = torch.tensor(seconds, dtype=torch.float64)
    report = found.report.model_copy(update=report)
    return replace(found, frame_seconds=seconds, step_seconds=None, report=report)


@pytest.mark.parametrize(
    ("seconds", "per_step"),
    [
        ([0.0, 2.0, 4.0], 4),
        ([10.0, 12.0, 14.0], 4),
        ([0.0, 0.5, 1.0], 1),
        ([1 / 3, 1 / 3 + 2.00000001, 1 / 3 + 4.0000001], 4),
        ([1 / 3, 1 / 3 + 1.99999999, 1 / 3 + 3.9999999], 4),
        ([0.0, 2.0, 8.0], 8),
    ],
)
def test_time_moves_on_by_the_seconds_between_steps(vlm, seconds, per_step):
    """The model counts `tokens_per_second`, four by default, and starts each video anew."""
    assert vlm.config.vision_config.tokens_per_second == 4
    found = at(video(vlm, random_frames(6, (112, 84))), seconds)
    prompt = vlm.prompt([Turn(role="user", text="?", videos=(found,))])
    times = prompt.position_ids[0, prompt.visual].view(3, 12)
    assert bool((times == times[:, :1]).all())
    assert (times[:, 0] - times[0, 0]).tolist() == [0, 2 * per_step, 4 * per_step]


def test_a_single_step_is_paced_by_the_sampling(vlm):
    found = at(video(vlm, random_frames(2, (112, 84))), [3.0], fps=4.0)
    assert vlm.timing([found])["second_per_grid_ts"].tolist() == [2 * 0.25]


def test_kept_tokens_hold_time_row_and_column(vlm):
    kept = [0, 5, 11, 17, 35]
    found = video(vlm, random_frames(6, (112, 84)), kept)
    prompt = vlm.prompt([Turn(role="user", text="?", videos=(found,))])
    place = prompt.position_ids[:, prompt.visual] - prompt.position_ids[:, prompt.visual][:, :1]
    assert place[0].tolist() == [8 * (token // 12) for token in kept]
    assert place[1].tolist() == [token % 12 // 3 for token in kept]
    assert place[2].tolist() == [token % 3 for token in kept]


@pytest.mark.torchvision
@pytest.mark.parametrize("count", [4, 5, 1])
@pytest.mark.parametrize("size", [(112, 84), (200, 333)])
def test_patches_are_those_of_the_video_processor(folder, vlm, count, size):
    frames = random_frames(count, size)
    processor = transformers.Qwen2VLVideoProcessor.from_pretrained(folder)
    given = processor([frames.data], return_tensors="pt")
    height, width = (side * 14 for side in given["video_grid_thw"][0, 1:].tolist())
    pixels = vlm.frame_pixels.pixels(frames.data, [(height, width)])
    if count % 2:
        pixels = torch.cat([pixels, pixels[-1:]])
    taken = []
    hook = vlm.hf.base_model.visual.register_forward_pre_hook(
        lambda tower, args, options: taken.append((*args, *options.values())), with_kwargs=True
    )
    vlm.encoder.look(pixels, frozenset())
    hook.remove()
    patches, grid, *_ = taken[0]
    assert torch.equal(grid, given["video_grid_thw"])
    assert torch.equal(patches, given["pixel_values_videos"])
