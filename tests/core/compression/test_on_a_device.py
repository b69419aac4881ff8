"""From decoded frames to the prompt with a tower on a device: what stays there, what comes back."""

import copy
import pickle
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch

pytest.importorskip("transformers")

from framesift import VideoCompressor, load
from framesift.answering.generation import Generation
from framesift.encoders import registry as encoders
from framesift.encoders.handcrafted import Handcrafted
from framesift.errors import InvalidTokensError, ModelError
from framesift.export import prompt_embeds
from framesift.sources.base import open_video
from framesift.strategies.base import Strategy
from framesift.testing import TINY_VLMS, assert_near, tiny_tower
from framesift.testing.stand_in import DEVICE, stand_in
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

CLIP = "synthetic://mixed?seconds=6&width=320&height=192"


@pytest.fixture(scope="module")
def clip():
    with open_video(CLIP) as video:
        yield video


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tiny_tower(tmp_path_factory.mktemp("clip")))


def on(device, folder):
    return encoders.create("clip", model=folder, device=str(device), dtype="float32")


@pytest.mark.parametrize("keep", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("strategy", ["uniform", "attention", "temporal"])
def test_tokens_stay_on_the_device_and_all_else_comes_to_the_host(clip, folder, strategy, keep):
    options = {"strategy": strategy, "keep": keep}
    expected = VideoCompressor(encoder=on("cpu", folder), **options).compress(clip)
    with stand_in():
        found = VideoCompressor(encoder=on(DEVICE, folder), **options).compress(clip)
        assert found.tokens.device == DEVICE
        assert_near(found.tokens.cpu(), expected.tokens)
    for name in ("src", "dst", "weight"):
        assert torch.equal(getattr(found.plan, name), getattr(expected.plan, name)), name
    for name in ("positions", "pts_seconds", "frame_seconds"):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    volatile = {"seconds", "encoder"}
    assert found.report.model_dump(exclude=volatile) == expected.report.model_dump(exclude=volatile)


def test_how_often_the_host_waits_does_not_grow_with_the_video(folder):
    def waits(seconds):
        with (
            open_video(CLIP.replace("seconds=6", f"seconds={seconds}")) as video,
            stand_in() as seen,
        ):
            VideoCompressor(encoder=on(DEVICE, folder), strategy="attention").compress(video)
            seen.waits.clear()
            VideoCompressor(encoder=on(DEVICE, folder), strategy="attention").compress(video)
            return seen.waits.total()

    assert waits(40) == waits(4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_never_widened_to_float64(clip, folder, dtype):
    encoder = replace(on(DEVICE, folder), dtype=dtype)
    with stand_in():  # which refuses float64
        found = VideoCompressor(encoder=encoder, strategy="attention").compress(clip)
        assert found.tokens.dtype == getattr(torch, dtype)


def test_what_is_on_a_device_is_saved_and_pickled_for_any_machine(clip, folder, tmp_path):
    with stand_in():
        sift = VideoCompressor(encoder=on(DEVICE, folder))
        encoded = sift.encode(clip)
        found = sift.reduce(encoded)
        found.save(tmp_path)
        compressed, every = pickle.dumps(found), pickle.dumps(encoded.tokens)
        for again in (copy.copy(found), copy.deepcopy([found])[0]):
            assert again.tokens.device == DEVICE
            assert torch.equal(again.tokens.cpu(), found.tokens.cpu())
            assert again.report == found.report
            assert torch.equal(again.plan.src, found.plan.src)
        again = copy.deepcopy(encoded.tokens)
        assert again.features.device == again.signals.keys.device == DEVICE
        tokens, features = found.tokens.cpu(), encoded.tokens.features.cpu()
        attention = encoded.tokens.signals.attention.cpu()
    assert torch.equal(load(tmp_path).tokens, tokens)
    again = pickle.loads(compressed)
    assert torch.equal(again.tokens, tokens)
    assert torch.equal(again.plan.src, found.plan.src)
    assert again.report == found.report
    assert torch.equal(pickle.loads(every).features, features)
    assert torch.equal(pickle.loads(every).signals.attention, attention)


def test_a_prompt_is_the_same_whatever_device_its_tokens_are_on(clip, tmp_path):
    TINY_VLMS["llava-onevision"].build(tmp_path)
    vlm = load_vlm(str(tmp_path), device="cpu")
    video = VideoCompressor(vlm=vlm).compress(clip)
    expected = vlm.prompt([Turn(role="user", text="What?", videos=(video,))], positions="compact")
    with stand_in():
        moved = replace(video, tokens=video.tokens.to(DEVICE))
        found = vlm.prompt([Turn(role="user", text="What?", videos=(moved,))], positions="compact")
        assert torch.equal(prompt_embeds(vlm, found), prompt_embeds(vlm, expected))
    assert torch.equal(found.features, expected.features)


@pytest.mark.parametrize("evidence", [None, "similarity", "attention"])
@pytest.mark.parametrize("strategy", ["temporal", "question"])
@pytest.mark.slow
def test_an_answer_on_a_device_is_that_on_the_cpu(tmp_path, strategy, evidence):
    TINY_VLMS["llava-onevision"].build(tmp_path)
    short = Generation(max_new_tokens=4)

    def answer(video, device):
        vlm = load_vlm(str(tmp_path), device=device, dtype="float32")
        sift = VideoCompressor(vlm=vlm, strategy=strategy)
        return sift.ask(video, "What is red?", generation=short, evidence=evidence)

    with open_video("synthetic://mixed?seconds=4&width=64&height=64") as video:
        expected = answer(video, "cpu")
        with stand_in():
            found = answer(video, str(DEVICE))
    assert found.text == expected.text
    # Frames are resized in float32 there, which changes some levels of 255 by one.
    assert len(found.evidence) == len(expected.evidence) == (0 if evidence is None else 1)
    for here, there in zip(found.evidence, expected.evidence, strict=True):
        assert here.keyframe_seconds == there.keyframe_seconds
        assert here.score == pytest.approx(there.score, abs=0.01)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("positions", r"positions is on meta; pass positions\.cpu"),
        ("frame_seconds", "frame_seconds is on meta"),
        ("plan", r"plan is on meta; pass plan\.cpu"),
    ],
)
def test_mixed_devices_of_a_compressed_video_are_named(clip, name, line):
    video = VideoCompressor().compress(clip)
    if name == "plan":
        value = replace(
            video.plan, **{k: getattr(video.plan, k).to("meta") for k in ("dst", "src", "weight")}
        )
    else:
        value = getattr(video, name).to("meta")
    with pytest.raises(InvalidTokensError, match=line):
        replace(video, **{name: value})


