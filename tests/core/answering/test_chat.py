"""A chat answers as a fresh prompt would, from a cache that it can always cut back."""

from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch

from framesift.answering.chat import Chat
from framesift.answering.generation import Generation
from framesift.answering.prefix_cache import PrefixCache
from framesift.answering.shown_columns import shown_by
from framesift.errors import BudgetError, InvalidOptionError, ModelError
from framesift.hf import answer_attention
from framesift.hf.growing_cache import state_layers
from framesift.testing import TINY_VLMS, assert_near, compressed, random_frames
from framesift.types.plan import TokenPlan
from framesift.types.video import VideoInfo
from framesift.vlms.base import VLM, Turn
from framesift.vlms.load import load_vlm

SHORT = Generation(max_new_tokens=6)
QUESTION, OTHER = "What is it?", "And where is it then?"
FAMILIES = sorted(TINY_VLMS.keys() - {"idefics3"})
"""Idefics3 goes the way of SmolVLM."""
KINDS = [
    "gemma3-windows",
    "gemma4-small",
    "glm4v",
    "internvl",
    "llava",
    "llava-next",
    "llava-onevision",
    "minicpm-v-4-6",
    "qwen2-vl",
    "qwen2-5-vl",
    "qwen3-vl",
    "qwen3-vl-moe",
    "qwen3-5",
    "qwen3-5-moe",
    "video-llama-3",
]
"""One family of each kind of prompt and of positions."""


@dataclass
class Asked:
    """A tiny model with videos for it, of which some tokens are kept and some merged."""

    vlm: VLM
    videos: list

    def chat(self, **options):
        return Chat(self.vlm, self.videos[:1], **options).read()

    def prompt(self, *turns, **options):
        first = Turn(role="user", text=turns[0], videos=tuple(self.videos[:1]))
        rest = [
            Turn(role=role, text=text)
            for role, text in zip(["assistant", "user"] * len(turns), turns[1:], strict=False)
        ]
        return self.vlm.prompt([first, *rest], **options)

    def words(self, ids):
        return self.vlm.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        ).strip()

    def fresh(self, prompt, new_tokens=6):
        """What `generate` makes of the whole prompt, without any cache from before."""
        found = self.vlm.hf.generate(
            **prompt.inputs(), max_new_tokens=new_tokens, do_sample=False, pad_token_id=0
        )
        return self.words(found[0, len(prompt.input_ids) :])


@pytest.fixture(scope="session")
def asked(tmp_path_factory):
    @cache
    def make(name):
        folder, tiny = tmp_path_factory.mktemp(name), TINY_VLMS[name]
        tiny.build(folder)
        vlm = replace(load_vlm(str(folder), device="cpu"), **tiny.options)
        videos = []
        for seed, count in enumerate((6, 2)):
            height, width = tiny.size_px
            info = VideoInfo(
                width_px=width,
                height_px=height,
                duration_seconds=float(count),
                start_seconds=0.0,
                frame_count=count,
                average_fps=1.0,
                codec="none",
            )
            encoder = vlm.encoder.fitted(info)
            tokens = encoder.encode(random_frames(count, tiny.size_px, seed=seed))
            group = torch.arange(tokens.count) // 2
            group[::3] = -1
            plan = TokenPlan.merge(group, tokens_per_frame=tokens.tokens_per_frame)
            videos.append(compressed(tokens, plan))
        return Asked(vlm=vlm, videos=videos)

    return make


@pytest.fixture
def llava(asked):
    return asked("llava")


@pytest.mark.parametrize("name", FAMILIES)
def test_logits_over_the_cache_are_those_of_a_fresh_prompt(asked, name):
    one = asked(name)
    prompt, held = one.prompt(QUESTION), PrefixCache()
    options = {
        "max_new_tokens": 6,
        "do_sample": False,
        "pad_token_id": 0,
        "return_dict_in_generate": True,
        "output_logits": True,
    }
    fresh = one.vlm.hf.generate(**prompt.inputs(), **options)
    held.prefill_videos(one.vlm.hf, one.prompt(OTHER))
    inputs, columns = held.prepare(one.vlm.hf, prompt)
    assert columns >= prompt.prefix_length
    assert "mm_encoder_outputs" not in inputs
    cached = one.vlm.hf.generate(**inputs, **options)
    assert torch.equal(cached.sequences, fresh.sequences)
    for found, expected in zip(cached.logits, fresh.logits, strict=True):
        assert_near(found, expected)
        assert expected.std() > 0.1


