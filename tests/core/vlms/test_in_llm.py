"""Visual tokens that are dropped inside the LLM are as if its later layers had them masked."""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.answering.chat import Chat  # noqa: E402
from framesift.errors import BudgetError, InvalidOptionError, ModelError  # noqa: E402
from framesift.testing import (  # noqa: E402
    TINY_VLMS,
    assert_near,
    compressed,
    random_frames,
)
from framesift.types.plan import TokenPlan  # noqa: E402
from framesift.types.video import VideoInfo  # noqa: E402
from framesift.vlms import _in_llm, registry  # noqa: E402
from framesift.vlms._layer_door import LayerView  # noqa: E402
from framesift.vlms.base import Turn, collate  # noqa: E402

DEPTH, NEW = 5, 12
LAYERS = {"llava": (1, 2, 4), "qwen2-5-vl": (1, 2), "qwen3-vl": (2, 3), "qwen2-vl": (1,)}
CASES = [(name, layer) for name, layers in LAYERS.items() for layer in layers]
QUESTION = "What is it?"


@dataclass
class Case:
    """A tiny model with an LLM of five layers, and what is asked of it."""

    vlm: object

    @cached_property
    def tokens(self):
        height, width = TINY_VLMS[self.name].size_px
        info = VideoInfo(
            width_px=width,
            height_px=height,
            duration_seconds=4.0,
            start_seconds=0.0,
            frame_count=4,
            average_fps=1.0,
            codec="none",
        )
        return self.vlm.encoder.fitted(info).encode(random_frames(4, (height, width)))

    @cached_property
    def name(self):
        return self.vlm.spec.partition(":")[0]

    def prompt(self, *, kept=None, text=QUESTION):
        """Returns a prompt of the video, or of the tokens of it that are `kept`."""
        count, per_frame = self.tokens.count, self.tokens.tokens_per_frame
        kept = torch.arange(count) if kept is None else torch.as_tensor(kept)
        plan = TokenPlan.keep(kept, num_in=count, tokens_per_frame=per_frame)
        video = compressed(self.tokens, plan)
        return self.vlm.prompt([Turn(role="user", text=text, videos=(video,))])

    def generated(self, inputs, **options):
        """Returns new tokens `(B, NEW)` and their logits `(B, NEW, V)`."""
        out = self.vlm.hf.generate(
            **inputs,
            **{"max_new_tokens": NEW, "do_sample": False, "eos_token_id": None, **options},
            output_logits=True,
            return_dict_in_generate=True,
        )
        return out.sequences[:, inputs["input_ids"].shape[1] :], torch.stack(out.logits, 1)


@pytest.fixture(scope="session")
def cases(tmp_path_factory):
    found = {}
    for name in LAYERS:
        folder = tmp_path_factory.mktemp(name)
        TINY_VLMS[name].build(folder)
        config = transformers.AutoConfig.from_pretrained(folder)
        config.text_config.num_hidden_layers = DEPTH
        if getattr(config.text_config, "layer_types", None):
            config.text_config.layer_types = ["full_attention"] * DEPTH
        torch.manual_seed(0)
        model = transformers.AutoModelForImageTextToText.from_config(config)
        model.save_pretrained(folder)
        found[name] = Case(
            registry.create(name, model=str(folder), device="cpu", **TINY_VLMS[name].options)
        )
    return found


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case_and_layer(request, cases):
    return cases[request.param[0]], request.param[1]


@pytest.fixture
def llava(cases):
    return cases["llava"]


def close(found, expected):
    """Checks values to 1e-5 of the largest one."""
    assert_near(found, expected)


@contextmanager
def masked(vlm, layer, gone):
    """Hides the columns `gone` from the queries of each layer from `layer` on, in a whole cache."""

    def hide(module, args, kwargs):
        queries = args[0].shape[1]
        past = kwargs["past_key_values"].get_seq_length(module.self_attn.layer_idx)
        columns = torch.arange(past + queries)
        allowed = columns <= past + torch.arange(queries)[:, None]
        allowed &= ~torch.isin(columns, gone) | (columns == past + torch.arange(queries)[:, None])
        return args, {**kwargs, "attention_mask": allowed[None, None]}

    layers = vlm.hf.get_decoder().layers[layer:]
    hooks = [each.register_forward_pre_hook(hide, with_kwargs=True) for each in layers]
    yield
    for hook in hooks:
        hook.remove()


