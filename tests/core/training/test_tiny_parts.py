import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoProcessor, AutoTokenizer

from framesift.synthetic.paraphrases import phrasings
from framesift.training.tiny_parts import (
    ASSISTANT,
    CONTEXT_TOKENS,
    END,
    IMAGE,
    PAD,
    SPECIAL,
    USER,
    VOCABULARY,
    new_model,
)

CONVERSATION = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "a red star"}]},
    {"role": "user", "content": "Where?"},
]


@pytest.fixture(scope="module")
def saved(processor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("processor")
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(processor):
    return new_model(processor.tokenizer, seed=0)


@pytest.fixture(scope="module")
def tokenizers(processor, saved):
    """The tokenizer as it was made, and as it is loaded."""
    return processor.tokenizer, AutoTokenizer.from_pretrained(saved)


@settings(deadline=None, max_examples=80)
@given(text=st.text(max_size=40))
def test_any_text_comes_back_as_it_was(tokenizers, text):
    made, loaded = tokenizers
    ids = made(text)["input_ids"]
    assert made.decode(ids) == text
    assert loaded(text)["input_ids"] == ids
    assert all(0 <= one < len(made) for one in ids)


@pytest.mark.parametrize(
    "text",
    ["", " ", "  two  spaces ", "a\n\tb", "Größe 12½", "🎬👩‍👩‍👧 7", "كم رقم؟", "“ok” .", "\x00"],
)
def test_odd_text_comes_back_too(tokenizers, text):
    for tokenizer in tokenizers:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@given(number=st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_digits_are_read_one_by_one(tokenizers, number):
    for tokenizer in tokenizers:
        assert len(tokenizer(str(number))["input_ids"]) == len(str(number))


def test_special_tokens_are_one_id_each(tokenizers):
    for tokenizer in tokenizers:
        ids = [tokenizer(token)["input_ids"] for token in SPECIAL]
        assert [len(one) for one in ids] == [1] * len(SPECIAL)
        assert [one[0] for one in ids] == tokenizer.convert_tokens_to_ids(list(SPECIAL))
        assert len({one[0] for one in ids}) == len(SPECIAL)
        around = tokenizer(f"{USER}{IMAGE}Hi{END}{ASSISTANT}")["input_ids"]
        assert [around[0], around[1], around[-2], around[-1]] == [
            ids[SPECIAL.index(token)][0] for token in (USER, IMAGE, END, ASSISTANT)
        ]
        assert (tokenizer.pad_token, tokenizer.eos_token) == (PAD, END)
        assert tokenizer.decode(around, skip_special_tokens=True) == "Hi"


def test_its_words_are_those_of_the_questions(tokenizers):
    made = tokenizers[0]
    assert len(made) <= VOCABULARY
    for question in ("What is the text in the corner?", "Which way does the red star move?"):
        for way in phrasings(question):
            assert len(made(way)["input_ids"]) <= len(re.findall(r"\w+|[^\w\s]", way))


def test_a_processor_that_is_loaded_gives_the_same_inputs(processor, saved):
    loaded = AutoProcessor.from_pretrained(saved)
    pixels = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    text = processor.apply_chat_template(CONVERSATION, add_generation_prompt=True)
    assert text == (
        f"{USER}{IMAGE}What is it?{END}{ASSISTANT}a red star{END}{USER}Where?{END}{ASSISTANT}"
    )
    assert loaded.apply_chat_template(CONVERSATION, add_generation_prompt=True) == text
    made, again = (p(text=text, images=[pixels], return_tensors="pt") for p in (processor, loaded))
    assert set(made) == set(again) >= {"input_ids", "attention_mask", "pixel_values"}
    for name, values in made.items():
        assert torch.equal(values, again[name]), name
    assert made["pixel_values"].shape == (1, 3, 128, 128)
    assert (made["input_ids"] == processor.tokenizer.convert_tokens_to_ids(IMAGE)).sum() == 64


def test_the_model_takes_what_the_processor_gives(processor, model):
    pixels = np.zeros((90, 160, 3), np.uint8)
    inputs = processor(text=f"{USER}{IMAGE}Hi{END}", images=[pixels], return_tensors="pt")
    with torch.no_grad():
        logits = model.eval()(**inputs).logits
    assert logits.shape == (1, inputs["input_ids"].shape[1], len(processor.tokenizer))
    assert logits.isfinite().all()


def test_the_model_is_tiny_and_fits_the_tokenizer(processor, model):
    assert 2e6 < sum(weights.numel() for weights in model.parameters()) < 6e6
    tokenizer, text = processor.tokenizer, model.config.text_config
    assert text.vocab_size == len(tokenizer)
    assert text.max_position_embeddings == CONTEXT_TOKENS == tokenizer.model_max_length
    assert model.config.image_token_id == tokenizer.convert_tokens_to_ids(IMAGE)
    assert (text.eos_token_id, text.pad_token_id) == (
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
    )
    head, embedding = model.lm_head.weight, model.get_input_embeddings().weight
    assert head.data_ptr() == embedding.data_ptr()


def test_weights_follow_the_seed(processor, model):
    same, other = (new_model(processor.tokenizer, seed).state_dict() for seed in (0, 1))
    weights = model.state_dict()
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    head = "model.language_model.embed_tokens.weight"
    assert not torch.equal(weights[head], other[head])


def filters_of(model):
    """The filters by which the tower starts on a picture."""
    return model.model.vision_tower.embeddings.patch_embedding.weight.detach()


def test_filters_of_the_tower_are_the_same_whatever_the_seed(processor, model):
    assert filters_of(model).shape == (192, 3, 16, 16)
    assert torch.equal(filters_of(model), filters_of(new_model(processor.tokenizer, seed=1)))


def test_filters_are_different_waves_that_keep_a_smooth_patch(model):
    filters = filters_of(model).flatten(1).double()
    unit = filters / filters.norm(dim=1, keepdim=True)
    alike = (unit @ unit.T).fill_diagonal_(0).abs()
    assert alike.max() < 1e-6
    x, y = np.meshgrid(np.linspace(-1, 1, 16), np.linspace(-1, 1, 16))
    spot = torch.tensor(np.exp(-((x - 0.2) ** 2 + y**2) * 4))
    patch = torch.stack([spot, 1 - spot, 0.5 * spot]).flatten()
    kept = unit.T @ (unit @ patch)
    assert (patch - kept).norm() < 0.05 * patch.norm()