@pytest.mark.parametrize("name", FAMILIES)
def test_every_question_gets_the_answer_of_a_fresh_prompt(asked, name):
    one = asked(name)
    with one.chat() as chat:
        first = chat.ask(QUESTION, generation=SHORT)
        second = chat.ask(OTHER, generation=SHORT)
        again = chat.ask(QUESTION, generation=SHORT)
    assert first.text == again.text == one.fresh(one.prompt(QUESTION))
    assert second.text == one.fresh(one.prompt(OTHER))
    assert first.text != second.text


@pytest.mark.parametrize("name", ["qwen3-vl", "qwen3-5"])
def test_what_is_shown_differs_where_tokens_or_those_of_deeper_layers_do(asked, name):
    one = asked(name)
    prompt = one.prompt(QUESTION)
    shown = shown_by(prompt)
    assert torch.equal(shown != 0, prompt.visual)
    assert torch.equal(shown_by(one.prompt(QUESTION)), shown)
    column = int(prompt.visual.nonzero()[2])
    fields = ["features"] + ["layers"] * (prompt.layers is not None)
    for field in fields:
        values = getattr(prompt, field).clone()
        values[2].flatten()[-1] += 1e-3
        other = shown_by(replace(prompt, **{field: values}))
        assert (other != shown).nonzero().flatten().tolist() == [column]
    assert not shown_by(one.vlm.prompt([Turn(role="user", text="?")])).any()


def test_a_question_about_unread_videos_takes_one_pass(llava):
    passes = []
    hook = llava.vlm.hf.register_forward_pre_hook(lambda *_: passes.append(1))
    chat = Chat(llava.vlm, llava.videos[:1])
    chat.ask(QUESTION, generation=Generation(max_new_tokens=1), evidence=None)
    chat.ask(OTHER, generation=Generation(max_new_tokens=1), evidence=None)
    hook.remove()
    assert len(passes) == 2


@pytest.mark.parametrize("name", KINDS)
def test_a_follow_up_goes_on_from_what_was_said(asked, name):
    one = asked(name)
    with one.chat() as chat:
        chat.ask(OTHER, generation=SHORT)
        first = chat.ask(QUESTION, generation=SHORT)
        second = chat.ask(OTHER, generation=SHORT, follow_up=True)
        third = chat.ask("Why?", generation=SHORT, follow_up=True)
        alone = chat.ask(OTHER, generation=SHORT)
    prompt = one.prompt(QUESTION, first.text, OTHER)
    assert second.text == one.fresh(prompt)
    assert second.usage.prompt_tokens == len(prompt.input_ids)
    # Layers with a state go back to where they stood before the last column of a prompt.
    less = bool(state_layers(one.vlm.hf))
    assert second.usage.cached_tokens >= first.usage.prompt_tokens - less
    assert third.text == one.fresh(one.prompt(QUESTION, first.text, OTHER, second.text, "Why?"))
    assert third.usage.cached_tokens >= second.usage.prompt_tokens - less
    assert alone.text == one.fresh(one.prompt(OTHER))


@pytest.mark.parametrize("name", KINDS)
def test_attention_is_that_of_eager_attention(asked, name):
    one = asked(name)
    model, prompt, held = one.vlm.hf, one.prompt(QUESTION), PrefixCache()
    before = model.get_decoder().config._attn_implementation
    held.prefill_videos(model, prompt)
    inputs, _ = held.prepare(model, prompt)
    length = len(prompt.input_ids)
    ids = model.generate(
        **inputs,
        max_new_tokens=5,
        do_sample=False,
        pad_token_id=0,
        suppress_tokens=[one.vlm.visual_id],
    )[0, length:]
    held.note(prompt, ids.tolist())
    found = held.answer_attention(model, prompt, len(ids))
    assert model.get_decoder().config._attn_implementation == before

    given = prompt.inputs()
    after = prompt.position_ids[..., -1:] + 1 + torch.arange(len(ids) - 1)
    given["position_ids"] = torch.cat([prompt.position_ids, after], -1)[..., None, :]
    given["input_ids"] = torch.cat([prompt.input_ids, ids[:-1]])[None]
    given["attention_mask"] = torch.ones_like(given["input_ids"])
    model.set_attn_implementation({"text_config": "eager"})
    try:
        with torch.no_grad():
            weights = model(**given, output_attentions=True).attentions
    finally:
        model.set_attn_implementation({"text_config": before})
    expected = torch.stack([w[0, :, length - 1 :, :length].mean((0, 1)) for w in weights]).mean(0)
    assert_near(found, expected)
    assert 0.1 < float(found.sum()) <= 1 + 1e-5