def gone(prompt, kept):
    visual = prompt.visual.nonzero().flatten()
    return visual[~torch.isin(visual, kept)]


def no_door_left(vlm):
    llm = vlm.hf.get_decoder()
    hooked = [vlm.hf.base_model, *llm.layers]
    return (
        not any(module._forward_pre_hooks for module in hooked)
        and llm.config._attn_implementation == "sdpa"
        and not _in_llm._open.get()
    )


def test_all_tokens_kept_changes_nothing(case_and_layer):
    case, layer = case_and_layer
    inputs = case.prompt().inputs()
    plain = case.generated(inputs)
    with case.vlm.in_llm(layer=layer, keep=1.0) as door:
        found = case.generated(inputs)
    assert torch.equal(found[0], plain[0])
    assert torch.equal(found[1], plain[1])
    assert door.kept[0].tolist() == case.prompt().visual.nonzero().flatten().tolist()


def test_dropped_tokens_are_as_if_masked_in_later_layers(case_and_layer):
    case, layer = case_and_layer
    prompt = case.prompt()
    with case.vlm.in_llm(layer=layer, keep=0.25) as door:
        tokens, logits = case.generated(prompt.inputs())
        lengths = [door.cache.get_seq_length(index) for index in range(DEPTH)]
    assert door.cache is None
    visual, length = int(prompt.visual.sum()), len(prompt.input_ids)
    assert len(door.kept[0]) == round(visual / 4)
    short = length - visual + round(visual / 4)
    assert lengths == [(length if i < layer else short) + NEW - 1 for i in range(DEPTH)]
    with masked(case.vlm, layer, gone(prompt, door.kept[0])):
        expected_tokens, expected = case.generated(prompt.inputs())
    close(logits, expected)
    assert torch.equal(tokens, expected_tokens)
    plain = case.generated(prompt.inputs())[1]
    assert (logits - plain).abs().max() > 1e-2 * plain.abs().max()


def test_the_scores_are_the_attention_of_the_layer_before(case_and_layer):
    case, layer = case_and_layer
    inputs = case.prompt(kept=range(0, case.tokens.count, 2)).inputs()
    seen = []

    def first(view, count):
        seen.append(view)
        return torch.arange(count)

    with case.vlm.in_llm(layer=layer, keep=0.5, choose=first) as door, torch.no_grad():
        case.vlm.hf(**inputs)
    entering = []
    entered = case.vlm.hf.get_decoder().layers[layer]
    hook = entered.register_forward_pre_hook(lambda module, args: entering.append(args[0]))
    case.vlm.hf.set_attn_implementation("eager")
    with torch.no_grad():
        out = case.vlm.hf(**inputs, output_attentions=True)
    case.vlm.hf.set_attn_implementation("sdpa")
    hook.remove()
    expected = out.attentions[layer - 1].mean(1)[:, -1]
    assert_near(door.scores, expected)
    (view,) = seen
    assert_near(view.scores, expected[0, view.columns])
    close(view.hidden, entering[0][0, view.columns])
    assert torch.equal(door.kept[0], view.columns[: len(door.kept[0])])


def test_those_of_highest_attention_stay(llava):
    prompt = llava.prompt()
    with llava.vlm.in_llm(layer=2, keep=0.1) as door, torch.no_grad():
        llava.vlm.hf(**prompt.inputs())
    visual = prompt.visual.nonzero().flatten()
    scores = door.scores[0]
    left = scores[gone(prompt, door.kept[0])]
    assert scores[door.kept[0]].min() >= left.max()
    assert len(door.kept[0]) == round(len(visual) / 10)


def fastv(attention, visual, share_dropped):
    """Returns the columns that stay, by the published steps, of attention `(heads, L, L)`."""
    scores = attention.mean(0)[-1][visual]
    count = int(len(visual) * (1 - share_dropped) + 0.5)
    return sorted(visual[scores.argsort(descending=True)[:count]].tolist())


