"""Qwen3.5: layers with a state are asked again, cut back and refused where they must be."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.answering import limits  # noqa: E402
from framesift.answering.chat import Chat  # noqa: E402
from framesift.answering.generation import Generation  # noqa: E402
from framesift.answering.prefix_cache import PrefixCache  # noqa: E402
from framesift.answering.prompt_batch import PromptBatch  # noqa: E402
from framesift.errors import ModelError  # noqa: E402
from framesift.hf.growing_cache import empty_cache  # noqa: E402
from framesift.testing import TINY_VLMS, assert_near, compressed, random_frames  # noqa: E402
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

SIZE = (64, 96)
SHORT = Generation(max_new_tokens=6)
TEMPLATE = "{%- if enable_thinking is defined and enable_thinking is false %}{{ '!' }}{% endif %}"


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qwen3_5")
    TINY_VLMS["qwen3-5"].build(folder)
    return replace(load_vlm(str(folder), device="cpu"), max_step_tokens=6)


@pytest.fixture(scope="module")
def video(vlm):
    tokens = replace(vlm.encoder, picture_px=SIZE).encode(random_frames(6, SIZE))
    kept = torch.arange(0, tokens.count, 2)
    return compressed(tokens, TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=6))


def prompt_of(vlm, video, text="What is it?"):
    return vlm.prompt([Turn(role="user", text=text, videos=(video,))])


def test_masking_columns_is_another_prompt(vlm, video):
    prompt = prompt_of(vlm, video)
    inputs = prompt.inputs()
    inputs["attention_mask"][0, prompt.visual.nonzero()[3]] = 0
    left = inputs["attention_mask"][0].bool()
    without = vlm.hf.get_decoder()
    given = []
    hook = without.register_forward_pre_hook(
        lambda module, args, kwargs: given.append(kwargs["inputs_embeds"]), with_kwargs=True
    )
    with torch.no_grad():
        masked = vlm.hf(**inputs).logits[0, -1]
        hook.remove()
        dropped = vlm.hf(
            inputs_embeds=given[0][:, left],
            attention_mask=torch.ones(1, int(left.sum()), dtype=torch.int64),
            position_ids=inputs["position_ids"][..., left],
        ).logits[0, -1]
    assert (masked - dropped).abs().max() > 1e-3


def test_dropping_tokens_inside_the_llm_is_refused_in_one_line(vlm):
    with pytest.raises(ModelError, match=r"1 layers .* carry a state.*compress before it") as error:
        vlm.in_llm(layer=1).__enter__()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("thinking", "mark"), [(False, "!"), (True, "")])
def test_it_thinks_where_it_is_asked_to(vlm, tmp_path, monkeypatch, thinking, mark):
    own = TEMPLATE + vlm.tokenizer.chat_template
    monkeypatch.setattr("framesift.vlms.base.load_chat_template", lambda *_: own)
    turn = Turn(role="user", text="Why?")
    ids = replace(vlm, thinking=thinking).prompt([turn]).input_ids
    assert vlm.tokenizer.decode(ids).startswith(f"<s>{mark}<|im_start|>user")


def test_a_break_leaves_a_chat_that_answers_as_before(vlm, video):
    calls = []

    def break_at_the_fourth(module, args):
        calls.append(module)
        if len(calls) == 4:
            raise KeyboardInterrupt

    with Chat(vlm, video) as chat:
        chat.read()
        expected = chat.ask("What is it?", generation=SHORT)
        hook = vlm.hf.get_decoder().layers[1].register_forward_pre_hook(break_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            chat.ask("And where is it then?", generation=SHORT)
        hook.remove()
        again = chat.ask("What is it?", generation=SHORT)
    assert (again.text, again.evidence) == (expected.text, expected.evidence)
    assert expected.evidence[0].reason.startswith("attended to by the answer")


def test_what_a_cache_holds_counts_its_states(vlm, video):
    held = PrefixCache()
    held.prefill_videos(vlm.hf, prompt_of(vlm, video))
    columns = prompt_of(vlm, video).prefix_length
    # One layer attends: two groups of eight channels. The other has a state of four heads of 8 x 8
    # and the last four columns of 64 channels; there is a copy of them to go back to.
    assert held.nbytes == columns * 2 * 2 * 8 * 4 + 2 * (4 * 8 * 8 + 64 * 4) * 4


@pytest.mark.parametrize("kinds", [("hybrid",), ("linear_attention", "sliding_attention")])
def test_layers_that_cannot_be_cut_back_are_named(kinds):
    text = SimpleNamespace(layer_types=kinds, model_type="qwen3_5_text")
    config = SimpleNamespace(get_text_config=lambda decoder: text)
    with pytest.raises(ModelError, match=f"of the kind {kinds[-1]} .*vlm.hf.generate") as error:
        empty_cache(SimpleNamespace(config=config))
    assert "\n" not in str(error.value)


def test_what_fits_counts_the_layers_that_hold_columns(vlm, monkeypatch):
    memory = SimpleNamespace(total_memory=10**6)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: memory)
    # One layer with keys and values of two groups of 8 channels; two experts of 32 work at once.
    text = transformers.Qwen3_5MoeTextConfig(
        **{"num_hidden_layers": 2, "layer_types": ["linear_attention", "full_attention"]},
        **{"hidden_size": 32, "num_key_value_heads": 2, "head_dim": 8},
        **{"num_experts_per_tok": 2, "moe_intermediate_size": 32},
    )
    config = SimpleNamespace(get_text_config=lambda decoder=None: text)
    model = SimpleNamespace(config=config, device=torch.device("cuda"), dtype=torch.bfloat16)
    model.get_memory_footprint = lambda: 10**5
    expected = (0.9 * 10**6 - 10**5) / (2 * (2 * 2 * 8 + 8 * 32 + 3 * 64))
    assert limits._fitting_columns(model) == pytest.approx(expected)


def test_pictures_side_by_side_are_asked_as_each_alone(vlm, video):
    features = torch.stack([video.tokens, video.tokens.flip(0)])
    texts = [vlm.tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("a", "bcd")]
    batch = PromptBatch(vlm, video, features)
    prompt = batch.prompt("Is it?")
    assert batch.generate(prompt, 3) != ["", ""]
    found = batch.logits_after(prompt, texts)
    first = batch.next_logits(prompt)
    shares = batch.log_probability(prompt, first, texts[1])
    for row, text in enumerate(texts):
        alone = PromptBatch(vlm, video, features[row : row + 1])
        assert_near(alone.logits_after(prompt, [text])[0], found[row])
        assert_near(alone.next_logits(prompt)[0], first[row])
        assert_near(alone.log_probability(prompt, first[row][None], texts[1])[0], shares[row])
        inputs = alone._pictured(prompt, 0).inputs()
        longer = torch.cat([inputs["input_ids"], torch.tensor([text])], 1)
        after = inputs["position_ids"][..., -1:] + torch.arange(1, len(text) + 1)
        given = {
            **inputs,
            "input_ids": longer,
            "attention_mask": torch.ones_like(longer),
            "position_ids": torch.cat([inputs["position_ids"], after], -1),
        }
        with torch.no_grad():
            assert_near(found[row, -1], vlm.hf(**given).logits[0, -1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_a_chat_answers_as_fresh_prompts_do(vlm, video):
    there = load_vlm(vlm.model, device="cuda", dtype="float32")
    turns, questions = [], ("What is it?", "And where is it then?", "Why?")
    with Chat(there, video) as chat:
        for question in questions:
            turns.append(Turn(role="user", text=question, videos=() if turns else (video,)))
            said = chat.ask(question, follow_up=len(turns) > 1, generation=SHORT)
            prompt = there.prompt(turns)
            ids = there.hf.generate(
                **prompt.inputs(), max_new_tokens=6, do_sample=False, pad_token_id=0
            )
            ids = ids[0, len(prompt.input_ids) :]
            fresh = there.tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            assert said.text == fresh.strip()
            assert said.evidence[0].reason.startswith("attended to by the answer")
            turns.append(Turn(role="assistant", text=said.text))
        again = chat.ask(questions[0], generation=SHORT)
    assert again.text == turns[1].text
