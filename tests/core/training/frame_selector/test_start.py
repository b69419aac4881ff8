from dataclasses import replace

import pytest
import torch

from framesift.errors import InvalidOptionError, ModelError
from framesift.fetching.limits import FetchLimits
from framesift.scorers import registry as scorers
from framesift.scorers.candidates import GivenCandidates
from framesift.testing import random_frames, tiny_tower, tiny_two_towers
from framesift.training.frame_selector.recipe import SelectorRecipe
from framesift.training.frame_selector.start import begin_with_parts
from framesift.training.frame_selector.train import SelectorTraining
from framesift.training.staged_recipe import StageRecipe

CHAT = (
    "{% for message in messages %}<u>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    """A folder with a Qwen2 of three blocks whose weights are random, and a tokenizer."""
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("llm")
    tiny_two_towers(folder, "siglip")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = CHAT
    for path in folder.iterdir():
        path.unlink()
    tokenizer.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return f"siglip:model={tiny_tower(tmp_path_factory.mktemp('tower'), 'siglip')},device=cpu"


def test_an_llm_in_two_pieces_gives_what_it_gave_whole(llm, encoder):
    from transformers import AutoModelForCausalLM

    start = begin_with_parts(llm, encoder, SelectorRecipe())
    ids = torch.randint(3, 90, (2, 11), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        states = start.network.llm(input_ids=ids).last_hidden_state
        ends = start.last_block(inputs_embeds=states).last_hidden_state
        whole = AutoModelForCausalLM.from_pretrained(llm)(ids).logits
        torch.testing.assert_close(ends @ start.vocabulary.T, whole, rtol=1e-4, atol=1e-4)


def test_frames_and_question_stand_where_the_template_has_what_a_user_says(llm, encoder):
    config = begin_with_parts(llm, encoder, SelectorRecipe()).network.config
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(llm)
    read = [
        tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in ("<u>", "</s><a>")
    ]
    assert [config.before, config.after] == read
    assert (config.tower_width, config.grid) == (32, (4, 4))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_any_llm_and_tower_make_a_selector_of_the_published_kind(
    llm, encoder, tmp_path, label_lines, device
):
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    if device == "cpu" and torch.cuda.is_available():
        pytest.skip("runs on the GPU")
    once = StageRecipe(learning_rate=1e-3, epochs=1)
    recipe = replace(
        SelectorRecipe(), candidates=4, batch=2, accumulation=2, stage_1=once, stage_2=once
    )
    run = SelectorTraining(
        start=begin_with_parts(llm, encoder, recipe),
        recipe=recipe,
        work=tmp_path / "work",
        keep_features=False,
        limits=FetchLimits(),
        announce=lambda line: None,
    )
    out = run.run([label_lines], tmp_path / "out")
    assert not (tmp_path / "work" / "features").exists()
    mine = scorers.create("mllm", model=str(out))
    frames = random_frames(3, fps=1)
    candidates = GivenCandidates(pts_seconds=torch.arange(3.0).double(), frames=frames)
    values = mine.score(candidates, "What number flashes?").values
    assert bool(((values > 0) & (values < 1)).all())
    assert mine.limitation("talk.mp4") is None


def test_an_llm_of_another_class_is_refused(tmp_path, encoder):
    from transformers import GPT2Config, GPT2LMHeadModel

    GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=20)).save_pretrained(
        tmp_path
    )
    with pytest.raises(ModelError, match=r"'gpt2'.*llama or qwen2") as error:
        begin_with_parts(str(tmp_path), encoder, SelectorRecipe())
    assert "\n" not in str(error.value)


def test_an_encoder_without_weights_is_refused(llm):
    with pytest.raises(InvalidOptionError, match="has no checkpoint"):
        begin_with_parts(llm, "handcrafted", SelectorRecipe())


def test_with_the_tiny_model_its_projector_goes_on(begin):
    start, _ = begin()
    learned = start.encoder.vlm.hf.base_model.multi_modal_projector.state_dict()
    mine = start.network.projector.state_dict()
    assert all(torch.equal(mine[name], value) for name, value in learned.items())
    assert start.trained_on == "synthetic://"
    assert start.tower.encoder == "tiny"
