"""The models of real size are the published ones, and go through the ordinary code."""

from dataclasses import replace

import pytest
import torch

from narrow_models import narrow

transformers = pytest.importorskip("transformers")

from benchmarks.effort import Effort  # noqa: E402
from benchmarks.process import Laps  # noqa: E402
from benchmarks.real_models import (  # noqa: E402
    MODELS,
    SPECIAL,
    WHOLE,
    byte_tokenizer,
)
from benchmarks.real_qwen import DEPTH  # noqa: E402
from benchmarks.sections import real_size  # noqa: E402
from benchmarks.table import table_lines  # noqa: E402

PUBLISHED = {
    "llava": (32, 7.06e9),
    "llava-onevision": (28, 8.03e9),
    "internvl": (28, 7.94e9),
    "qwen2-vl": (28, 8.29e9),
    "qwen2-5-vl": (28, 8.29e9),
    "qwen3-vl": (36, 8.77e9),
    "qwen3-vl-moe": (48, 31.07e9),
    "qwen3-5": ((24, 8), 9.41e9),
    "qwen3-5-moe": ((30, 10), 35.11e9),
    "gemma3": ((29, 5), 4.30e9),
    "gemma4": ((50, 10), 31.27e9),
    "glm4v": (40, 10.29e9),
    "glm4v-moe": ((1, 45), 107.7e9),
    "llava-next": (32, 7.57e9),
    "video-llama-3": (28, 1.96e9),
    "minicpm-v-4-6": ((18, 6), 1.30e9),
}
PUBLISHED_WHOLE = {"llava-onevision-0.5b": (24, 0.894e9), "llava-onevision-7b": (28, 8.03e9)}
NUMBERS = {token: number for number, token in enumerate(SPECIAL)}


@pytest.mark.parametrize("name", MODELS)
def test_at_full_depth_it_has_the_published_number_of_weights(name):
    depth, expected = PUBLISHED[name]
    config = MODELS[name].config(NUMBERS)
    assert config.text_config.num_hidden_layers == DEPTH
    with torch.device("meta"):
        model = transformers.AutoModelForImageTextToText.from_config(config)
    # Two kinds of layers are counted apart.
    counts = depth if isinstance(depth, tuple) else (depth - 1, 1)
    measured = sum(weight.numel() for weight in model.parameters())
    for layer, count in zip(model.get_decoder().layers, counts, strict=True):
        measured += (count - 1) * sum(weight.numel() for weight in layer.parameters())
    assert measured == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_one_has_the_published_depth_and_number_of_weights(name):
    depth, expected = PUBLISHED_WHOLE[name]
    with torch.device("meta"):
        config = WHOLE[name].config(NUMBERS)
        model = transformers.AutoModelForImageTextToText.from_config(config)
    assert len(model.get_decoder().layers) == depth
    measured = sum(weight.numel() for weight in model.parameters())
    assert measured == pytest.approx(expected, rel=0.005)


def test_the_tokenizer_spells_any_text():
    tokenizer = byte_tokenizer()
    text = "<|im_start|>user\nÄ ñ 漢 <image>"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len({tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}) == len(SPECIAL)


@pytest.mark.parametrize("name", MODELS)
def test_a_narrow_one_is_written_loaded_and_asked(name, tmp_path, monkeypatch):
    real = MODELS[name]
    small = replace(real, config=lambda ids: narrow(real.config(ids)))
    monkeypatch.setitem(real_size.MODELS, name, small)
    written = real_size.write_run(Laps(), name=name, folder=str(tmp_path))
    assert 0 < written["parameters"] < 2e6
    laps = Laps()
    actual = real_size.answer_run(laps, folder=str(tmp_path))
    whole, quarter = actual["answers"]
    assert whole["visual_tokens"] == whole["visual_tokens_before"]
    # The newline that a family adds to each of four frames stays.
    assert quarter["visual_tokens"] == pytest.approx(whole["visual_tokens"] / 4, abs=4)
    assert quarter["prompt_tokens"] < whole["prompt_tokens"]
    assert whole["new_tokens"] == quarter["new_tokens"] == real_size.NEW_TOKENS
    assert {stage: len(seconds) for stage, seconds in laps.seconds.items()} == {
        "load": 1,
        "compress": 2,
        "generate": 2,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["video-llama-3", "minicpm-v-4-6"])
def test_a_small_model_of_real_width_answers_here(name):
    (row,) = real_size.measure(Effort(real_models=(name,)), None)["rows"]
    whole, quarter = row["answers"]
    assert whole["visual_tokens"] == whole["visual_tokens_before"]
    assert quarter["visual_tokens"] == pytest.approx(whole["visual_tokens"] / 4, abs=1)


@pytest.mark.slow
def test_a_model_of_real_size_answers_here():
    measured = real_size.measure(Effort(real_models=("llava",)), None)
    (row,) = measured["rows"]
    assert row["weight_bytes"] / 2 < row["peak_bytes"] < 2 * row["weight_bytes"] + 1e9
    assert [answer["visual_tokens"] for answer in row["answers"]] == [2304, 576]
    assert "LLaVA-1.5-7B" in "\n".join(table_lines({"sections": {"real_size": measured}}))
