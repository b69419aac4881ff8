"""SmolVLM and Idefics3: times as text, frames never split, black frames are frames."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.testing import (  # noqa: E402
    TINY_VLMS,
    assert_near,
    compressed,
    random_frames,
)
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402
from framesift.vlms.smolvlm import SmolVLM  # noqa: E402

MARKED = "<fake_token_around_image><global-img>{}<fake_token_around_image>"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    found = {name: tmp_path_factory.mktemp(name) for name in ("smolvlm", "idefics3")}
    for name, folder in found.items():
        TINY_VLMS[name].build(folder)
    return found


@pytest.fixture(scope="module")
def vlm(folders):
    return load_vlm(str(folders["smolvlm"]), device="cpu")


def prompt_text(vlm, kept, frames=4, **changed):
    tokens = vlm.encoder.encode(random_frames(frames, (32, 32)))
    plan = TokenPlan.keep(torch.tensor(kept), num_in=frames * 4, tokens_per_frame=4)
    video = compressed(tokens, plan)
    video = replace(video, **changed)
    ids = vlm.prompt([Turn(role="user", text="Why?", videos=(video,))]).input_ids
    return "".join(vlm.tokenizer.convert_ids_to_tokens(ids))


def test_frames_without_tokens_lose_their_line_and_the_introduction_stays(vlm):
    assert prompt_text(vlm, [9, 10]) == (
        "<s><|im_start|>User: You are provided the following series of four frames from a 0:00:04 "
        "[H:MM:SS] video.\n\nFrame from 00:02:"
        + MARKED.format("<image><image>")
        + "\n\nWhy?<end_of_utterance>\nAssistant:"
    )


def test_times_are_minutes_and_seconds(vlm):
    text = prompt_text(
        vlm, [0, 4, 8, 12], frame_seconds=torch.tensor([0.0, 59.9999999, 61.5, 3725.0])
    )
    for time in ("00:00", "01:00", "01:01", "62:05"):
        assert f"Frame from {time}:<fake" in text


def test_idefics3_puts_frames_one_after_the_other(folders):
    text = prompt_text(load_vlm(str(folders["idefics3"]), device="cpu"), [0, 4, 5, 15])
    frames = (MARKED.format("<image>" * count) for count in (1, 2, 1))
    expected = f"User:{''.join(frames)}Why?<end_of_utterance>\nAssistant:"
    assert text == f"<s><|im_start|>{expected}"


def test_idefics3_is_asked_as_its_own_processor_would(folders):
    vlm, frames = load_vlm(str(folders["idefics3"]), device="cpu"), random_frames(3, (32, 32))
    tokens = vlm.encoder.encode(frames)
    plan = TokenPlan.keep(torch.arange(12), num_in=12, tokens_per_frame=4)
    turn = Turn(role="user", text="Why?", videos=(compressed(tokens, plan),))
    inputs = vlm.prompt([turn]).inputs()
    given = TINY_VLMS["idefics3"].processed(folders["idefics3"], frames, "Why?")
    assert torch.equal(inputs["input_ids"], given["input_ids"])
    with torch.no_grad():
        logits, expected = (vlm.hf(**x).logits for x in (inputs, given))
    assert torch.equal(logits, expected)


@pytest.mark.parametrize("name", ["smolvlm", "idefics3"])
def test_frames_that_are_all_zero_are_frames(folders, tmp_path, name):
    shutil.copytree(folders[name], tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*preprocessor_config.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "image_mean": [0, 0, 0]}))
    vlm, frames = load_vlm(str(tmp_path), device="cpu"), random_frames(3, (32, 32))
    frames.data[1] = 0
    tokens = vlm.encoder.encode(frames)
    pixels = vlm.encoder.pixels(frames.data)
    assert not pixels[1].any()
    assert tokens.features.shape == (3, 4, vlm.width)
    nearly = pixels.clone()
    nearly[1, 0, 0, 0] = 1e-30
    with torch.no_grad():
        dropped, whole = (
            torch.cat(vlm.hf.base_model.get_image_features(x[None], return_dict=True).pooler_output)
            for x in (pixels, nearly)
        )
    assert len(dropped) == 2 * 4
    assert_near(tokens.features.flatten(0, 1), whole)


def test_attention_is_what_patches_receive_on_average(vlm):
    frames = random_frames(3, (32, 32))
    found = vlm.encoder.encode(frames).signals.attention
    tower = vlm.hf.base_model.vision_model
    pixels = vlm.encoder.pixels(frames.data)
    tower.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            weights = tower(pixels, output_attentions=True).attentions[-1]
    finally:
        tower.set_attn_implementation("sdpa")
    received = weights.mean((1, 2)).view(3, 2, 2, 2, 2)
    assert_near(found, received.mean((2, 4)).flatten(1))


def test_a_video_takes_the_template_that_the_processor_takes(vlm):
    assert "<video>" not in vlm.tokenizer.chat_template
    assert "<video>" in vlm.chat_template


def test_frames_are_fitted_to_their_longest_side_before_they_are_squashed(folders, tmp_path):
    small = load_vlm(str(folders["smolvlm"]), device="cpu").encoder
    assert small.sizes_px(180, 320) == [(18, 32), (32, 32)]
    assert small.sizes_px(300, 200) == [(32, 22), (32, 32)]
    shutil.copytree(folders["smolvlm"], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "video_preprocessor_config.json"
    settings = json.loads(path.read_text())
    sampling = {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 64}}
    path.write_text(json.dumps({**settings, "video_sampling": sampling}))
    assert SmolVLM(model=str(tmp_path)).encoder.sizes_px(180, 320)[0] == (18, 32)
    del settings["size"]
    path.write_text(json.dumps({**settings, "video_sampling": sampling}))
    assert SmolVLM(model=str(tmp_path)).encoder.sizes_px(180, 320)[0] == (36, 64)
    path.write_text(json.dumps(settings))
    assert SmolVLM(model=str(tmp_path)).encoder.sizes_px(180, 320)[0] == (820, 1456)


@pytest.mark.torchvision
@pytest.mark.parametrize("size", [None, {"longest_edge": 48}])
@pytest.mark.parametrize("sampled", [None, {"longest_edge": 80}])
def test_frames_have_the_size_that_the_video_processor_reads(folders, tmp_path, size, sampled):
    shutil.copytree(folders["smolvlm"], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "video_preprocessor_config.json"
    settings = json.loads(path.read_text())
    settings.pop("size")
    if size is not None:
        settings["size"] = size
    if sampled is not None:
        settings["video_sampling"] = {"fps": 1, "max_frames": 64, "video_size": sampled}
    path.write_text(json.dumps(settings))
    frames = random_frames(2, (40, 90))
    processor = transformers.SmolVLMVideoProcessor.from_pretrained(tmp_path)
    given = processor([frames.data], return_tensors="pt")["pixel_values"][0]
    vlm = SmolVLM(model=str(tmp_path))
    level = 2.01 / 255 / min(vlm.frame_pixels.settings["image_std"])
    torch.testing.assert_close(vlm.encoder.pixels(frames.data), given, rtol=0, atol=level)


@pytest.mark.torchvision
@pytest.mark.parametrize("size", [(32, 32), (45, 80), (90, 41), (16, 16)])
def test_pixels_are_those_of_the_video_processor(folders, vlm, size):
    frames = random_frames(3, size)
    processor = transformers.SmolVLMVideoProcessor.from_pretrained(folders["smolvlm"])
    given = processor([frames.data], return_tensors="pt")["pixel_values"][0]
    found = vlm.encoder.pixels(frames.data)
    # Pillow and torchvision round Lanczos differently, by one level of 255 at each of two steps.
    level = 2.01 / 255 / min(vlm.frame_pixels.settings["image_std"])
    torch.testing.assert_close(found, given, rtol=0, atol=0 if size == (32, 32) else level)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "one"),
        (13, "thirteen"),
        (20, "twenty"),
        (64, "sixty-four"),
        (100, "one hundred"),
        (128, "one hundred and twenty-eight"),
        (1005, "one thousand and five"),
        (1105, "one thousand, one hundred and five"),
        (12_340, "twelve thousand, three hundred and forty"),
    ],
)
def test_the_introduction_writes_the_number_of_frames_out(vlm, number, words):
    report = SimpleNamespace(duration_seconds=9.0)
    video = SimpleNamespace(frame_seconds=torch.zeros(number), report=report)
    ((first, *_),) = vlm.blocks(video)
    assert f"series of {words} frames from a 0:00:09" in first.lead


def test_frames_of_any_size_are_squashed(vlm):
    for size in ((40, 90), (7, 5)):
        tokens = vlm.encoder.encode(random_frames(2, size))
        assert tokens.features.shape == (2, 4, vlm.width)
        assert np.isfinite(tokens.features.numpy()).all()
