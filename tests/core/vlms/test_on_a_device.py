"""Towers of vision LLMs on a device: what stays there, and what does not fit."""

from dataclasses import replace

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.errors import ModelError  # noqa: E402
from framesift.testing import TINY_VLMS, assert_near, random_frames  # noqa: E402
from framesift.testing.stand_in import DEVICE, stand_in  # noqa: E402
from framesift.types.video import VideoInfo  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

# Qwen2.5-VL's own code indexes what is on the device by numbers of the CPU, as CUDA allows.
ON_STAND_IN = sorted(set(TINY_VLMS) - {"qwen2-5-vl"})


@pytest.fixture(scope="module", params=["llava-onevision", "qwen2-5-vl"])
def encoder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    TINY_VLMS[request.param].build(folder)
    return load_vlm(str(folder), device="cpu").encoder


@pytest.fixture
def raising(monkeypatch, encoder):
    """Makes the tower raise beyond some time steps; the batches that were tried."""
    model, tried = encoder.vlm.hf.base_model, []
    given = model.get_video_features

    def limited(most, error):
        def within(pixel_values_videos, video_grid_thw=None, **options):
            steps = pixel_values_videos.shape[1]
            if video_grid_thw is not None:
                options["video_grid_thw"] = video_grid_thw
                steps = int(video_grid_thw[0, 0])
            tried.append(steps)
            if steps > most:
                raise error
            return given(pixel_values_videos=pixel_values_videos, **options)

        monkeypatch.setattr(model, "get_video_features", within)
        return tried

    return limited


@pytest.mark.slow
def test_a_batch_that_finds_no_memory_is_made_smaller(encoder, raising):
    frames = random_frames(7 * encoder.frames_per_step, (64, 64))
    expected = encoder.encode(frames)
    tried = raising(2, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    found = encoder.encode(frames)
    assert max(tried) == min(7, encoder.usual_batch)
    assert tried[-4:] == [2, 2, 2, 1] or tried[-3:] == [2, 2, 1]
    assert_near(found.features, expected.features)
    for name, value in found.signals.present().items():
        assert_near(value, getattr(expected.signals, name))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "has no memory for encoding frames"),
        (RuntimeError("MPS backend out of memory (18 GB)"), "has no memory for encoding frames"),
        (RuntimeError("CUDA error: launch failure\nCompile"), "failed while encoding frames"),
        (RuntimeError("mat1 and mat2 cannot be multiplied"), "cannot run"),
    ],
)
def test_what_a_device_raises_is_one_line(encoder, raising, error, line):
    raising(0, error)
    with pytest.raises(ModelError, match=line) as told:
        encoder.encode(random_frames(2, (64, 64)))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("family", ON_STAND_IN)
def test_tokens_and_signals_stay_on_the_device_of_the_model(family, tmp_path):
    tiny = TINY_VLMS[family]
    tiny.build(tmp_path)
    frames = random_frames(6, tiny.size_px)
    height, width = tiny.size_px
    info = VideoInfo(
        width_px=width,
        height_px=height,
        duration_seconds=6.0,
        start_seconds=0.0,
        frame_count=6,
        average_fps=1.0,
        codec="none",
    )

    def tower(device):
        vlm = load_vlm(str(tmp_path), device=device, dtype="float32")
        # Nothing is resized, which rounds otherwise on a device.
        return replace(vlm, **tiny.options).encoder.fitted(info, 6)

    expected = tower("cpu").encode(frames)
    with stand_in() as seen:
        encoder = tower(str(DEVICE))
        found = encoder.encode(frames)
        columns = {"features": found.features, **found.signals.present()}
        if found.layers is not None:
            columns["layers"] = found.layers
        for name, value in columns.items():
            assert value.device == DEVICE, name
            near = getattr(expected if name in ("features", "layers") else expected.signals, name)
            alike = torch.cosine_similarity(value.cpu().flatten(), near.flatten(), dim=0)
            assert alike > 0.999, name
        assert found.pts_seconds.device.type == "cpu"
        seen.by_name.clear()
        encoder.encode(frames)
        everything = seen.count
        seen.by_name.clear()
        assert torch.equal(encoder.encode(frames, frozenset()).features.cpu(), found.features.cpu())
        assert seen.count < everything
