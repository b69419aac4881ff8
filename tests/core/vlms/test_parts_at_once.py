"""Towers on frames of any size give the same when their layers attend to all parts at once."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from framesift.hf import attention
from framesift.hf.parts import of_parts
from framesift.testing.samples import random_frames
from framesift.testing.tiny_vlms import TINY_VLMS
from framesift.types.video import VideoInfo
from framesift.vlms import _qwen, video_llama_3
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


@pytest.mark.parametrize("signals", SIGNALS, ids=["plain", "watched"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_tower_gives_the_same_from_fewer_calls(towers, family, signals, monkeypatch, calls):
    tower, frames = towers[family], random_frames(6, (120, 200))

    def forced(config, device):
        return attention.parts_at_once(config, torch.device("cuda"))

    own = tower.encode(frames, signals)
    usual = len(calls)
    calls.clear()
    for module in (_qwen, video_llama_3):
        monkeypatch.setattr(module, "parts_at_once", forced)
    found = tower.encode(frames, signals)
    assert len(calls) < usual
    near = partial(torch.testing.assert_close, atol=2e-5, rtol=2e-5)
    near(found.features, own.features)
    for name in signals:
        near(getattr(found.signals, name), getattr(own.signals, name))
    assert tower.tower.config._attn_implementation == "sdpa"


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


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("lengths", [[4, 4, 4], [4, 2, 4, 2, 1], [3], [2, 0, 3]])
def test_parts_attend_to_themselves_alone(lengths, in_order):
    generator = torch.Generator().manual_seed(0)
    row = [torch.randn(1, 3, sum(lengths), 8, generator=generator) for _ in range(3)]
    ends = torch.tensor([0, *lengths]).cumsum(0)
    seen = []

    def attend(query, key, value):
        seen.append(query.shape[2])
        found = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        return found.transpose(1, 2)

    found = of_parts(ends, attend, *row, in_order=in_order)
    parts = zip(*(each.split(lengths, dim=2) for each in row), strict=True)
    expected = torch.cat([attend(*part) for part in parts if part[0].shape[2]], dim=1)
    torch.testing.assert_close(found, expected)
    if not in_order:
        assert len(seen) - len([n for n in lengths if n]) == len({n for n in lengths if n})
