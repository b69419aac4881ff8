"""Vision towers whose weights are on a device: what stays there, and what does not fit."""

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.encoders import registry  # noqa: E402
from framesift.encoders.units import still_encoder  # noqa: E402
from framesift.errors import ModelError  # noqa: E402
from framesift.testing import assert_near, random_frames, tiny_tower  # noqa: E402
from framesift.testing.stand_in import DEVICE, stand_in  # noqa: E402

MODELS = {
    "clip": "CLIPVisionModel",
    "siglip": "SiglipVisionModel",
    "intern-vit": "InternVLVisionModel",
}


@pytest.fixture(scope="module", params=list(MODELS))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    return str(tiny_tower(tmp_path_factory.mktemp(family), family))


def test_tokens_and_signals_stay_on_the_device_of_the_tower(family, folder):
    frames = random_frames(5, (128, 64))
    expected = registry.create(family, model=folder, device="cpu").encode(frames)
    with stand_in() as seen:
        encoder = registry.create(family, model=folder, device=str(DEVICE), dtype="float32")
        encoder.encode(frames)
        loaded = seen.waits.total()
        found = encoder.encode(frames)
        assert seen.waits.total() == loaded, f"encoding waits for the device: {seen.waits}"
        assert found.features.device == DEVICE
        assert found.pts_seconds.device.type == "cpu"
        assert_near(found.features.cpu(), expected.features)
        for name, value in found.signals.present().items():
            assert value.device == DEVICE, name
            assert_near(value.cpu(), getattr(expected.signals, name))


def test_patches_that_changed_are_found_and_encoded_on_the_device(family, folder):
    expected_of = registry.create(family, model=folder, device="cpu")
    height, width = expected_of.input_px
    images = random_frames(1, (height, width)).data.repeat(6, axis=0) // 4
    for number in range(1, 6):
        images[number, : height // 2, : width // 2] += np.uint8(30 * number)
    frames = random_frames(6, (height, width))
    frames.data[:] = images
    expected, which = still_encoder(expected_of, 8, None).encode(frames)
    with stand_in() as seen:
        encoder = registry.create(family, model=folder, device=str(DEVICE), dtype="float32")
        still = still_encoder(encoder, 8, None)
        still.encode(frames[:1])
        begun = seen.waits.total()
        found, encoded = still.encode(frames[1:])
        assert torch.equal(encoded, which[1:])
        assert 0 < encoded.float().mean() < 0.5
        assert seen.waits.total() <= begun + 1, f"more than the rule waits: {seen.waits}"
        assert found.features.device == DEVICE
        assert_near(found.features.cpu(), expected.features[1:], steps=2000)
        for name, value in found.signals.present().items():
            assert value.device == DEVICE, name


def test_frames_are_resized_on_the_device_nearly_as_on_the_cpu(family, folder):
    frames = random_frames(2, (200, 300))
    expected = registry.create(family, model=folder, device="cpu").encode(frames).features
    with stand_in():
        encoder = registry.create(family, model=folder, device=str(DEVICE), dtype="float32")
        found = encoder.encode(frames, frozenset()).features.cpu()
    assert torch.cosine_similarity(found, expected, dim=-1).min() > 0.999


@pytest.fixture
def small_memory(monkeypatch, family):
    """Makes the tower run out of memory beyond some frames; the batches that were tried."""
    kind, tried = getattr(transformers, MODELS[family]), []
    forward = kind.forward

    def limited(most):
        def within(self, pixel_values, **options):
            tried.append(len(pixel_values))
            if len(pixel_values) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return forward(self, pixel_values=pixel_values, **options)

        monkeypatch.setattr(kind, "forward", within)
        return tried

    return limited


def test_a_batch_that_finds_no_memory_is_made_smaller(family, folder, small_memory):
    frames = random_frames(11, (64, 64))
    encoder = registry.create(family, model=folder, device="cpu")
    expected = encoder.encode(frames)
    tried = small_memory(3)
    found = encoder.encode(frames)
    assert tried == [11, 6, 3, 3, 3, 2]
    assert_near(found.features, expected.features)
    assert_near(found.signals.keys, expected.signals.keys)
    assert_near(found.signals.attention, expected.signals.attention)


@pytest.mark.parametrize(("options", "most"), [({}, 0), ({"batch_size": 4}, 3)])
def test_a_device_that_is_too_small_is_one_line(family, folder, small_memory, options, most):
    small_memory(most)
    encoder = registry.create(family, model=folder, device="cpu", **options)
    with pytest.raises(ModelError, match=r"cpu has no memory for encoding .* batch_size") as told:
        encoder.encode(random_frames(5, (64, 64)))
    assert "\n" not in str(told.value)


def test_a_driver_that_fails_is_one_line(family, folder, monkeypatch):
    def broken(*args, **options):
        raise RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA")

    monkeypatch.setattr(getattr(transformers, MODELS[family]), "forward", broken)
    encoder = registry.create(family, model=folder, device="cpu")
    with pytest.raises(ModelError, match="failed while encoding frames") as told:
        encoder.encode(random_frames(1, (64, 64)))
    assert "\n" not in str(told.value)
