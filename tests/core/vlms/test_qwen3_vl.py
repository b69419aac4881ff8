"""Qwen3-VL: times as text, features for deeper layers, from a file to an answer."""

from dataclasses import replace

import pytest
import torch

transformers = pytest.importorskip("transformers")

import framesift  # noqa: E402
from framesift.errors import ModelError  # noqa: E402
from framesift.testing import (  # noqa: E402
    TINY_VLMS,
    assert_near,
    compressed,
    random_frames,
)
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

SIZE = (64, 96)
PAD = "<|video_pad|>"


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qwen3_vl")
    TINY_VLMS["qwen3-vl"].build(folder)
    return replace(load_vlm(str(folder), device="cpu"), max_step_tokens=6)


@pytest.fixture(scope="module")
def encoder(vlm):
    return replace(vlm.encoder, picture_px=SIZE)


def video(encoder, frames, kept=None):
    tokens = encoder.encode(frames)
    kept = torch.arange(tokens.count) if kept is None else torch.tensor(kept)
    return compressed(tokens, TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=6))


def text_of(vlm, *videos):
    ids = vlm.prompt([Turn(role="user", text="Why?", videos=videos)]).input_ids
    return "".join(vlm.tokenizer.convert_ids_to_tokens(ids))


def test_steps_without_tokens_lose_their_time_and_marks(vlm, encoder):
    assert text_of(vlm, video(encoder, random_frames(6, SIZE), [0, 1, 17])) == (
        f"<s><|im_start|>user\n<|vision_start|><0.5 seconds><|vision_start|>{PAD}{PAD}"
        f"<|vision_end|><4.5 seconds><|vision_start|>{PAD}<|vision_end|><|vision_end|>"
        "Why?<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("seconds", "duration", "fps", "shown"),
    [
        ([0.0, 2.0, 4.0], 6.0, 1.0, [0.5, 2.5, 4.5]),
        ([0.0, 2.0, 4.0], 5.0, 1.0, [0.5, 2.5, 4.0]),
        ([7.0, 8.2], 2.4, 2.0, [7.3, 8.5]),
        ([0.0], 4.0, 0.5, [1.0]),
        ([0.0], 1.0, 1.0, [0.0]),
        ([0.0, 2.0, 8.0], 12.0, 1.0, [0.0, 2.0, 8.0]),
    ],
)
def test_where_only_first_frames_are_known_even_steps_are_filled(
    vlm, encoder, seconds, duration, fps, shown
):
    found = video(encoder, random_frames(2 * len(seconds), SIZE))
    report = found.report.model_copy(update={"duration_seconds": duration, "fps": fps})
    times = torch.tensor(seconds, dtype=torch.float64)
    bare = replace(found, frame_seconds=times, step_seconds=None, report=report)
    (blocks,) = vlm.blocks(bare)
    assert [block.before for block in blocks] == [
        f"<{middle} seconds><|vision_start|>" for middle in shown
    ]


@pytest.mark.parametrize("count", [1, 5])
def test_an_odd_number_of_frames_is_the_ordinary_prompt(vlm, encoder, count):
    frames = random_frames(count, SIZE)
    found = video(encoder, frames)
    report = found.report.model_copy(update={"duration_seconds": float(count)})
    turn = Turn(role="user", text="Why?", videos=(replace(found, report=report),))
    inputs = vlm.prompt([turn]).inputs()
    ordinary = TINY_VLMS["qwen3-vl"].ordinary(vlm.model, frames, "Why?")
    assert torch.equal(inputs["input_ids"], ordinary.inputs["input_ids"])
    with torch.no_grad():
        logits, expected = (vlm.hf(**x).logits for x in (inputs, ordinary.inputs))
    assert_near(logits, expected)


def test_what_deeper_layers_take_goes_through_the_same_plan(vlm, encoder):
    tokens = encoder.encode(random_frames(4, SIZE))
    assert tokens.layers.shape == (2, 6, 2, vlm.width)
    plan = TokenPlan.merge(torch.arange(12) // 3, tokens_per_frame=6)
    prompt = vlm.prompt([Turn(role="user", text="?", videos=(compressed(tokens, plan),))])
    expected = tokens.layers.view(4, 3, 2, -1).mean(1)
    assert_near(prompt.layers, expected)
    output = prompt.inputs()["mm_encoder_outputs"]["video"]
    for depth in range(2):
        assert_near(output.deepstack_features[depth][0], expected[:, depth])


def test_deeper_layers_matter(vlm, encoder):
    found = video(encoder, random_frames(4, SIZE))
    silent = replace(found, layers=torch.zeros_like(found.layers))
    logits = []
    for each in (found, silent):
        prompt = vlm.prompt([Turn(role="user", text="?", videos=(each,))])
        with torch.no_grad():
            logits.append(vlm.hf(**prompt.inputs()).logits[0, -1])
    assert (logits[0] - logits[1]).abs().max() > 0.1


def test_tokens_without_what_deeper_layers_take_are_refused(vlm, encoder):
    found = replace(video(encoder, random_frames(4, SIZE)), layers=None)
    with pytest.raises(ModelError, match=r"deeper layers .*vlm\.encoder") as error:
        vlm.prompt([Turn(role="user", text="?", videos=(found,))])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seconds", [6, 5])
def test_from_a_file_to_new_tokens(vlm, write_video, tmp_path, seconds):
    path = write_video(tmp_path / "clip.mp4", count=seconds * 25, size=(120, 180))
    sift = framesift.VideoCompressor(encoder=vlm.encoder, strategy="temporal", keep=0.5)
    found = sift.compress(path)
    assert found.report.grid == (2, 3)
    assert found.frame_seconds.tolist() == [0.0, 2.0, 4.0]
    assert len(found.tokens) == len(found.layers) == 9
    text = text_of(vlm, found)
    assert text.count(PAD) == 9
    assert "<0.5 seconds>" in text
    last = f"<{4.5 if seconds == 6 else 4.0} seconds>"
    assert (last in text) == bool(found.report.tokens_per_frame_kept[2])
    prompt = vlm.prompt([Turn(role="user", text="Why?", videos=(found,))])
    new = vlm.hf.generate(**prompt.inputs(), max_new_tokens=4, min_new_tokens=4, do_sample=False)
    assert new.shape == (1, len(prompt.input_ids) + 4)


@pytest.mark.torchvision
def test_an_odd_number_of_frames_is_what_the_processor_makes(vlm, encoder):
    frames = random_frames(5, SIZE)
    found = video(encoder, frames)
    report = found.report.model_copy(update={"duration_seconds": 5.0})
    turn = Turn(role="user", text="Why?", videos=(replace(found, report=report),))
    inputs = vlm.prompt([turn]).inputs()
    given = TINY_VLMS["qwen3-vl"].processed(vlm.model, frames, "Why?")
    assert torch.equal(inputs["input_ids"], given["input_ids"])
    with torch.no_grad():
        logits, expected = (vlm.hf(**x).logits for x in (inputs, given))
    assert_near(logits, expected)
