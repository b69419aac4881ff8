"""Towers on frames of any size give the same when their layers attend to all parts at once."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from framesift.encoders.units import still_encoder
from framesift.hf import attention
from framesift.hf.parts import lengths_of, of_parts, one_by_one
from framesift.testing.samples import random_frames
from framesift.testing.tiny_vlms import TINY_VLMS
from framesift.types.video import VideoInfo
from framesift.vlms.load import load_vlm

FAMILIES = [
    "video-llama-3",
    "qwen2-vl",
    "qwen2-5-vl",
    "qwen3-vl",
    "qwen3-vl-moe",
    "glm4v",
    "glm4v-moe",
    "glm46v",
    "qwen3-5",
    "qwen3-5-moe",
]
SIGNALS = [frozenset(), frozenset({"attention", "keys", "pre_projector"})]


@pytest.fixture(scope="module")
def towers(tmp_path_factory):
    found = {}
    for family in FAMILIES:
        folder = tmp_path_factory.mktemp("models") / family
        TINY_VLMS[family].build(folder)
        vlm = replace(load_vlm(str(folder), device="cpu"), **TINY_VLMS[family].options)
        info = VideoInfo(
            width_px=200,
            height_px=120,
            duration_seconds=6.0,
            start_seconds=0.0,
            frame_count=6,
            average_fps=1.0,
            codec="h264",
            picture=False,
        )
        found[family] = vlm.encoder.for_video(info, 6)
    return found


@pytest.fixture
def calls(monkeypatch):
    """Counts the calls of the kernel."""
    made, own = [], torch.nn.functional.scaled_dot_product_attention

    def counted(query, *args, **options):
        made.append(query.shape)
        return own(query, *args, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    return made


@pytest.fixture
def at_once(monkeypatch):
    """Makes the layers attend to all parts at once, on a CPU too."""

    def forced(config, device):
        return attention.parts_at_once(config, torch.device("cuda"))

    def force():
        for module in ("_qwen", "video_llama_3"):
            monkeypatch.setattr(f"framesift.vlms.{module}.parts_at_once", forced)

    return force


def assert_same(found, own, signals):
    near = partial(torch.testing.assert_close, atol=2e-5, rtol=2e-5)
    near(found.features, own.features)
    for name in signals:
        near(getattr(found.signals, name), getattr(own.signals, name))


@pytest.mark.parametrize("signals", SIGNALS, ids=["plain", "watched"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_tower_gives_the_same_from_fewer_calls(towers, family, signals, at_once, calls):
    tower, frames = towers[family], random_frames(6, (120, 200))
    own = tower.encode(frames, signals)
    usual = len(calls)
    calls.clear()
    at_once()
    assert_same(tower.encode(frames, signals), own, signals)
    assert len(calls) < usual
    assert tower.tower.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("signals", SIGNALS, ids=["plain", "watched"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_skipped_borrows_the_same(towers, family, signals, at_once):
    frames = random_frames(8, (120, 200))
    frames.data[5:] = frames.data[4]
    frames.data[6:, :40, :60] += 40  # whole frames first, then parts of them, then nothing

    def encoded():
        still = still_encoder(towers[family], 8.0, signals)
        return [still.encode(frames[part]) for part in (slice(0, 4), slice(4, 8))]

    own = encoded()
    at_once()
    for (found, which), (expected, expected_which) in zip(encoded(), own, strict=True):
        assert torch.equal(which, expected_which)
        assert_same(found, expected, signals)
    assert not own[1][1].all()


def test_a_cpu_and_another_function_are_left_alone(towers):
    config = towers["qwen2-5-vl"].tower.config
    with attention.parts_at_once(config, torch.device("cpu")):
        assert config._attn_implementation == "sdpa"
    config._attn_implementation = "eager"
    try:
        with attention.parts_at_once(config, torch.device("cuda")):
            assert config._attn_implementation == "eager"
    finally:
        config._attn_implementation = "sdpa"


@pytest.mark.parametrize("lengths", [(4, 4, 4), (4, 2, 4, 2, 1), (3,), (2, 0, 3)])
def test_parts_attend_to_themselves_alone(lengths):
    generator = torch.Generator().manual_seed(0)
    row = [torch.randn(1, 3, sum(lengths), 8, generator=generator) for _ in range(3)]
    seen = []

    def compute(query, key, value):
        seen.append(query.shape[2])
        found = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        return found.transpose(1, 2)

    ends = torch.tensor([0, *lengths]).cumsum(0)
    found = of_parts(lengths_of(ends), compute, *row)
    assert sorted(seen) == sorted({length for length in lengths if length})
    torch.testing.assert_close(found, one_by_one(lengths, compute, *row))