def test_attention_restores_the_setting_after_an_error(llava, monkeypatch):
    config = llava.vlm.hf.get_decoder().config
    before = config._attn_implementation
    with llava.chat() as chat:
        expected = chat.ask(QUESTION, generation=SHORT)
        layer = llava.vlm.hf.get_decoder().layers[1]

        def break_on_rows(module, args, kwargs):
            if config._attn_implementation != before:
                raise RuntimeError("broken")

        hook = layer.register_forward_pre_hook(break_on_rows, with_kwargs=True)
        with pytest.raises(RuntimeError, match="broken"):
            chat.ask(QUESTION, generation=SHORT, evidence="attention")
        hook.remove()
        assert config._attn_implementation == before
        assert chat.ask(QUESTION, generation=SHORT).text == expected.text


def test_evidence_is_the_attention_of_the_answer_unless_asked_otherwise(llava):
    with llava.chat() as chat:
        found = chat.ask(QUESTION, generation=SHORT).evidence
        assert found == chat.ask(QUESTION, generation=SHORT, evidence="attention").evidence
        assert all(part.reason.startswith("attended to by the answer") for part in found)
        by_words = chat.ask(QUESTION, generation=SHORT, evidence="similarity").evidence
        assert all(part.reason.startswith("similar to the question") for part in by_words)


def test_evidence_is_similarity_where_a_model_does_not_show_its_attention(llava, monkeypatch):
    with llava.chat() as chat:
        expected = chat.ask(QUESTION, generation=SHORT, evidence="similarity")
        monkeypatch.setattr(answer_attention._Received, "note", lambda *_: None)
        answer = chat.ask(QUESTION, generation=SHORT)
        assert (answer.text, answer.evidence) == (expected.text, expected.evidence)
        with pytest.raises(ModelError, match="use evidence='similarity'"):
            chat.ask(QUESTION, generation=SHORT, evidence="attention")
        assert chat.ask(QUESTION, generation=SHORT).text == expected.text


@pytest.mark.parametrize("kind", ["similarity", "attention"])
@pytest.mark.parametrize("name", ["llava", "llava-onevision", "qwen3-vl"])
def test_evidence_lies_in_the_videos(asked, name, kind):
    one = asked(name)
    with Chat(one.vlm, one.videos) as chat:
        answer = chat.ask(QUESTION, generation=SHORT, evidence=kind)
        after = chat.ask(OTHER, generation=SHORT)
        other = Chat(one.vlm, one.videos).read()
        assert after.text == other.ask(OTHER, generation=SHORT).text
        assert chat.ask(QUESTION, generation=SHORT, evidence=None).evidence == []
    assert 1 <= len(answer.evidence) <= 3
    for part in answer.evidence:
        assert 0 <= part.start_seconds <= part.keyframe_seconds < part.end_seconds <= 6
        assert 0 < part.score <= 1
        x0, y0, x1, y1 = part.box
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
    scores = [part.score for part in answer.evidence]
    assert scores == sorted(scores, reverse=True)


def test_several_videos_share_one_prompt(llava):
    turn = Turn(role="user", text=QUESTION, videos=tuple(llava.videos))
    prompt = llava.vlm.prompt([turn])
    answer = Chat(llava.vlm, llava.videos).ask(QUESTION, generation=SHORT)
    assert answer.text == llava.fresh(prompt)
    assert answer.usage.visual_tokens_after == sum(len(video.tokens) for video in llava.videos)