@dataclass(frozen=True, kw_only=True)
class Greedy(Strategy):
    """A strategy whose device fails."""

    summary: ClassVar[str] = "fails"
    error: ClassVar[Exception]

    def decide(self, tokens, budget, question):
        raise self.error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "no memory for planning .* max_frames=3"),
        (RuntimeError("CUDA error: launch failure\nCompile"), "failed while planning 1176 tokens"),
    ],
)
def test_a_device_that_fails_while_a_plan_is_made_is_one_line(clip, monkeypatch, error, line):
    monkeypatch.setattr(Greedy, "error", error, raising=False)
    with pytest.raises(ModelError, match=line) as told:
        VideoCompressor(strategy=Greedy()).compress(clip)
    assert "\n" not in str(told.value)


def test_an_error_in_a_strategy_of_somebody_else_is_left_as_it_is(clip, monkeypatch):
    monkeypatch.setattr(Greedy, "error", RuntimeError("I am wrong"), raising=False)
    with pytest.raises(RuntimeError, match=r"^I am wrong$"):
        VideoCompressor(strategy=Greedy()).compress(clip)


def test_an_encoder_of_somebody_else_that_finds_no_memory_is_one_line(clip, monkeypatch):
    def encode(*args):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(Handcrafted, "encode", encode)
    with pytest.raises(ModelError, match=r"encoder 'handcrafted' has no memory for a window"):
        VideoCompressor().compress(clip)


@pytest.mark.parametrize(
    ("free", "fitting"),
    [(None, "a lower fps"), (10**7, "max_frames=3 fit"), (5 * 10**4, "max_frames=1 fit")],
)
def test_all_tokens_that_find_no_memory_are_one_line_with_the_frames_that_fit(
    clip, monkeypatch, free, fitting
):
    def no_room(self, *shape):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr("framesift.compression.frame_tokens.free_bytes", lambda device: free)
    monkeypatch.setattr(torch.Tensor, "new_empty", no_room)
    with pytest.raises(ModelError, match=rf"for the tokens of 6 time steps; .*{fitting}"):
        VideoCompressor().compress(clip)