@pytest.mark.parametrize("dropped", [0.25, 0.5, 0.9])
def test_fastv_keeps_what_its_steps_keep(case_and_layer, dropped):
    case, layer = case_and_layer
    prompt = case.prompt()
    with case.vlm.in_llm("fastv", layer=layer, keep=1 - dropped) as door, torch.no_grad():
        case.vlm.hf(**prompt.inputs())
    case.vlm.hf.set_attn_implementation("eager")
    with torch.no_grad():
        out = case.vlm.hf(**prompt.inputs(), output_attentions=True)
    case.vlm.hf.set_attn_implementation("sdpa")
    visual = prompt.visual.nonzero().flatten()
    assert door.kept[0].tolist() == fastv(out.attentions[layer - 1][0], visual, dropped)


def test_equal_scores_go_to_the_earlier_token():
    view = LayerView(
        scores=torch.tensor([0.1, 0.3, 0.3, 0.3]),
        hidden=torch.zeros(4, 1),
        columns=torch.arange(4),
    )
    assert _in_llm.chosen_by("fastv")(view, 2).tolist() == [1, 2]


def test_a_strategy_for_tokens_before_the_llm_is_refused(llava):
    with pytest.raises(InvalidOptionError, match=r"'temporal' works on tokens before .* fastv"):
        llava.vlm.in_llm("temporal")


def test_a_padded_batch_is_its_prompts_one_by_one(case_and_layer):
    case, layer = case_and_layer
    count = case.tokens.count
    prompts = [
        case.prompt(),
        case.prompt(kept=range(0, count, 5), text="And a much longer question?"),
        # As long as the first one, with few visual tokens: rows that keep fewer must be filled up.
        case.prompt(kept=[0], text="?" * (len(case.prompt().input_ids) - len(QUESTION))),
    ]
    batch = collate(prompts, pad_token_id=case.vlm.tokenizer.pad_token_id)
    with case.vlm.in_llm(layer=layer, keep=0.25) as door:
        tokens, logits = case.generated(batch)
        kept = door.kept
        for row, prompt in enumerate(prompts):
            alone, expected = case.generated(prompt.inputs())
            pad = batch["input_ids"].shape[1] - len(prompt.input_ids)
            assert torch.equal(kept[row], door.kept[0] + pad)
            close(logits[row], expected[0])
            assert torch.equal(tokens[row], alone[0])


def test_beams_of_one_prompt_keep_the_same_tokens(llava):
    inputs = llava.prompt().inputs()
    options = {"num_beams": 2, "max_new_tokens": 4}
    plain = llava.generated(inputs, **options)[0]
    with llava.vlm.in_llm(layer=2, keep=1.0):
        assert torch.equal(llava.generated(inputs, **options)[0], plain)
    with llava.vlm.in_llm(layer=2, keep=0.25) as door:
        llava.generated(inputs, **options)
    assert torch.equal(*door.kept)


def test_one_door_serves_prompt_after_prompt(llava):
    first, second = llava.prompt(), llava.prompt(kept=range(20), text="And now?")
    with llava.vlm.in_llm(layer=2, keep=0.25) as door:
        a, b = llava.generated(first.inputs())[1], llava.generated(second.inputs())[1]
        again = llava.generated(first.inputs())[1]
        assert len(door.kept[0]) == round(int(first.visual.sum()) / 4)
    assert torch.equal(a, again)
    with llava.vlm.in_llm(layer=2, keep=0.25):
        assert torch.equal(llava.generated(second.inputs())[1], b)


def test_a_prompt_without_pictures_passes_whole(llava):
    inputs = llava.vlm.prompt([Turn(role="user", text=QUESTION)]).inputs()
    plain = llava.generated(inputs)[1]
    with llava.vlm.in_llm(layer=1, keep=0.25) as door:
        assert torch.equal(llava.generated(inputs)[1], plain)
    assert [len(kept) for kept in door.kept] == [0]