def test_usage_counts_what_was_done(llava):
    with llava.chat(encode_seconds=3.0) as chat:
        first = chat.ask(QUESTION, generation=SHORT).usage
        second = chat.ask(OTHER, generation=SHORT).usage
    video = llava.videos[0]
    assert (first.visual_tokens_before, first.visual_tokens_after) == (
        video.plan.num_in,
        video.plan.num_out,
    )
    assert first.answer_tokens == 6
    assert first.finish_reason == "length"
    assert (first.encode_seconds, second.encode_seconds) == (3.0, 0.0)
    assert video.plan.num_out < first.cached_tokens <= second.cached_tokens < first.prompt_tokens
    assert first.positions == "original"
    # Two layers of keys and values, four heads of eight channels, four bytes each.
    columns = second.prompt_tokens + second.answer_tokens - 1
    assert second.kv_cache_bytes == columns * 2 * 2 * 4 * 8 * 4


def test_pieces_are_the_answer(llava):
    with llava.chat() as chat:
        whole = chat.ask(QUESTION, generation=SHORT)
        pieces = list(chat.stream(QUESTION, generation=SHORT))
        told = []
        chat.ask(QUESTION, generation=SHORT, on_text=told.append)
        assert "".join(pieces) == "".join(told) == whole.text == chat.last.text
        assert chat.last.evidence == whole.evidence


def test_cancelling_leaves_the_chat_as_it_was(llava):
    with llava.chat() as chat:
        first = chat.ask(QUESTION, generation=SHORT)
        follow = chat.ask(OTHER, generation=SHORT, follow_up=True)
        chat.ask(QUESTION, generation=SHORT)
        stream = chat.stream(OTHER, generation=Generation(max_new_tokens=300))
        next(stream)
        stream.close()
        assert chat.last.usage.finish_reason == "cancelled"
        assert chat.last.usage.answer_tokens < 300
        assert chat.last.evidence == []
        assert chat.ask(OTHER, generation=SHORT, follow_up=True).text == follow.text
        assert chat.ask(QUESTION, generation=SHORT).text == first.text


def test_one_answer_at_a_time(llava):
    chat = llava.chat()
    stream = chat.stream(QUESTION, generation=Generation(max_new_tokens=300))
    unread = chat.stream(QUESTION)
    next(stream)
    with pytest.raises(ModelError, match="still being streamed"):
        chat.ask(QUESTION)
    with pytest.raises(ModelError, match="still being streamed"):
        next(unread)
    chat.close()
    assert chat.last.usage.finish_reason == "cancelled"
    assert chat.kv_cache_bytes == 0
    with pytest.raises(ModelError, match="closed; open the video again"):
        chat.ask(QUESTION)
    chat.close()


def test_an_error_while_streaming_is_raised_to_the_reader(llava, monkeypatch):
    with llava.chat() as chat:
        expected = chat.ask(QUESTION, generation=SHORT).text

        def broken(*args, **kwargs):
            raise RuntimeError("no answer")

        with monkeypatch.context() as patch:
            patch.setattr(llava.vlm.hf, "generate", broken)
            with pytest.raises(RuntimeError, match="no answer"):
                list(chat.stream(QUESTION))
        assert chat.ask(QUESTION, generation=SHORT).text == expected


def test_a_break_between_two_layers_leaves_a_usable_cache(llava):
    calls = []

    def break_once(module, args):
        calls.append(module)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with llava.chat() as chat:
        expected = chat.ask(QUESTION, generation=SHORT).text
        hook = llava.vlm.hf.get_decoder().layers[1].register_forward_pre_hook(break_once)
        with pytest.raises(KeyboardInterrupt):
            chat.ask(OTHER, generation=SHORT)
        hook.remove()
        layers = chat._session._cache._cache.layers
        assert layers[0].get_seq_length() == layers[1].get_seq_length() + 1
        assert chat.ask(QUESTION, generation=SHORT).text == expected


def test_a_prompt_that_is_too_long_says_how_many_tokens_fit(llava):
    room = llava.vlm.context_tokens
    with llava.chat() as chat, pytest.raises(BudgetError, match=f"exceed the {room}") as refused:
        chat.ask(QUESTION, generation=Generation(max_new_tokens=room - 50))
    fitting = int(str(refused.value).rpartition("max_tokens=")[2])
    prompt = llava.prompt(QUESTION)
    text = len(prompt.input_ids) - len(prompt.features)
    assert fitting == 50 - text
    with llava.chat() as chat, pytest.raises(BudgetError, match="ask for less"):
        chat.ask("Why? " * 90)
    many = tuple(llava.videos[:1]) * 12
    with pytest.raises(BudgetError, match=r"visual tokens of each video: max_tokens=\d+$"):
        Chat(llava.vlm, many).read()


