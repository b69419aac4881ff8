"""Every encoder, whatever it looks for, keeps these promises."""

import numpy as np
import pytest
import torch

from framesift.encoders import registry
from framesift.encoders.base import Encoder
from framesift.testing.rounding import STEPS, assert_near
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

NAMES = registry.names()
SIZES = [(64, 64), (448, 448), (61, 97), (7, 5), (240, 320), (900, 31)]


TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 64,
    "patch_size": 16,
}
WEIGHTS = {"clip": "CLIPVision", "siglip": "SiglipVision", "intern-vit": "InternVLVision"}
"""Classes of small random models that replace large checkpoints."""


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    folders = {}
    for name, architecture in WEIGHTS.items():
        torch.manual_seed(0)
        config = getattr(transformers, f"{architecture}Config")(**TINY)
        model = getattr(transformers, f"{architecture}Model")(config)
        folders[name] = tmp_path_factory.mktemp(name)
        model.save_pretrained(folders[name])
        transformers.CLIPImageProcessorPil().save_pretrained(folders[name])
    return {name: {"model": str(path), "device": "cpu"} for name, path in folders.items()}


@pytest.fixture(params=NAMES)
def encoder(request):
    weights = request.param in WEIGHTS
    options = request.getfixturevalue("tiny_models")[request.param] if weights else {}
    return registry.create(request.param, **options)


def make_frames(count=4, size=(61, 97), seed=0):
    random = np.random.default_rng(seed)
    return Frames(
        data=random.integers(0, 256, (count, *size, 3), dtype=np.uint8),
        pts_seconds=np.arange(count) * 0.5,
        indices=np.arange(count),
    )


def assert_same(first: VideoTokens, second: VideoTokens, *, steps: int = 0) -> None:
    assert_near(first.features, second.features, steps=steps)
    torch.testing.assert_close(first.pts_seconds, second.pts_seconds, rtol=0, atol=0)
    signals, others = first.signals.present(), second.signals.present()
    assert signals.keys() == others.keys()
    for name, value in signals.items():
        assert_near(value, others[name], steps=steps)


def test_it_is_an_encoder_that_says_what_it_is(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.summary
    assert encoder.spec.split(":")[0] in NAMES


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_frames_of_any_size_give_the_promised_shape(encoder, size):
    frames = make_frames(size=size)
    tokens = encoder.encode(frames)
    height, width = encoder.grid
    assert tokens.grid == encoder.grid
    assert tokens.features.shape[:2] == (4, height * width)
    assert tokens.features.is_floating_point()
    assert torch.isfinite(tokens.features).all()
    assert tokens.features.norm(dim=-1).min() > 0
    assert tokens.mask is None
    assert tokens.pts_seconds.tolist() == frames.pts_seconds.tolist()


def test_signals_are_those_it_gives(encoder):
    tokens = encoder.encode(make_frames())
    signals = tokens.signals.present()
    assert signals.keys() == encoder.gives
    for value in signals.values():
        assert value.shape[:2] == tokens.features.shape[:2]
        assert value.is_floating_point()
        assert torch.isfinite(value).all()
    if "edge_density" in signals:
        assert signals["edge_density"].shape == tokens.features.shape[:2]
        assert 0 <= signals["edge_density"].min() <= signals["edge_density"].max() <= 1
    if "contrast" in signals:
        assert 0 <= signals["contrast"].min() <= signals["contrast"].max() <= 1
    if "attention" in signals:
        assert signals["attention"].shape == tokens.features.shape[:2]
        assert signals["attention"].min() >= 0
        assert signals["attention"].sum(-1).max() <= 1 + 1e-5


def test_the_same_frames_give_the_same_tokens_to_the_bit(encoder):
    frames = make_frames()
    assert_same(encoder.encode(frames), encoder.encode(frames))


def test_an_equal_encoder_gives_the_same_tokens(encoder):
    twin = registry.create(encoder.spec)
    assert twin == encoder
    assert_same(encoder.encode(make_frames()), twin.encode(make_frames()))


def test_one_frame_is_enough(encoder):
    assert encoder.encode(make_frames(1)).frame_count == 1


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_windows_are_independent(encoder, cut):
    frames = make_frames(size=encoder.input_px)
    whole = encoder.encode(frames)
    assert_same(encoder.encode(frames[:cut]), whole.frames(range(cut)), steps=STEPS)
    assert_same(encoder.encode(frames[cut:]), whole.frames(range(cut, 4)), steps=STEPS)


def test_more_frames_than_a_batch_keep_their_order(encoder):
    frames = make_frames(20, size=encoder.input_px)
    alone = encoder.encode(frames[17:18])
    many = encoder.encode(frames)
    assert_near(many.features[17:18], alone.features)


def test_a_still_clip_gives_equal_tokens(encoder):
    still = make_frames(1).data.repeat(5, axis=0)
    tokens = encoder.encode(Frames(data=still, pts_seconds=np.arange(5.0), indices=np.arange(5)))
    assert_near(tokens.features, tokens.features[:1].expand_as(tokens.features))


def test_a_change_is_seen_in_its_place(encoder):
    frames = make_frames(2, size=encoder.input_px)
    (rows, columns), (height, width) = encoder.grid, encoder.input_px
    frames.data[1] = frames.data[0]
    frames.data[1, : height // rows, -(width // columns) :] = 255
    features = encoder.encode(frames).features.float()
    change = (features[1] - features[0]).norm(dim=-1).reshape(rows, columns)
    assert change[0, -1] > 0.8 * change.max()
    assert change[0, -1] > change[2:, :-2].max()


def test_frames_are_left_as_they_were(encoder):
    frames = make_frames(size=encoder.input_px)
    before = frames.data.copy(), frames.pts_seconds.copy()
    for array in (frames.data, frames.pts_seconds, frames.indices):
        array.setflags(write=False)
    encoder.encode(frames)
    assert np.array_equal(frames.data, before[0])
    assert np.array_equal(frames.pts_seconds, before[1])


def test_tokens_do_not_share_memory_with_frames(encoder):
    frames = make_frames(size=encoder.input_px)
    tokens = encoder.encode(frames)
    features, seconds = tokens.features.clone(), tokens.pts_seconds.clone()
    frames.data[:] = 0
    frames.pts_seconds[:] = 0
    assert torch.equal(tokens.features, features)
    assert torch.equal(tokens.pts_seconds, seconds)


def test_no_gradient_is_recorded(encoder):
    assert not encoder.encode(make_frames()).features.requires_grad
