"""Towers of vision LLMs encode some units of a step; the others lend the keys they had last."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from framesift.encoders.units import UnitEncoder, still_encoder
from framesift.hf.attention import borrowing
from framesift.hf.borrowing import KeptKeys, PackedFrames, WholeFrames
from framesift.testing import TINY_VLMS, assert_near, random_frames
from framesift.testing.stand_in import DEVICE, stand_in
from framesift.testing.tiny_vlms import TinyVLM
from framesift.types.frames import Frames
from framesift.types.video import VideoInfo
from framesift.vlms.load import load_vlm

pytest.importorskip("transformers")

NAMES = ["internvl", "smolvlm", "idefics3", "qwen2-5-vl", "qwen3-vl", "llava", "llava-next-video"]
NAMES += ["llava-onevision", "llava-next", "video-llama-3"]
STEPS = 6
SHARES = [1, 0.3, 0.5, 1, 0.1, 0.3]
"""How much of each step is encoded."""
WATCHED = frozenset({"attention", "keys", "pre_projector"})


@pytest.fixture(scope="module", params=NAMES)
def encoder(request, tmp_path_factory):
    tiny: TinyVLM = TINY_VLMS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    tiny.build(folder)
    encoder = load_vlm(str(folder), device="cpu").encoder
    if encoder.frames_per_step == 1:
        return encoder
    # Not square, and windows of several sizes: 7 x 5 tokens in windows of 2 x 2 at most.
    side = encoder.size_px[0] // encoder.grid[0]
    return replace(encoder, picture_px=(7 * side, 5 * side))


@pytest.fixture(scope="module")
def pixels(encoder):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(STEPS, encoder.frames_per_step, 3, *encoder.size_px, generator=generator).to(
        encoder.vlm.hf.dtype
    )


@pytest.fixture(scope="module")
def encoded(encoder):
    count = encoder.grid[0] * encoder.grid[1]
    generator = torch.Generator().manual_seed(5)
    chosen = torch.rand(STEPS, count, generator=generator) < torch.tensor(SHARES)[:, None]
    chosen[:, 0] = True
    return chosen


@torch.no_grad()
def looked_at(encoder, pixels, encoded, keys=None):
    """Returns what packed towers give of the encoded units, after what `keys` has seen."""
    keys = keys or KeptKeys(encoder.windows)
    places = encoder.places(encoded, encoder.units(encoder.size_px))
    keys.packing = PackedFrames(places, pixels.device, first=keys.empty)
    with borrowing(encoder.tower.config, keys):
        return encoder.look_at(pixels.flatten(0, 1), encoded, keys.packing, WATCHED)


class ByHand:
    """Takes whole steps, one after the other, and lends keys and values of the skipped places.

    What it gives at skipped places is of no use, and no encoded place sees it.
    """

    def __init__(self):
        self.tables = {}

    def begin(self, places):
        self.places, self.calls = places, {}

    def attend(self, call):
        # Some towers call a layer window by window.
        start, number = self.calls.get(call.module, (0, 0))
        stop = start + call.key.shape[2]
        self.calls[call.module] = stop, number + 1
        own = self.places[start:stop, None]
        table = self.tables.get((call.module, number), (call.key, call.value))
        kept = [
            torch.where(own, new, old)
            for new, old in zip((call.key, call.value), table, strict=True)
        ]
        self.tables[call.module, number] = kept
        return call.compute(call.query, *kept)


@torch.no_grad()
def by_hand(encoder, pixels, encoded):
    hand, found = ByHand(), []
    places = encoder.places(encoded, encoder.units(encoder.size_px))
    for step, units, chosen in zip(pixels, encoded, places, strict=True):
        hand.begin(chosen)
        with borrowing(encoder.tower.config, hand):
            whole = encoder.look(step, frozenset({"pre_projector"}))
        found.append({name: value[0][units] for name, value in whole.items()})
    return {name: torch.cat([part[name] for part in found]) for name in found[0]}


def test_skipped_places_lend_the_keys_they_had_when_they_were_encoded(encoder, pixels, encoded):
    packed, wanted = looked_at(encoder, pixels, encoded), by_hand(encoder, pixels, encoded)
    assert len(packed["features"]) == encoded.sum() < encoded.numel()
    for name, value in wanted.items():
        assert_near(packed[name], value)


def test_all_units_are_what_whole_steps_give(encoder, pixels, encoded):
    packed = looked_at(encoder, pixels, torch.ones_like(encoded))
    with torch.no_grad():
        whole = encoder.look(pixels.flatten(0, 1), WATCHED)
    assert packed.keys() == whole.keys() >= {"features", *WATCHED}
    for name, value in whole.items():
        assert_near(packed[name].view_as(value), value)


def test_units_of_a_still_picture_are_those_of_one_step(encoder, pixels, encoded):
    still = pixels[:1].expand_as(pixels)
    packed = looked_at(encoder, still, encoded)
    with torch.no_grad():
        once = encoder.look(pixels[0], WATCHED)
    for name, value in once.items():
        repeated = value.expand(STEPS, *value.shape[1:])[encoded]
        assert_near(packed[name], repeated)


@pytest.mark.parametrize("border", range(1, STEPS))
def test_a_pass_goes_on_with_the_keys_of_the_one_before(encoder, pixels, encoded, border):
    keys = KeptKeys(encoder.windows)
    first, second = (
        looked_at(encoder, pixels[part], encoded[part], keys)
        for part in (slice(border), slice(border, STEPS))
    )
    whole = looked_at(encoder, pixels, encoded)
    for name, value in whole.items():
        assert_near(torch.cat([first[name], second[name]]), value)


@pytest.mark.parametrize("steps", [1, 3])
def test_whole_steps_lend_their_keys_as_packed_ones_do(encoder, pixels, encoded, steps):
    """Some towers call a layer window by window, and others for all steps at once."""
    everything = torch.ones_like(encoded)
    everything[steps:] = encoded[steps:]
    places = encoder.places(everything, encoder.units(encoder.size_px)).shape[1]
    keys = KeptKeys(encoder.windows)
    keys.packing = WholeFrames(steps, places)
    with torch.no_grad(), borrowing(encoder.tower.config, keys):
        first = encoder.look(pixels[:steps].flatten(0, 1), WATCHED)
    second = looked_at(encoder, pixels[steps:], everything[steps:], keys)
    for name, value in looked_at(encoder, pixels, everything).items():
        assert_near(torch.cat([first[name].flatten(0, 1), second[name]]), value)


@pytest.mark.parametrize("family", sorted(TINY_VLMS))
def test_units_are_encoded_where_the_model_is_and_no_layer_waits(family, tmp_path):
    tiny = TINY_VLMS[family]
    tiny.build(tmp_path)
    if not isinstance(load_vlm(str(tmp_path), device="cpu").encoder, UnitEncoder):
        pytest.skip("its tower encodes whole steps")
    images = random_frames(1, tiny.size_px).data.repeat(8, axis=0)
    images[4:, :8, :8] += 60
    times = np.arange(8.0)
    frames = Frames(data=images, pts_seconds=times, indices=np.arange(8))

    height, width = tiny.size_px
    info = VideoInfo(
        width_px=width,
        height_px=height,
        duration_seconds=8.0,
        start_seconds=0.0,
        frame_count=8,
        average_fps=1.0,
        codec="none",
    )

    def encoded_on(device):
        vlm = replace(load_vlm(str(tmp_path), device=device, dtype="float32"), **tiny.options)
        return still_encoder(vlm.encoder.fitted(info), 8.0, WATCHED)

    tokens, encoded = encoded_on("cpu").encode(frames)
    assert 0 < encoded[1:].sum() < encoded[1:].numel() / 2
    with stand_in() as seen:
        still = encoded_on(str(DEVICE))
        seen.waits.clear()
        there, chosen = still.encode(frames)
        waits = seen.waits.total()
        assert there.features.device == there.signals.keys.device == DEVICE
        assert_near(there.features.cpu(), tokens.features)
    assert torch.equal(chosen, encoded)
    # One for the changed units, and some for the pass that encodes them. Layers of GLM's own code
    # read where pictures end from the device, three times each, also for whole frames.
    vlm = load_vlm(str(tmp_path), device="cpu")
    own = 3 * vlm.config.vision_config.depth if getattr(vlm, "counts_on_device", False) else 0
    assert waits <= (own + 1 if own else 8)