def test_an_answer_that_reaches_too_far_moves_tokens_up_and_says_so(llava, monkeypatch):
    reach = int(llava.prompt(QUESTION).position_ids.max()) + 1
    monkeypatch.setattr(type(llava.vlm), "context_tokens", reach + 10)
    long = Generation(max_new_tokens=20)
    moved = llava.prompt(QUESTION, positions="compact")
    with Chat(llava.vlm, llava.videos[:1]) as chat:
        near = chat.ask(QUESTION, generation=SHORT)
        far = chat.ask(QUESTION, generation=long, evidence=None)
        again = chat.ask(QUESTION, generation=SHORT)
    assert (near.usage.positions, far.usage.positions) == ("original", "compact")
    assert near.warnings == []
    assert "distances in time are lost" in far.warnings[0]
    assert far.text == llava.fresh(moved, 20)
    assert near.text == again.text == llava.fresh(llava.prompt(QUESTION))
    with (
        Chat(llava.vlm, llava.videos[:1], positions="original") as chat,
        pytest.raises(BudgetError, match="positions='compact'"),
    ):
        chat.ask(QUESTION, generation=long)
    with Chat(llava.vlm, llava.videos[:1], positions="compact") as chat:
        assert chat.ask(QUESTION, generation=SHORT).text == llava.fresh(moved)


def test_a_gpu_without_memory_says_what_would_fit(llava, monkeypatch):
    def out_of_memory(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    video = llava.videos[0]
    kept = video.plan.num_out / video.plan.num_in
    with llava.chat() as chat:
        expected = chat.ask(QUESTION, generation=SHORT).text
        with monkeypatch.context() as patch:
            patch.setattr(llava.vlm.hf, "generate", out_of_memory)
            with pytest.raises(ModelError, match=f"about keep={kept / 2:.2g} would fit") as told:
                chat.ask(QUESTION, generation=SHORT)
        assert "\n" not in str(told.value)
        assert chat.ask(QUESTION, generation=SHORT).text == expected
    with monkeypatch.context() as patch:
        patch.setattr(llava.vlm.hf, "forward", out_of_memory)
        with pytest.raises(ModelError, match="by estimate"):
            llava.chat()


def test_a_driver_that_fails_while_a_prompt_is_read_is_one_line(llava, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA")

    monkeypatch.setattr(llava.vlm.hf, "forward", broken)
    with pytest.raises(ModelError, match="cpu failed while reading a prompt of") as told:
        llava.chat()
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"question": ""}, "question='' is empty"),
        ({"question": " \n"}, "is empty"),
        ({"question": "Why?", "evidence": "rollout"}, "'attention', 'similarity'"),
    ],
)
def test_wrong_questions_are_refused(llava, arguments, message):
    with llava.chat() as chat:
        for ask in (chat.ask, chat.stream):
            with pytest.raises(InvalidOptionError, match=message):
                ask(**arguments)


def test_no_video_is_refused(llava):
    with pytest.raises(InvalidOptionError, match="there is no video"):
        Chat(llava.vlm, [])


def test_a_chat_is_not_asked_again_from_within_its_own_answer(asked):
    one = asked("llava")
    refused = []

    def again(piece):
        with pytest.raises(ModelError, match="still being made") as error:
            chat.ask(OTHER)
        refused.append(error.value)

    with one.chat() as alone:
        wanted = alone.ask(QUESTION, generation=SHORT).text
    with one.chat() as chat:
        assert chat.ask(QUESTION, generation=SHORT, on_text=again).text == wanted
        assert refused
        assert chat.ask(QUESTION, generation=SHORT).text == wanted


def test_what_a_listener_raises_is_his_and_what_the_llm_raises_is_the_checkpoints(
    asked, monkeypatch
):
    class OwnError(Exception):
        pass

    def broken(*_, **__):
        raise OwnError("ends here")

    one = asked("llava")
    with one.chat() as chat:
        with pytest.raises(OwnError):
            chat.ask(QUESTION, generation=SHORT, on_text=broken)
        monkeypatch.setattr(one.vlm.hf, "generate", broken)
        with pytest.raises(ModelError, match=r"cannot run .* \(ends here\)"):
            chat.ask(QUESTION, generation=SHORT)
