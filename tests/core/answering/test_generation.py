import copy
from dataclasses import dataclass, field
from threading import Event
from types import SimpleNamespace

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.answering.generation import Generation, complete  # noqa: E402
from framesift.errors import InvalidOptionError  # noqa: E402
from framesift.testing.tiny_vlms import save_tokenizer  # noqa: E402

PROMPT = "What is it?"


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """A tokenizer whose tokens are printable characters."""
    from tokenizers import decoders

    tokenizer = save_tokenizer(tmp_path_factory.mktemp("letters"), [], "")
    tokenizer.backend_tokenizer.decoder = decoders.Fuse()
    return tokenizer


@pytest.fixture(scope="module")
def llm(letters):
    """A text model that never ends by itself."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(letters),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=0.5,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=letters.pad_token_id,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    bias = torch.zeros(len(letters))
    bias[letters.all_special_ids] = -torch.inf
    model.lm_head.bias = torch.nn.Parameter(bias)
    return model


@pytest.fixture
def run(llm, letters):
    def call(generation=Generation(), *, model=llm, **options):  # noqa: B008
        ids = letters(PROMPT, add_special_tokens=False, return_tensors="pt").input_ids
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return complete(model, letters, inputs, generation, **options)

    return call


def test_greedy_is_what_generate_gives(llm, letters, run):
    ids = letters(PROMPT, add_special_tokens=False, return_tensors="pt").input_ids
    expected = llm.generate(ids, max_new_tokens=24, do_sample=False)[0, ids.shape[1] :].tolist()
    found = run(Generation(max_new_tokens=24))
    assert list(found.ids) == expected
    assert found.text == letters.decode(expected).strip()
    assert found.finish_reason == "length"
    assert found.prefill_seconds > 0
    assert found.decode_seconds > 0


def test_pieces_are_the_text(run):
    pieces = []
    found = run(Generation(max_new_tokens=24), on_text=pieces.append)
    assert "".join(pieces) == found.text
    assert len(pieces) > 5


def test_a_stop_sequence_is_cut_and_never_told(run):
    whole = run(Generation(max_new_tokens=24)).text
    pieces = []
    stop = whole[8:11]
    found = run(Generation(max_new_tokens=24, stop=("never", stop)), on_text=pieces.append)
    assert found.text == whole[: whole.index(stop)].strip()
    assert "".join(pieces) == found.text
    assert found.finish_reason == "stop_sequence"
    assert len(found.ids) < 24


def test_the_models_end_mark_ends_it(run, llm):
    mark = run(Generation(max_new_tokens=9)).ids[-1]
    ending = copy.deepcopy(llm)
    ending.generation_config.eos_token_id = [mark]
    found = run(Generation(max_new_tokens=24), model=ending)
    assert found.finish_reason == "stop"
    assert found.ids[-1] == mark
    assert len(found.ids) <= 9


def test_cancelling_ends_after_the_token_in_work(run):
    cancelled = Event()
    found = run(
        Generation(max_new_tokens=50), cancelled=cancelled, on_text=lambda _: cancelled.set()
    )
    assert found.finish_reason == "cancelled"
    assert len(found.ids) <= 3


def test_draws_repeat_by_seed_and_leave_torch_alone(run):
    hot = {"max_new_tokens": 24, "temperature": 2.0}
    torch.manual_seed(7)
    state = torch.get_rng_state()
    first, again, other = (run(Generation(**hot, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first.ids == again.ids
    assert first.ids != other.ids
    assert run(Generation(**hot)).ids != run(Generation(**hot)).ids


@dataclass
class Scripted:
    """Stands for a model that gives the logits of each step, however the answer goes on."""

    steps: list
    generation_config: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(eos_token_id=None, pad_token_id=0)
    )

    def generate(self, input_ids, *, generation_config, stopping_criteria, logits_processor):
        for logits in self.steps:
            for process in logits_processor:
                logits = process(input_ids, logits)
            input_ids = torch.cat([input_ids, logits.argmax(-1, keepdim=True)], 1)
            if any(bool(ended(input_ids, logits).all()) for ended in stopping_criteria):
                break


LETTERS = SimpleNamespace(eos_token_id=None, decode=lambda ids, **_: "".join(map(chr, ids)))
"""Stands for a tokenizer whose tokens are the letters of Unicode."""


def drawn(count, **options):
    """Returns `count` draws from the softmax of 2, 1, 0 and -1."""
    model = Scripted([torch.tensor([[2.0, 1.0, 0.0, -1.0]])] * count)
    inputs = {"input_ids": torch.zeros(1, 1, dtype=torch.int64)}
    return complete(model, LETTERS, inputs, Generation(seed=0, **options)).ids


@pytest.mark.slow
def test_draws_follow_the_distribution():
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]])
    counts = torch.bincount(torch.tensor(drawn(8000, temperature=2.0)))
    expected = (logits[0] / 2).softmax(-1)
    assert torch.allclose(counts / 8000, expected, atol=0.02)


@pytest.mark.parametrize(
    ("options", "allowed"),
    [({"top_k": 2}, {0, 1}), ({"top_p": 0.6}, {0}), ({"top_p": 0.7}, {0, 1}), ({"top_k": 9}, None)],
)
def test_top_k_and_top_p_bound_a_draw(options, allowed):
    assert set(drawn(500, temperature=1.0, **options)) == (allowed or {0, 1, 2, 3})


def test_the_model_keeps_its_generation_settings(run, llm):
    before = llm.generation_config.to_dict()
    run(Generation(max_new_tokens=3, temperature=0.5, seed=0))
    assert llm.generation_config.to_dict() == before


@pytest.mark.parametrize(
    ("text", "stops", "certain"),
    [
        ("abc", (), "abc"),
        ("abc \n", (), "abc"),
        ("ab\N{REPLACEMENT CHARACTER}", (), "ab"),
        ("abc#", ("##",), "abc"),
        ("abc\n", ("\n\n",), "abc"),
        ("abcU", ("User:", "cU!"), "ab"),
        ("", ("x",), ""),
    ],
)
def test_only_what_cannot_change_is_told(text, stops, certain):
    told, after_text = [], []
    steps = [torch.nn.functional.one_hot(torch.tensor([ord(x)]), 2**16).float() for x in text]

    def told_until_the_end():
        yield from steps
        after_text.append("".join(told))

    complete(
        Scripted(told_until_the_end()),
        LETTERS,
        {"input_ids": torch.zeros(1, 1, dtype=torch.int64)},
        Generation(stop=stops),
        on_text=told.append,
    )
    assert after_text == [certain]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens=0"),
        ({"temperature": -1.0}, "temperature=-1.0"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"top_p": 0.0}, "top_p=0.0"),
        ({"top_k": 0}, "top_k=0"),
        ({"stop": ("",)}, "stop="),
        ({"stop": "User:"}, "tuple"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(InvalidOptionError, match=message):
        Generation(**options)
