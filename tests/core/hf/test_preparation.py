"""Pictures on a device are those of the family's image processor, which works on the CPU."""

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.hf.preparation import ImagePreparation  # noqa: E402
from framesift.testing import random_frames  # noqa: E402
from framesift.testing.stand_in import DEVICE, stand_in  # noqa: E402

SQUARE = {"height": 32, "width": 32}
SHORTEST = {"size": {"shortest_edge": 32}, "crop_size": SQUARE}


def processor(kind, **settings):
    return getattr(transformers, f"{kind}ImageProcessorPil")(**settings)


@pytest.mark.parametrize("size", [(32, 32), (90, 160), (160, 90), (33, 70), (20, 50)])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("CLIP", SHORTEST),
        ("CLIP", {"size": SQUARE, "do_center_crop": False}),
        ("CLIP", {"do_resize": False, "do_center_crop": False}),
        ("Llava", SHORTEST),
        ("Llava", {"do_pad": True, **SHORTEST}),
        ("Siglip", {"size": SQUARE}),
        ("Siglip", {"size": SQUARE, "resample": 2, "do_normalize": False}),
        ("Siglip", {"size": SQUARE, "do_rescale": False}),
    ],
)
def test_pictures_on_a_device_are_those_of_the_processor_within_a_level(kind, settings, size):
    preparation = ImagePreparation.of(processor(kind, **settings))
    # Without the ends of the range, which pillow cuts twice where a filter goes beyond.
    images = 64 + random_frames(2, size).data // 2
    expected = preparation.pixels(images)
    with stand_in() as seen:
        found = preparation.pixels(images, DEVICE)
        assert found.device == DEVICE
        assert seen.waits.total() == 0
        assert seen.by_name["round_"] == settings.get("do_resize", True) * (size != (32, 32))
        found = found.cpu()
    assert found.shape == expected.shape
    scale = 1.0 if "do_rescale" in settings else 255.0
    std = preparation.processor.image_std if "do_normalize" not in settings else [1.0] * 3
    levels = (found - expected).abs() * scale * torch.tensor(std)[:, None, None]
    assert levels.max() < 1.01
    assert levels.mean() < 0.25


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("CLIP", {"size": {"shortest_edge": 24}, "crop_size": SQUARE}),
        ("CLIP", {**SHORTEST, "resample": 1}),
        ("CLIP", {**SHORTEST, "image_mean": None, "do_normalize": False}),
    ],
)
def test_what_torch_cannot_do_the_same_is_done_by_the_processor(kind, settings):
    preparation = ImagePreparation.of(processor(kind, **settings))
    frames = random_frames(2, (48, 80))
    expected = preparation.pixels(frames.data)
    with stand_in():
        found = preparation.pixels(frames.data, DEVICE)
        assert found.device == DEVICE
        assert torch.equal(found.cpu(), expected)


def test_read_only_frames_can_be_prepared_on_a_device():
    frames = random_frames(1, (32, 32)).data
    frames.setflags(write=False)
    before = frames.copy()
    with stand_in():
        ImagePreparation.of(processor("CLIP", **SHORTEST)).pixels(frames, DEVICE)
    assert np.array_equal(frames, before)
