"""Frames are resized and normalized as the video processors of transformers would."""

import json

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.errors import ModelError  # noqa: E402
from framesift.hf.frame_pixels import FramePixels  # noqa: E402
from framesift.testing import random_frames  # noqa: E402
from framesift.testing.stand_in import DEVICE, stand_in  # noqa: E402

COLORS = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25]}
LANCZOS, BILINEAR, BICUBIC, BOX = 1, 2, 3, 4


def write(folder, name, settings):
    (folder / name).write_text(json.dumps(settings))


def test_settings_for_videos_go_before_those_for_images(tmp_path):
    def found():
        pixels = FramePixels.of(str(tmp_path), resample=BICUBIC)
        return pixels.settings["image_mean"][0], pixels.resample

    write(tmp_path, "processor_config.json", {"image_processor": {**COLORS, "image_mean": [0.1]}})
    assert found() == (0.1, BICUBIC)
    write(tmp_path, "preprocessor_config.json", {**COLORS, "image_mean": [0.2], "resample": 1})
    assert found() == (0.2, 1)
    write(tmp_path, "video_preprocessor_config.json", {**COLORS, "image_mean": [0.3]})
    assert found() == (0.3, BICUBIC)
    write(tmp_path, "processor_config.json", {"video_processor": {**COLORS, "image_mean": [0.5]}})
    assert found() == (0.5, BICUBIC)


@pytest.mark.parametrize("settings", [None, {}, {"image_mean": [0.5] * 3}])
def test_a_checkpoint_that_does_not_give_its_colours_is_refused(tmp_path, settings):
    if settings is not None:
        write(tmp_path, "preprocessor_config.json", settings)
    with pytest.raises(ModelError, match="does not give image_mean and image_std") as error:
        FramePixels.of(str(tmp_path), resample=BICUBIC)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("switched_off", "expected"),
    [
        ({}, lambda x: (x / 255 - COLORS["image_mean"]) / COLORS["image_std"]),
        ({"do_normalize": False}, lambda x: x / 255),
        ({"do_rescale": False}, lambda x: (x - COLORS["image_mean"]) / COLORS["image_std"]),
    ],
)
def test_colours_are_normalized_as_the_settings_say(switched_off, expected):
    frames = random_frames(2, (6, 8))
    pixels = FramePixels(settings={**COLORS, **switched_off}, resample=BICUBIC)
    found = pixels.pixels(frames.data, [(6, 8)])
    assert found.dtype == torch.float32
    assert found.shape == (2, 3, 6, 8)
    np.testing.assert_allclose(
        found.permute(0, 2, 3, 1).numpy(), expected(frames.data.astype(np.float64)), rtol=1e-5
    )


def test_filters_that_torch_lacks_are_those_of_pillow():
    frames = random_frames(1, (8, 8))
    pixels = FramePixels(settings={**COLORS, "do_normalize": False}, resample=BOX)
    found = pixels.pixels(frames.data, [(4, 4)])[0].permute(1, 2, 0).numpy() * 255
    means = frames.data[0].reshape(4, 2, 4, 2, 3).mean((1, 3))
    np.testing.assert_allclose(found, means, atol=1.01)


@pytest.mark.torchvision
@pytest.mark.parametrize("resample", [LANCZOS, BILINEAR, BICUBIC])
@pytest.mark.parametrize("size", [(28, 28), (100, 75), (16, 40)])
def test_pixels_are_those_of_a_video_processor(resample, size):
    frames = random_frames(3, size)
    processor = transformers.InternVLVideoProcessor(
        **COLORS, size={"height": 28, "width": 28}, resample=resample
    )
    given = processor([frames.data], return_tensors="pt")["pixel_values_videos"][0]
    pixels = FramePixels(settings=COLORS, resample=resample)
    assert torch.equal(pixels.pixels(frames.data, [(28, 28)]), given)


@pytest.mark.parametrize("resample", [BILINEAR, BICUBIC, BOX])
@pytest.mark.parametrize("sizes", [[(28, 28)], [(96, 128), (28, 28)]])
def test_pixels_on_a_device_are_those_of_the_cpu_within_a_level(resample, sizes):
    frames = random_frames(2, (180, 320))
    pixels = FramePixels(settings=COLORS, resample=resample)
    expected = pixels.pixels(frames.data, sizes)
    with stand_in() as seen:
        found = pixels.pixels(frames.data, sizes, DEVICE)
        assert found.device == DEVICE
        assert seen.waits.total() == 0
        found = found.cpu()
    assert found.dtype == torch.float32
    levels = (found - expected).abs() * 255 * torch.tensor(COLORS["image_std"])[:, None, None]
    # Whole numbers are rounded after each side and each size.
    assert levels.max() < (0.01 if resample in {LANCZOS, BOX} else 1.01 * len(sizes))
    assert levels.mean() < 0.25


@pytest.mark.torchvision
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("resample", [BILINEAR, BICUBIC])
@pytest.mark.parametrize("size", [(28, 28), (100, 75), (16, 40)])
def test_pixels_on_a_gpu_are_those_of_a_video_processor_there(resample, size):
    frames = random_frames(3, size)
    processor = transformers.InternVLVideoProcessor(
        **COLORS, size={"height": 28, "width": 28}, resample=resample
    )
    given = processor([frames.data], return_tensors="pt", device="cuda")["pixel_values_videos"][0]
    pixels = FramePixels(settings=COLORS, resample=resample)
    found = pixels.pixels(frames.data, [(28, 28)], torch.device("cuda"))
    torch.testing.assert_close(found, given, rtol=0, atol=1e-6)
