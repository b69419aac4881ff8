"""Frames of Qwen-VL and GLM have the sizes of the checkpoint, or those of Qwen's own tools."""

import json
from dataclasses import replace

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.errors import InvalidOptionError, ModelError  # noqa: E402
from framesift.testing import TINY_VLMS  # noqa: E402
from framesift.vlms import registry  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

PROCESSORS = {
    "qwen2-vl": "Qwen2VLVideoProcessor",
    "qwen2-5-vl": "Qwen2VLVideoProcessor",
    "qwen3-vl": "Qwen3VLVideoProcessor",
    "glm4v": "Glm4vVideoProcessor",
}
PUBLISHED = {
    "qwen2-vl": {"min_pixels": 3136, "max_pixels": 12_845_056},
    "qwen2-5-vl": {"size": {"shortest_edge": 3136, "longest_edge": 12_845_056}},
    "qwen3-vl": {"size": {"shortest_edge": 4096, "longest_edge": 25_165_824}},
    "glm4v": {"size": {"shortest_edge": 12_544, "longest_edge": 47_040_000}},
}
"""What the checkpoints of the families say."""
SIZES_PX = [
    (50, 90),
    (240, 320),
    (288, 512),
    (720, 1280),
    (1280, 720),
    (1810, 2048),
    (20, 700),
    (8, 30),
]
COLORS = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = {name: tmp_path_factory.mktemp(name) for name in PROCESSORS}
    for name, folder in found.items():
        TINY_VLMS[name].build(folder)
    return found


@pytest.fixture
def says(folders):
    """Returns the adapter of a family whose checkpoint says something about frames."""

    def load(family, settings):
        path = folders[family] / "video_preprocessor_config.json"
        path.write_text(json.dumps({**COLORS, **settings}))
        return replace(load_vlm(str(folders[family]), device="cpu"))

    return load


def tokens(vlm, size_px, frames, **options):
    height, width = replace(vlm, **options).size_px(size_px, frames)
    return height * width // vlm.token_px**2


@pytest.mark.torchvision
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"cap_pixels_per_frame": True},
        {"cap_pixels_per_frame": True, "max_video_tokens": 300},
        {"min_pixels": 50_000, "max_pixels": 200_000},
        {"size": {"shortest_edge": 200_000, "longest_edge": 300_000}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("family", PROCESSORS)
def test_sizes_are_those_of_the_checkpoints_own_processor(says, family, more, monkeypatch):
    vlm = says(family, PUBLISHED[family] | more)
    processor = getattr(transformers, PROCESSORS[family]).from_pretrained(vlm.model)
    seen = []
    # The sizes alone are wanted, not the pixels of hundreds of frames.
    monkeypatch.setattr(
        transformers.video_processing_utils.BaseVideoProcessor,
        "resize",
        lambda self, image, size, resample: seen.append((size.height, size.width)),
    )
    for frames in (2, 3, 5, 16, 301):
        for size_px in SIZES_PX:
            processor.resize(
                videos=torch.empty(1, device="meta").expand(1, frames, 3, *size_px),
                size=processor.size,
                resample=3,
                factor=vlm.token_px,
                temporal_factor=2,
                cap_pixels_per_frame=getattr(processor, "cap_pixels_per_frame", None),
            )
            assert vlm.size_px(size_px, frames) == seen.pop(), f"{frames} frames of {size_px}"


def test_the_two_rules_differ_as_documented(says):
    helper = {"frame_size": "qwen-vl-utils"}
    earlier, later = (says(name, PUBLISHED[name]) for name in ("qwen2-5-vl", "qwen3-vl"))
    assert [tokens(vlm, (240, 320), 8) for vlm in (earlier, later)] == [99, 80]
    assert [tokens(earlier, size, 8) for size in ((1810, 2048), (1080, 1920))] == [4745, 2691]
    found = [tokens(earlier, size, 8, **helper) for size in ((240, 320), (1810, 2048))]
    assert found == [140, 754]


def test_many_frames_are_smaller_where_all_of_them_are_bounded(says):
    vlm = says("qwen3-vl", PUBLISHED["qwen3-vl"])
    few, many = (tokens(vlm, (720, 1280), frames) for frames in (8, 64))
    assert few == 40 * 22
    assert many < few
    assert tokens(vlm, (720, 1280), None) == few
    tools = {"frame_size": "qwen-vl-utils"}
    assert tokens(vlm, (720, 1280), 64, **tools) == tokens(vlm, (720, 1280), 300, **tools)
    assert tokens(vlm, (720, 1280), 900, **tools) < tokens(vlm, (720, 1280), 300, **tools)


@pytest.mark.parametrize("family", [name for name in PROCESSORS if name.startswith("qwen")])
def test_bounds_of_tokens_hold_whichever_rule_it_is(says, family):
    vlm = says(family, PUBLISHED[family])
    for rule in ("checkpoint", "qwen-vl-utils"):
        for size_px in [*SIZES_PX, (1, 5000), (5000, 1)]:
            bounds = {"min_step_tokens": 200, "max_step_tokens": 240}
            assert 200 <= tokens(vlm, size_px, 8, frame_size=rule, **bounds) <= 240
    with pytest.raises(InvalidOptionError, match="frame_size"):
        replace(vlm, frame_size="other")


def test_a_bound_that_is_no_number_is_refused_in_one_line(says):
    with pytest.raises(ModelError, match="min_pixels=-1") as error:
        says("qwen2-vl", {"min_pixels": -1})
    assert "\n" not in str(error.value)


def test_more_tokens_than_any_picture_has_are_refused():
    with pytest.raises(InvalidOptionError, match="min_step_tokens=100000 must be at most 65536"):
        registry.create("qwen3-vl", model="any", min_step_tokens=100_000)
