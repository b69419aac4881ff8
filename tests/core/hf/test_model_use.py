"""Threads that share a model get what each gets alone, and leave the model as it was."""

import gc
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Barrier, Event, Thread
from time import sleep

import pytest
import torch

from framesift.answering.chat import Chat
from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor
from framesift.encoders import registry as encoders
from framesift.errors import ModelError, TimeLimitError
from framesift.hf import checkpoint
from framesift.hf.attention import listening, own_attention
from framesift.hf.model_use import alone_with, loaded_once
from framesift.run import time_limit
from framesift.serving.assistant import Assistant
from framesift.serving.message import Message
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm
from framesift.vlms.tiny import FOLDER

SOON = 60.0
QUESTION = "What number flashes?"
LONG = Generation(max_new_tokens=300, temperature=1e4, seed=1)
WAYS = [
    "fastv streamed at 2",
    "whole",
    "fastv at 1",
    "fastv at 2",
    "streamed",
    "encoded",
    "by similarity",
]


@pytest.fixture(scope="module")
def vlm():
    return load_vlm("tiny")


@pytest.fixture(scope="module")
def videos(vlm):
    sift = VideoCompressor(vlm=vlm, keep=0.5)
    return [sift.compress(f"synthetic://number?seed={seed}&seconds=4") for seed in (3, 4)]


def as_it_was(vlm):
    llm, tower = vlm.hf.get_decoder(), vlm.hf.base_model.vision_tower
    hooks = any(module._forward_pre_hooks for module in vlm.hf.modules())
    return {llm.config._attn_implementation, tower.config._attn_implementation} == {
        "sdpa"
    } and not hooks


def answered(vlm, video, way):
    """Returns words and evidence of one answer, got in one of the ways."""
    if way == "encoded":
        found = VideoCompressor(vlm=vlm, strategy="attention").compress(
            f"{video.report.uri}", QUESTION
        )
        return found.tokens.sum().item(), found.plan.src.tolist()
    layer = int(way[-1]) if way.startswith("fastv") else None
    door = nullcontext() if layer is None else vlm.in_llm("fastv", layer=layer, keep=0.3)
    evidence = {"by similarity": "similarity"}.get(way, "attention" if layer is None else None)
    with door as opened, Chat(vlm, [video]) as chat:
        if "streamed" in way:
            text = "".join(chat.stream(QUESTION, evidence=evidence))
            return text, chat.last.evidence, opened and [each.tolist() for each in opened.kept]
        answer = chat.ask(QUESTION, evidence=evidence)
        kept = [] if opened is None else [columns.tolist() for columns in opened.kept]
        return answer.text, answer.evidence, kept


