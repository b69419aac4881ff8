"""Answers over a cache of fixed size are those over one that grows, compiled or not."""

import gc
import signal
from dataclasses import replace
from threading import Event, Thread, current_thread
from time import sleep
from weakref import ref

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException
from torch._dynamo.utils import counters

transformers = pytest.importorskip("transformers")

import framesift  # noqa: E402
from framesift.answering import warming  # noqa: E402
from framesift.answering.batch import complete_batch  # noqa: E402
from framesift.answering.generation import Generation, complete  # noqa: E402
from framesift.answering.prefix_cache import PrefixCache, read_once  # noqa: E402
from framesift.answering.session import Session  # noqa: E402
from framesift.errors import ModelError  # noqa: E402
from framesift.hf import compiling, fixed_cache  # noqa: E402
from framesift.hf.fixed_cache import capacity_of, is_fixed, lent_cache, new_cache  # noqa: E402
from framesift.serving.assistant import Assistant  # noqa: E402
from framesift.serving.message import Message  # noqa: E402
from framesift.testing import TINY_VLMS  # noqa: E402
from framesift.vlms.base import collate  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402
from framesift.vlms.prompt import Turn  # noqa: E402

CLIP, QUESTION = "synthetic://number?seed=3&seconds=4", "What number flashes?"
OTHER = "Which shape moves, and in which colour?"
PLAIN = Generation(max_new_tokens=12)
COMPILED = replace(PLAIN, compiled=True)


@pytest.fixture(scope="module")
def vlm():
    return load_vlm("tiny", device="cpu")


@pytest.fixture(scope="module")
def sift(vlm):
    return framesift.VideoCompressor(vlm=vlm)


@pytest.fixture
def on_cpu(monkeypatch):
    """Takes the path of a GPU on the CPU, without its compiler."""
    monkeypatch.setattr(compiling, "DEVICES", ("cpu",))
    monkeypatch.setattr(compiling, "compile_options", lambda _: {"disable_compile": True})


def failing(model, monkeypatch, error, after=1):
    """Has the decoding step fail as one does that cannot be compiled."""
    calls = []

    def step(**inputs):
        calls.append(inputs)
        if len(calls) > after:
            # As far as a step may come before it fails.
            inputs["past_key_values"].layers[0].cumulative_length.add_(1)
            raise error
        return model(**inputs)

    monkeypatch.setattr(
        model, "_valid_auto_compile_criteria", lambda _, config: not config.disable_compile
    )
    monkeypatch.setattr(model, "get_compiled_call", lambda _: step)
    return calls


def test_a_chat_answers_and_shows_evidence_as_over_a_cache_that_grows(sift, on_cpu):
    with sift.open(CLIP) as chat:
        plain = [chat.ask(text, generation=PLAIN) for text in (QUESTION, OTHER, QUESTION)]
    with sift.open(CLIP) as chat:
        compiled = [chat.ask(text, generation=COMPILED) for text in (QUESTION, OTHER, QUESTION)]
    for found, expected in zip(compiled, plain, strict=True):
        assert found.text == expected.text
        assert found.evidence == expected.evidence
        assert found.warnings == expected.warnings
        assert found.usage.cached_tokens == expected.usage.cached_tokens
    sizes = {answer.usage.kv_cache_bytes for answer in compiled}
    assert len(sizes) == 1
    assert sizes.pop() > plain[-1].usage.kv_cache_bytes


def test_a_chat_may_change_between_both(sift, on_cpu):
    with sift.open(CLIP) as chat:
        found = [
            chat.ask(QUESTION, generation=generation)
            for generation in (PLAIN, COMPILED, PLAIN, COMPILED, COMPILED)
        ]
        follow = chat.ask(OTHER, generation=COMPILED, follow_up=True)
        assert chat.ask(QUESTION, generation=PLAIN).text == found[0].text
    assert len({answer.text for answer in found}) == 1
    with sift.open(CLIP) as chat:
        chat.ask(QUESTION, generation=PLAIN)
        assert follow.text == chat.ask(OTHER, generation=PLAIN, follow_up=True).text


