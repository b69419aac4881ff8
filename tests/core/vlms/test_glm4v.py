"""GLM-4V: sizes of frames, times and turns as its own processor and template have them."""

from dataclasses import replace

import pytest

from framesift.errors import ModelError
from framesift.testing import TINY_VLMS
from framesift.types.video import VideoInfo
from framesift.vlms.base import Turn
from framesift.vlms.glm4v import video_px
from framesift.vlms.load import load_vlm

pytest.importorskip("transformers")

SIZES = [
    (90, 50),
    (320, 240),
    (512, 288),
    (1280, 720),
    (2048, 1810),
    (720, 1280),
    (20, 16),
    (30, 8),
]


def info(width, height):
    return VideoInfo(
        width_px=width,
        height_px=height,
        duration_seconds=4.0,
        start_seconds=0.0,
        frame_count=4,
        average_fps=1.0,
        codec="none",
    )


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("glm4v")
    TINY_VLMS["glm4v"].build(folder)
    return load_vlm(str(folder), device="cpu")


@pytest.mark.torchvision
@pytest.mark.parametrize("frames", [2, 3, 5, 7, 16, 301])
@pytest.mark.parametrize("limits", [(1024, 10**6), (12544, 47_040_000)])
def test_frames_have_the_size_of_the_familys_own_processor(frames, limits):
    from transformers.models.glm4v.video_processing_glm4v import smart_resize

    for width, height in SIZES:
        own = smart_resize(frames, height, width, 2, 28, *limits)
        least, most = limits
        found = video_px(
            height, width, frames=frames, together=2, factor=28, least_px=least, most_px=most
        )
        assert found == own, f"{width}x{height}"


def test_more_frames_are_smaller_ones(vlm):
    few, many = (vlm.encoder.fitted(info(1280, 720), frames).size_px for frames in (2, 200))
    assert few[0] * few[1] > many[0] * many[1]
    bounded = replace(vlm, max_step_tokens=12).encoder.fitted(info(1280, 720), 2)
    assert bounded.grid[0] * bounded.grid[1] <= 12


def test_pictures_that_are_too_long_are_refused_in_one_line(vlm):
    with pytest.raises(ModelError, match="200 times as long") as error:
        vlm.encoder.fitted(info(2010, 10))
    assert "\n" not in str(error.value)


def test_what_the_assistant_said_is_put_as_it_is(vlm):
    turns = [
        Turn(role="system", text="Be brief."),
        Turn(role="user", text="What?"),
        Turn(role="assistant", text="A dog."),
        Turn(role="user", text="Where?"),
    ]
    text = vlm.tokenizer.decode(vlm.prompt(turns).input_ids).replace(" ", "")
    assert text.endswith(
        "<|system|>\nBebrief.<|user|>\nWhat?<|assistant|>\nAdog.<|user|>\nWhere?<|assistant|>\n"
    )