def test_conversations_in_threads_are_those_that_each_has_alone(vlm, videos):
    asked = [(video, way) for way in WAYS for video in videos] * 2
    alone = [answered(vlm, *one) for one in asked[: len(asked) // 2]] * 2
    start = Barrier(len(asked))

    def work(one):
        start.wait(SOON)
        return answered(vlm, *one)

    with ThreadPoolExecutor(len(asked)) as pool:
        together = list(pool.map(work, asked))
    assert together == alone
    assert as_it_was(vlm)


def test_a_door_is_open_for_its_own_thread_only(vlm, videos):
    prompt = vlm.prompt([Turn(role="user", text=QUESTION, videos=(videos[0],))])
    with torch.no_grad():
        plain = vlm.hf(**prompt.inputs()).logits
        with vlm.in_llm("fastv", layer=1, keep=0.2) as door, ThreadPoolExecutor(1) as pool:
            elsewhere = pool.submit(logits, vlm, prompt).result(SOON)
            here = vlm.hf(**prompt.inputs()).logits
    assert torch.equal(elsewhere, plain)
    assert not torch.equal(here[:, -1], plain[:, -1])
    assert len(door.kept) == 1


@torch.no_grad()
def logits(vlm, prompt):
    return vlm.hf(**prompt.inputs()).logits


def test_the_switch_is_counted(vlm):
    config = vlm.hf.get_decoder().config
    with listening(config, lambda module: []):
        with listening(config, lambda module: []):
            assert own_attention(config) == "sdpa"
        assert config._attn_implementation != "sdpa"
        with pytest.raises(RuntimeError), listening(config, lambda module: []):
            raise RuntimeError
        assert config._attn_implementation != "sdpa"
    assert config._attn_implementation == "sdpa"


@pytest.mark.parametrize("left", ["paused", "closed", "dropped", "never begun"])
def test_a_stream_that_is_left_keeps_nobody_from_the_model(vlm, videos, left):
    assistant = Assistant(VideoCompressor(vlm=vlm))
    said = Message(role="user", text=QUESTION, videos=("synthetic://number?seed=3&seconds=4",))
    stream = assistant.stream([said], generation=LONG)
    if left != "never begun":
        next(stream)
    if left == "closed":
        stream.close()
        assert stream.answer.usage.finish_reason == "cancelled"
    if left == "dropped":
        del stream
    with ThreadPoolExecutor(1) as pool, Chat(vlm, [videos[0]]) as chat:
        assert pool.submit(chat.ask, QUESTION).result(SOON).text
    assert as_it_was(vlm)


def test_a_dropped_stream_stops_working(vlm, videos):
    with Chat(vlm, [videos[0]]) as chat:
        pieces = chat.stream(QUESTION, generation=LONG)
        next(pieces)
        del pieces
        gc.collect()
        assert chat.last.usage.finish_reason == "cancelled"
        assert chat.ask(QUESTION).text


def test_a_stream_that_waits_for_the_model_can_be_closed_by_who_holds_it(vlm, videos):
    with Chat(vlm, [videos[0]]) as chat, alone_with(vlm.hf):
        assistant = Assistant(VideoCompressor(vlm=vlm))
        stream = assistant.stream([Message(role="user", text="Hello?")])
        reader = Thread(target=lambda: list(stream), daemon=True)
        reader.start()
        assert chat.ask(QUESTION).text
        while stream._worker is None:
            sleep(0.01)
        stream.close()
        reader.join(SOON)
        assert not reader.is_alive()
        assert stream.answer is None


def test_who_waits_for_a_model_goes_when_he_is_cancelled(vlm):
    cancelled = Event()
    cancelled.set()

    def wait():
        with alone_with(vlm.hf, cancelled):
            raise AssertionError

    with alone_with(vlm.hf), ThreadPoolExecutor(1) as pool:
        with alone_with(vlm.hf, cancelled):
            pass
        with pytest.raises(ModelError, match="cancelled"):
            pool.submit(wait).result(SOON)


def test_a_time_limit_holds_for_who_waits_for_a_model(vlm, videos):
    def ask():
        with time_limit(0.2), Chat(vlm, [videos[0]]) as chat:
            chat.ask(QUESTION)

    with alone_with(vlm.hf), ThreadPoolExecutor(1) as pool, pytest.raises(TimeLimitError):
        pool.submit(ask).result(SOON)


def test_a_stream_within_the_pieces_of_another_answer_comes_to_its_end(vlm, videos):
    inner = []

    def on_text(piece):
        if not inner:
            with Chat(vlm, [videos[1]]) as other:
                inner.append("".join(other.stream(QUESTION)))

    with Chat(vlm, videos) as chat, ThreadPoolExecutor(1) as pool:
        alone = chat.ask(QUESTION).text
        assert pool.submit(chat.ask, QUESTION, on_text=on_text).result(SOON).text == alone
    with Chat(vlm, [videos[1]]) as other:
        assert inner == [other.ask(QUESTION).text]


def test_an_error_in_an_answer_frees_the_model(vlm, videos):
    def broken(piece):
        raise RuntimeError("broken")

    with ThreadPoolExecutor(1) as pool, Chat(vlm, [videos[0]]) as chat:
        with pytest.raises(RuntimeError, match="broken"):
            pool.submit(chat.ask, QUESTION, on_text=broken).result(SOON)
        assert chat.ask(QUESTION, evidence="attention").text
    assert as_it_was(vlm)


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(FOLDER, tmp_path / "tiny")


def test_the_same_weights_are_in_memory_once_while_they_are_used(folder):
    name = str(folder)
    first, second = load_vlm(name), load_vlm(f"tiny:model={folder}")
    assert first.hf is second.hf is VideoCompressor(vlm=name).answering_vlm.hf
    assert load_vlm(name, device="cpu", dtype="float32").hf is first.hf
    assert load_vlm(name, dtype="bfloat16").hf is not first.hf
    held = weakref.ref(first.hf)
    del first, second
    gc.collect()
    assert held() is None


def test_other_weights_in_the_same_folder_are_loaded_anew(folder):
    first = load_vlm(str(folder))
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(content)
    assert load_vlm(str(folder)).hf is not first.hf


def test_threads_that_load_at_the_same_time_load_once(folder, monkeypatch):
    loads, load = [], checkpoint.load_model

    def counted(*arguments, **options):
        loads.append(arguments)
        return load(*arguments, **options)

    monkeypatch.setattr(checkpoint, "load_model", counted)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(load_vlm, [str(folder)] * 6))
    assert len(loads) == 1
    assert len({id(vlm.hf) for vlm in found}) == 1


def test_towers_are_loaded_once_by_threads_and_anew_when_their_files_change(tmp_path):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    frames = VideoCompressor().frames("synthetic://number?seed=3&seconds=4")
    CLIPVisionModel(config).save_pretrained(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        clip = encoders.create("clip", model=str(tmp_path))
        found = list(pool.map(lambda _: clip.encode(frames).features, range(4)))
    assert all(torch.equal(one, found[0]) for one in found)
    CLIPVisionModel(config).save_pretrained(tmp_path)
    assert not torch.equal(clip.encode(frames).features, found[0])


def test_a_load_that_failed_is_tried_again():
    class Thing:
        pass

    def fail():
        raise ModelError("no")

    with pytest.raises(ModelError):
        loaded_once("thing", fail)
    thing = loaded_once("thing", Thing)
    assert loaded_once("thing", fail) is thing