def test_pieces_stops_and_draws_are_the_same(sift, on_cpu):
    drawn = Generation(max_new_tokens=24, temperature=2.0, top_k=8, seed=1)
    with sift.open(CLIP) as chat:
        whole = chat.ask(QUESTION, generation=drawn).text
        ending = replace(drawn, stop=(whole[len(whole) // 2 :][:3],))
        for generation in (PLAIN, drawn, ending):
            expected = chat.ask(QUESTION, generation=generation)
            compiled = replace(generation, compiled=True)
            assert "".join(chat.stream(QUESTION, generation=compiled)) == expected.text
            assert chat.last.usage.finish_reason == expected.usage.finish_reason
    assert expected.usage.finish_reason == "stop_sequence"


def test_an_assistant_answers_the_same(sift, on_cpu):
    messages = [Message(role="user", text=QUESTION, videos=(CLIP,))]
    plain, compiled = Assistant(sift), Assistant(sift)
    for text in (OTHER, QUESTION):
        expected = plain.reply(messages, generation=PLAIN)
        found = compiled.reply(messages, generation=COMPILED)
        assert (found.text, found.evidence) == (expected.text, expected.evidence)
        messages += [
            Message(role="assistant", text=found.text),
            Message(role="user", text=text),
        ]


def test_a_batch_gives_the_same_words(vlm, sift, on_cpu):
    video = sift.compress(CLIP)
    prompts = [
        vlm.prompt([Turn(role="user", text=text, videos=(video,))]) for text in (QUESTION, OTHER)
    ]
    padding = vlm.tokenizer.pad_token_id
    for make in (
        lambda: collate(prompts, pad_token_id=padding),
        lambda: read_once(vlm.hf, prompts, padding),
    ):
        plain, compiled = (
            complete_batch(vlm.hf, vlm.tokenizer, make(), way) for way in (PLAIN, COMPILED)
        )
        assert compiled == plain
        assert plain[1] == []


def test_a_batch_that_cannot_be_compiled_says_so(vlm, sift, on_cpu, monkeypatch):
    prompt = vlm.prompt([Turn(role="user", text=QUESTION, videos=(sift.compress(CLIP),))])
    inputs = {"pad_token_id": vlm.tokenizer.pad_token_id}
    expected, _ = complete_batch(vlm.hf, vlm.tokenizer, collate([prompt] * 2, **inputs), PLAIN)
    monkeypatch.setattr(compiling, "compile_options", lambda _: {"disable_compile": False})
    with monkeypatch.context() as patch:
        failing(vlm.hf, patch, TorchDynamoException("no C compiler"))
        batch = collate([prompt] * 2, **inputs)
        found, warnings = complete_batch(vlm.hf, vlm.tokenizer, batch, COMPILED)
    assert found == expected
    reason = "compiled=True had no effect: compiling failed: TorchDynamoException: no C compiler"
    assert warnings == [reason]
    again = complete_batch(vlm.hf, vlm.tokenizer, collate([prompt] * 2, **inputs), COMPILED)
    assert again == (expected, warnings)
    compiling._failed.pop(vlm.hf)


@pytest.fixture
def ctrl_c_is_heard():
    """A shell that puts the tests into the background has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_twice_leaves_the_chat_usable(sift, vlm, on_cpu, monkeypatch, ctrl_c_is_heard):
    """The step in work is waited for, since it writes to the cache that the next answer reads."""
    step, begun = vlm.hf.forward, Event()

    def slow(*args, **options):
        begun.set()
        sleep(0.6)
        return step(*args, **options)

    def press():
        begun.wait()
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
            sleep(0.1)

    with sift.open(CLIP) as chat:
        expected = chat.ask(QUESTION, generation=PLAIN).text
        with monkeypatch.context() as patch:
            patch.setattr(vlm.hf, "forward", slow)
            pressing = Thread(target=press)
            pressing.start()

            def ask_while_pressing():
                try:
                    chat.ask(QUESTION, generation=COMPILED)
                finally:
                    pressing.join()  # a late second one must not hit the test run

            with pytest.raises(KeyboardInterrupt):
                ask_while_pressing()
        found = []
        ask = lambda: found.append(chat.ask(QUESTION, generation=COMPILED).text)  # noqa: E731
        asking = Thread(target=ask, daemon=True)
        asking.start()
        asking.join(30)
    assert found == [expected]


def test_a_model_may_be_given_another_dtype(tmp_path, on_cpu):
    TINY_VLMS["llava-onevision"].build(tmp_path)
    vlm = load_vlm(str(tmp_path), device="cpu")
    turns = [Turn(role="user", text=QUESTION)]
    kept = Session(vlm)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        vlm.hf.to(dtype)
        expected = Session(vlm).answer(turns, generation=PLAIN, evidence=None).text
        assert Session(vlm).answer(turns, generation=COMPILED, evidence=None).text == expected
        assert kept.answer(turns, generation=COMPILED, evidence=None).text


def test_a_model_that_nothing_refers_to_is_freed_with_its_cache_and_thread(tmp_path, on_cpu):
    TINY_VLMS["llava-onevision"].build(tmp_path)

    def used():
        vlm = load_vlm(str(tmp_path), device="cpu")
        session = Session(vlm)
        session.answer([Turn(role="user", text="?")], generation=COMPILED, evidence=None)
        return ref(vlm.hf), ref(session._cache._fixed.layers[0]), compiling._threads[vlm.hf]

    model, layer, threads = used()
    gc.collect()
    assert model() is layer() is None
    (thread,) = threads._threads
    assert thread.is_alive()
    del threads
    thread.join(5)
    assert not thread.is_alive()


def test_a_cache_is_given_back_by_whoever_collects_its_owner_meanwhile(vlm):
    """Garbage may be collected within the lock by the thread that holds it."""
    owner, other = PrefixCache(), PrefixCache()
    lent = lent_cache(vlm.hf, 10, owner)
    held = []

    def collect():
        nonlocal owner
        with fixed_cache._guard:
            owner = None
        held.append(lent_cache(vlm.hf, 10, other))

    thread = Thread(target=collect, daemon=True)
    thread.start()
    thread.join(10)
    assert held[0] is lent


def test_what_is_called_back_runs_in_the_thread_that_asks(sift, on_cpu):
    threads = []
    with sift.open(CLIP) as chat:
        chat.ask(QUESTION, generation=COMPILED, on_text=lambda _: threads.append(current_thread()))
    assert set(threads) == {current_thread()}


@pytest.mark.parametrize("kind", [KeyError, AssertionError])
def test_an_error_of_the_caller_ends_the_answer_and_leaves_the_chat_usable(sift, on_cpu, kind):
    def refuse(_):
        raise kind("mine")

    with sift.open(CLIP) as chat:
        expected = chat.ask(QUESTION, generation=PLAIN).text
        with pytest.raises(kind, match="mine"):
            chat.ask(QUESTION, generation=COMPILED, on_text=refuse)
        again = chat.ask(QUESTION, generation=COMPILED)
    assert again.text == expected
    assert not any("compiled" in warning for warning in again.warnings)


def test_a_step_that_cannot_be_compiled_is_left_out_with_a_warning(vlm, sift, on_cpu, monkeypatch):
    error = TorchDynamoException("no C compiler\nand more")
    pieces = []
    monkeypatch.setattr(compiling, "compile_options", lambda _: {"disable_compile": False})
    with sift.open(CLIP) as chat:
        expected = chat.ask(QUESTION, generation=PLAIN)
        with monkeypatch.context() as patch:
            calls = failing(vlm.hf, patch, error)
            found = chat.ask(QUESTION, generation=COMPILED, on_text=pieces.append)
            assert len(calls) == 2
        again = chat.ask(QUESTION, generation=COMPILED)
    assert found.text == "".join(pieces) == again.text == expected.text
    assert found.evidence == expected.evidence
    warning = "compiled=True had no effect: compiling failed: TorchDynamoException: no C compiler"
    assert warning in found.warnings
    assert warning in again.warnings
    compiling._failed.pop(vlm.hf)


def test_an_answer_about_a_video_that_was_not_read_goes_on_as_well(vlm, sift, on_cpu, monkeypatch):
    monkeypatch.setattr(compiling, "compile_options", lambda _: {"disable_compile": False})
    expected = sift.ask(CLIP, QUESTION, generation=PLAIN)
    with monkeypatch.context() as patch:
        failing(vlm.hf, patch, TorchDynamoException("no C compiler"), after=0)
        found = sift.ask(CLIP, QUESTION, generation=COMPILED)
    assert found.text == expected.text
    assert any("no C compiler" in warning for warning in found.warnings)
    compiling._failed.pop(vlm.hf)


def test_where_nothing_is_compiled_the_answer_says_why(sift, vlm, monkeypatch):
    with sift.open(CLIP) as chat:
        expected = chat.ask(QUESTION, generation=PLAIN)
        found = chat.ask(QUESTION, generation=COMPILED)
    (warning,) = set(found.warnings) - set(expected.warnings)
    assert warning == (
        "compiled=True had no effect: it makes answers faster on CUDA only, and the model is on cpu"
    )
    assert found.usage.kv_cache_bytes == expected.usage.kv_cache_bytes
    monkeypatch.setattr(compiling, "DEVICES", ("cpu",))
    config = vlm.hf.get_decoder().config
    monkeypatch.setattr(config, "_attn_implementation", "flex_attention")
    assert "'flex_attention'" in compiling.obstacle(vlm.hf)
    monkeypatch.setattr(config, "_attn_implementation", "sdpa")
    monkeypatch.setattr(config, "layer_types", ["linear_attention"], raising=False)
    assert "linear_attention" in compiling.obstacle(vlm.hf)


def test_tokens_dropped_inside_the_llm_need_a_cache_that_grows(vlm, sift, on_cpu):
    video = sift.compress(CLIP)
    turns = [Turn(role="user", text=QUESTION, videos=(video,))]
    session = Session(vlm)
    outside = session.answer(turns, generation=COMPILED, evidence=None)
    with vlm.in_llm("fastv", layer=1, keep=0.5):
        expected = Session(vlm).answer(turns, generation=PLAIN, evidence=None)
        found = Session(vlm).answer(turns, generation=COMPILED, evidence=None)
    assert found.text == expected.text
    assert any("in_llm drops tokens" in warning for warning in found.warnings)
    assert session.answer(turns, generation=COMPILED, evidence=None).text == outside.text


def test_sizes_are_few_and_waste_is_bounded():
    sizes = {columns: capacity_of(columns) for columns in range(1, 50_000, 7)}
    assert all(size >= columns for columns, size in sizes.items())
    assert all(size - columns <= max(1024, min(columns, 8192)) for columns, size in sizes.items())
    assert sorted({*sizes.values()})[:6] == [1024, 2048, 4096, 8192, 16384, 24576]


def test_a_cache_grows_with_its_columns_and_refuses_more(vlm):
    cache = new_cache(vlm.hf, 10)
    chunk = torch.randn(1, 2, 5, 8)
    keys, values = cache.update(chunk, -chunk, 0)
    assert torch.equal(keys, chunk)
    cache.grow(3000)
    assert cache.capacity == 4096
    keys, values = cache.update(chunk, -chunk, 0)
    assert torch.equal(keys, torch.cat([chunk, chunk], 2))
    assert torch.equal(values, -keys)
    with pytest.raises(ModelError, match="has room for 4096 columns"):
        cache.update(torch.zeros(1, 2, 4087, 8), torch.zeros(1, 2, 4087, 8), 0)


def test_a_cache_stays_with_the_model_when_its_owner_has_gone(vlm):
    owner, other = PrefixCache(), PrefixCache()
    lent = lent_cache(vlm.hf, 10, owner)
    assert lent_cache(vlm.hf, 10, other) is not lent
    del owner
    assert lent_cache(vlm.hf, 10, other) is lent


def test_the_second_question_reads_the_same_tensors(vlm, sift, on_cpu):
    video, held = sift.compress(CLIP), PrefixCache()
    addresses = set()
    for text in (QUESTION, OTHER, QUESTION):
        prompt = vlm.prompt([Turn(role="user", text=text, videos=(video,))])
        inputs, _ = held.prepare(vlm.hf, prompt, room=len(prompt.input_ids) + 12)
        cache = inputs["past_key_values"]
        assert is_fixed(cache)
        held.note(prompt, complete(vlm.hf, vlm.tokenizer, inputs, PLAIN).ids)
        addresses.add(tuple(layer.keys.data_ptr() for layer in cache.layers))
    held.prefill_videos(vlm.hf, prompt)
    addresses.add(tuple(layer.keys.data_ptr() for layer in cache.layers))
    assert len(addresses) == 1


def test_sliding_windows_keep_all_columns():
    torch.manual_seed(0)
    config = transformers.Qwen2Config(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        use_sliding_window=True,
        sliding_window=8,
        max_window_layers=1,
        initializer_range=0.5,
        eos_token_id=None,
        pad_token_id=0,
    )
    model = transformers.Qwen2ForCausalLM(config).eval()
    assert "sliding_attention" in model.config.layer_types
    ids = torch.randint(1, 64, (1, 30))
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "max_new_tokens": 20}
    expected = model.generate(**given, do_sample=False)
    cache = new_cache(model, 60)
    with cache.decoding():
        found = model.generate(**given, do_sample=False, past_key_values=cache)
    assert torch.equal(found, expected)


def test_warming_up_compiles_nothing_where_nothing_is_compiled(vlm, on_cpu, monkeypatch):
    assert warming.compiles(vlm)
    assert warming.warm_up(vlm, columns=100) is None
    monkeypatch.setattr(compiling, "DEVICES", ("cuda",))
    assert not warming.compiles(vlm)
    assert "CUDA only" in warming.warm_up(vlm)


def test_warming_up_a_card_that_is_full_says_so(vlm, on_cpu, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(vlm.hf, "generate", full)
    assert warming.warm_up(vlm, columns=100) == "cpu has no memory for a cache of 100 columns"


def compiled_on_a_cpu(_):
    config = transformers.CompileConfig(dynamic=False, mode="default")
    config._compile_all_devices = True
    return {"compile_config": config}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, as its compiler is imported
@pytest.mark.parametrize("name", ["llava-onevision", "qwen2-5-vl"])
def test_a_compiled_step_gives_the_same_tokens(name, tmp_path, monkeypatch):
    """It is compiled once for all questions, and needs a C++ compiler."""
    monkeypatch.setattr(compiling, "DEVICES", ("cpu",))
    monkeypatch.setattr(compiling, "compile_options", compiled_on_a_cpu)
    TINY_VLMS[name].build(tmp_path)
    vlm = replace(load_vlm(str(tmp_path), device="cpu"), **TINY_VLMS[name].options)
    assert warming.warm_up(vlm, columns=1000) is None
    counters.clear()
    session = Session(vlm)
    for text in (QUESTION, OTHER, "And now?"):
        turns = [Turn(role="user", text=text)]
        expected = session.answer(turns, generation=PLAIN, evidence=None)
        found = session.answer(turns, generation=COMPILED, evidence=None)
        assert found.text == expected.text
        assert not any("compiled" in warning for warning in found.warnings)
    assert not counters["stats"].get("unique_graphs")


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_tokens_from_every_thread(tmp_path):
    TINY_VLMS["llava-onevision"].build(tmp_path)
    vlm = replace(load_vlm(str(tmp_path), device="cuda"), **TINY_VLMS["llava-onevision"].options)
    assert warming.warm_up(vlm, columns=1000) is None
    sift = framesift.VideoCompressor(vlm=vlm)
    with sift.open(CLIP) as chat:
        expected = chat.ask(QUESTION, generation=PLAIN)
        assert chat.ask(QUESTION, generation=COMPILED).text == expected.text
        for _ in range(3):
            assert "".join(chat.stream(QUESTION, generation=COMPILED)) == expected.text
        assert not any("compiled" in warning for warning in chat.last.warnings)
