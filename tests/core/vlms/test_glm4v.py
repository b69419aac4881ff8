"""GLM-4V: sizes of frames, times and turns as its own processor and template have them."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.errors import ModelError
from framesift.testing import TINY_VLMS, assert_near, compressed, random_frames
from framesift.types.plan import TokenPlan
from framesift.types.video import VideoInfo
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

pytest.importorskip("transformers")


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


@torch.no_grad()
def test_a_picture_stands_beside_a_video(vlm):
    picture = VideoCompressor(vlm=vlm, strategy="random", keep=0.5).compress(
        Image.fromarray(random_frames(1, (60, 90)).data[0])
    )
    tokens = vlm.encoder.fitted(info(84, 112), 4).encode(random_frames(4, (112, 84)))
    every = torch.arange(tokens.count)
    plan = TokenPlan.keep(every, num_in=tokens.count, tokens_per_frame=tokens.tokens_per_frame)
    video = compressed(tokens, plan)
    prompt = vlm.prompt([Turn(role="user", text="What?", videos=(picture, video))])
    assert torch.equal(prompt.features, torch.cat([picture.tokens, video.tokens]))
    inputs = prompt.inputs()
    embedded = vlm.hf.get_input_embeddings()(inputs["input_ids"])
    embedded[0, prompt.visual] = prompt.features
    given = {name: inputs[name] for name in ("attention_mask", "position_ids")}
    expected = vlm.hf(inputs_embeds=embedded, **given).logits
    assert_near(vlm.hf(**inputs).logits, expected)
    assert prompt.position_ids.diff(dim=-1).amax() > 1


def test_a_saved_processor_bounds_all_pixels_of_a_video(tmp_path):
    TINY_VLMS["glm4v"].build(tmp_path)
    path = tmp_path / "video_preprocessor_config.json"
    settings = json.loads(path.read_text())
    settings["size"] = {"shortest_edge": 12544, "longest_edge": 100_352_000}
    settings["max_image_size"] = {"longest_edge": 47_040_000}
    path.write_text(json.dumps(settings))
    assert load_vlm(str(tmp_path), device="cpu").encoder.fitted(info(280, 140), 4).grid == (5, 10)
    settings["size"]["shortest_edge"] = 10**9
    path.write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="sides in pixels") as error:
        load_vlm(str(tmp_path), device="cpu")
    assert "\n" not in str(error.value)