def test_what_ends_each_video_always_stays(tmp_path):
    TINY_VLMS["llava-onevision"].build(tmp_path)
    vlm = registry.create("llava-onevision", model=str(tmp_path), device="cpu")
    tokens = vlm.encoder.encode(random_frames(2, TINY_VLMS["llava-onevision"].size_px))
    count, per_frame = tokens.count, tokens.tokens_per_frame
    plan = TokenPlan.keep(torch.arange(count), num_in=count, tokens_per_frame=per_frame)
    turn = Turn(role="user", text=QUESTION, videos=(compressed(tokens, plan),) * 2)
    prompt, seen = vlm.prompt([turn]), []

    def first(view, count):
        seen.append(view.columns)
        return torch.arange(count)

    columns = prompt.visual.nonzero().flatten()
    with vlm.in_llm(layer=1, keep=0.25, choose=first) as door, torch.no_grad():
        logits = vlm.hf(**prompt.inputs(), use_cache=True).logits
    assert torch.equal(seen[0], columns[prompt.rows >= 0])
    assert len(door.kept[0]) == 2 * count // 4
    newlines = columns[prompt.rows < 0]
    assert len(newlines) == 2
    with masked(vlm, 1, gone(prompt, torch.cat([door.kept[0], newlines]))), torch.no_grad():
        expected = vlm.hf(**prompt.inputs(), use_cache=True).logits
    close(logits[:, -1], expected[:, -1])


def test_nothing_is_left_behind(llava):
    inputs = llava.prompt().inputs()
    plain = llava.generated(inputs)[1]
    with llava.vlm.in_llm(layer=2, keep=0.25):
        assert not no_door_left(llava.vlm)
        llava.generated(inputs)
    assert no_door_left(llava.vlm)
    assert torch.equal(llava.generated(inputs)[1], plain)


def test_nothing_is_left_behind_by_an_error(llava):
    inputs = llava.prompt().inputs()
    plain = llava.generated(inputs)[1]

    def broken(view, count):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), llava.vlm.in_llm(layer=2, choose=broken):
        llava.generated(inputs)
    assert no_door_left(llava.vlm)
    assert torch.equal(llava.generated(inputs)[1], plain)


def read_prefix(case, prompt):
    """Returns a cache that holds the prompt up to the end of its video, and the whole arguments."""
    inputs, cache = prompt.inputs(), transformers.DynamicCache()
    features = inputs.pop("mm_encoder_outputs")
    prefix = {name: value[..., : prompt.prefix_length] for name, value in inputs.items()}
    with torch.no_grad():
        case.vlm.hf(**prefix, mm_encoder_outputs=features, past_key_values=cache, use_cache=True)
    return {**inputs, "past_key_values": cache}


def test_a_video_that_was_read_within_can_be_asked_about(case_and_layer):
    case, layer = case_and_layer
    prompt = case.prompt()
    with case.vlm.in_llm(layer=layer, keep=0.25) as door:
        tokens, logits = case.generated(read_prefix(case, prompt))
    with masked(case.vlm, layer, gone(prompt, door.kept[0])):
        expected_tokens, expected = case.generated(prompt.inputs())
    close(logits, expected)
    assert torch.equal(tokens, expected_tokens)


def test_a_video_that_was_read_outside_is_refused(llava):
    inputs = read_prefix(llava, llava.prompt())
    with (
        llava.vlm.in_llm(layer=2),
        pytest.raises(ModelError, match="did not come through") as error,
    ):
        llava.generated(inputs)
    assert "\n" not in str(error.value)


def test_a_cache_from_an_earlier_prompt_is_refused(llava):
    with llava.vlm.in_llm(layer=2, keep=0.25):
        old = read_prefix(llava, llava.prompt())
        llava.generated(llava.prompt(kept=range(8)).inputs())
        with pytest.raises(ModelError, match="did not come through"):
            llava.generated(old)


def test_more_visual_tokens_behind_the_first_are_refused(llava):
    inputs = llava.prompt().inputs()
    with llava.vlm.in_llm(layer=2, keep=0.25), torch.no_grad():
        cache = llava.vlm.hf(**inputs, use_cache=True).past_key_values
        mask = torch.ones(1, 2 * inputs["input_ids"].shape[1])
        with pytest.raises(ModelError, match="more visual tokens"):
            llava.vlm.hf(**{**inputs, "attention_mask": mask}, past_key_values=cache)


