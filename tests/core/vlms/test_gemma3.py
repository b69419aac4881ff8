"""Gemma 3: the lines between frames, and windows that are shorter than the prompt."""

import json

import pytest
import torch

from framesift.answering.chat import Chat
from framesift.answering.generation import Generation
from framesift.errors import ModelError
from framesift.testing import TINY_VLMS, assert_near, compressed, random_frames
from framesift.testing.tiny_vlms import gemma3_of_window
from framesift.types.plan import TokenPlan
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

pytest.importorskip("transformers")

QUESTION = "What is it?"


@pytest.fixture(scope="module")
def windowed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gemma3")
    tiny = gemma3_of_window(8)
    tiny.build(folder)
    vlm = load_vlm(str(folder), device="cpu")
    frames = random_frames(6, tiny.size_px)
    return vlm, vlm.encoder.encode(frames), tiny.ordinary(folder, frames, QUESTION)


def reduced(tokens, kept):
    plan = TokenPlan.keep(kept, num_in=tokens.count, tokens_per_frame=tokens.tokens_per_frame)
    return compressed(tokens, plan)


def left_of(ordinary, kept, tokens):
    left = torch.ones_like(ordinary.visual)
    columns = ordinary.visual.nonzero().flatten()
    left[columns] = torch.zeros(len(columns), dtype=torch.bool).index_fill_(0, kept, True)
    live = (kept // tokens.tokens_per_frame).unique()
    return left & ((ordinary.frame_of_text < 0) | torch.isin(ordinary.frame_of_text, live))


@torch.no_grad()
def test_the_whole_video_is_the_ordinary_prompt_also_under_short_windows(windowed):
    vlm, tokens, ordinary = windowed
    video = reduced(tokens, torch.arange(tokens.count))
    prompt = vlm.prompt([Turn(role="user", text=QUESTION, videos=(video,))])
    assert torch.equal(prompt.input_ids[None], ordinary.inputs["input_ids"])
    assert_near(vlm.hf(**prompt.inputs()).logits, vlm.hf(**ordinary.inputs).logits)


@torch.no_grad()
def test_short_windows_count_the_columns_that_are_left(windowed):
    vlm, tokens, ordinary = windowed
    kept = torch.tensor([0, 1, 6, 14, 15, 21])
    prompt = vlm.prompt([Turn(role="user", text=QUESTION, videos=(reduced(tokens, kept),))])
    left, places = left_of(ordinary, kept, tokens), torch.arange(len(ordinary.visual))
    given = vlm.hf(**prompt.inputs()).logits
    masked = {"attention_mask": left[None].long(), "position_ids": places[None]}
    as_masked = vlm.hf(**{**ordinary.inputs, **masked}).logits[:, left]
    assert (given - as_masked)[0, -1].abs().max() > 1e-2, "the window saw dropped columns"
    pixels = {"pixel_values": ordinary.inputs["pixel_values"]}
    embedded = vlm.hf.get_input_embeddings()(ordinary.inputs["input_ids"])
    features = vlm.hf.get_image_features(**pixels, return_dict=True).pooler_output
    embedded[0, ordinary.visual] = features.flatten(0, 1)
    without = vlm.hf(
        inputs_embeds=embedded[:, left],
        attention_mask=left[None, left].long(),
        position_ids=places[None, left],
        token_type_ids=ordinary.inputs["token_type_ids"][:, left],
    ).logits
    assert_near(given, without)


def test_an_open_video_answers_as_fresh_prompts_do_under_short_windows(windowed):
    vlm, tokens, _ = windowed
    video = reduced(tokens, torch.tensor([0, 1, 6, 14, 15, 21]))
    with Chat(vlm, [video]).read() as chat:
        for question in (QUESTION, "Where?", "And when was it?"):
            answer = chat.ask(question, generation=Generation(max_new_tokens=5))
            inputs = vlm.prompt([Turn(role="user", text=question, videos=(video,))]).inputs()
            ids = vlm.hf.generate(**inputs, max_new_tokens=5, do_sample=False, pad_token_id=0)
            new = ids[0, inputs["input_ids"].shape[1] :]
            said = vlm.tokenizer.decode(
                new, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            assert answer.text == said.strip()


def test_a_grid_that_does_not_fit_the_tower_is_refused_in_one_line(tmp_path):
    TINY_VLMS["gemma3"].build(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["mm_tokens_per_image"] = 25
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="5x5 tokens of 4 patches") as error:
        load_vlm(str(tmp_path), device="cpu")
    assert "\n" not in str(error.value)