def test_a_chat_that_was_opened_outside_is_refused_and_goes_on_outside(llava):
    count, per_frame = llava.tokens.count, llava.tokens.tokens_per_frame
    plan = TokenPlan.keep(torch.arange(count), num_in=count, tokens_per_frame=per_frame)
    with Chat(llava.vlm, [compressed(llava.tokens, plan)]) as chat:
        before = chat.ask(QUESTION, evidence=None)
        with llava.vlm.in_llm(layer=2, keep=0.25):
            with pytest.raises(ModelError, match="in_llm") as error:
                chat.ask(QUESTION, evidence=None)
            assert "\n" not in str(error.value)
        assert chat.ask(QUESTION, evidence=None).text == before.text


def test_evidence_within_is_similarity_since_later_layers_lack_columns(llava):
    count, per_frame = llava.tokens.count, llava.tokens.tokens_per_frame
    plan = TokenPlan.keep(torch.arange(count), num_in=count, tokens_per_frame=per_frame)
    videos = [compressed(llava.tokens, plan)]
    with llava.vlm.in_llm(layer=2, keep=0.25):
        answer = Chat(llava.vlm, videos).ask(QUESTION)
        with pytest.raises(ModelError, match="in_llm"):
            Chat(llava.vlm, videos).ask(QUESTION, evidence="attention")
    assert answer.evidence
    assert all(part.reason.startswith("similar to the question") for part in answer.evidence)


@pytest.mark.parametrize(
    ("name", "layer"), [("llava", 0), ("llava", DEPTH), ("llava", -1), ("qwen3-vl", 1)]
)
def test_layers_that_cannot_drop_are_refused(cases, name, layer):
    vlm = cases[name].vlm
    with pytest.raises(InvalidOptionError, match=f"layer={layer}") as error:
        vlm.in_llm(layer=layer).__enter__()
    assert "\n" not in str(error.value)
    assert no_door_left(vlm)


def test_a_second_door_is_refused(llava):
    with llava.vlm.in_llm(layer=2):
        with pytest.raises(ModelError, match="open on this model already"):
            llava.vlm.in_llm(layer=3).__enter__()
        llava.generated(llava.prompt().inputs())
    assert no_door_left(llava.vlm)


def test_another_attention_is_refused(llava):
    llava.vlm.hf.set_attn_implementation("eager")
    try:
        with pytest.raises(ModelError, match=r"'eager'.*'sdpa'"):
            llava.vlm.in_llm(layer=2).__enter__()
    finally:
        llava.vlm.hf.set_attn_implementation("sdpa")


def test_padding_on_the_right_is_refused(llava):
    inputs = llava.prompt().inputs()
    inputs["attention_mask"][0, -1] = 0
    with llava.vlm.in_llm(layer=2), pytest.raises(ModelError, match="pad on the left"):
        llava.vlm.hf(**inputs)


def test_embeddings_without_ids_are_refused(llava):
    embeds = llava.vlm.hf.get_input_embeddings().weight[None, :4]
    with llava.vlm.in_llm(layer=2), pytest.raises(ModelError, match="input_ids"):
        llava.vlm.hf(inputs_embeds=embeds)


@pytest.mark.parametrize("keep", [0, -1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(llava, keep):
    with pytest.raises(BudgetError, match="keep="):
        llava.vlm.in_llm(layer=2, keep=keep)


@pytest.mark.parametrize(
    "picked", [torch.tensor([0]), torch.zeros(2, dtype=torch.int64), torch.ones(2)]
)
def test_a_choice_of_another_size_is_refused(llava, picked):
    inputs = llava.prompt(kept=range(8)).inputs()
    with (
        llava.vlm.in_llm(layer=2, keep=0.25, choose=lambda view, count: picked),
        pytest.raises(ValueError, match="2 distinct int64"),
    ):
        llava.vlm.hf(**inputs)
