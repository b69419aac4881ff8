"""Checkpoints that were made to break what reads them: each ends in one line, early and cheaply."""

import json
import random
import shutil

import pytest
import torch

transformers = pytest.importorskip("transformers")

from framesift.encoders.clip import Clip  # noqa: E402
from framesift.errors import ModelError  # noqa: E402
from framesift.testing import TINY_VLMS, random_frames  # noqa: E402
from framesift.vlms.base import Turn  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402

SHAPES = {
    "list": b"[]",
    "null": b"null",
    "text": b'"abc"',
    "number": b"7",
    "empty": b"",
    "open": b'{"a": ',
    "deep": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nested": b'{"a": ' * 90 + b"1" + b"}" * 90,
    "latin": '{"a": "\xe9"}'.encode("latin-1"),
    "bom": b"\xef\xbb\xbf{}",
    "digits": b'{"a": ' + b"9" * 5000 + b"}",
    "zeros": bytes(300),
}
OTHERS = ["many", None, [], {}, True, 2.5, 1e999, -1, 0]
FILES = [
    *("config.json", "generation_config.json", "preprocessor_config.json"),
    *("processor_config.json", "video_preprocessor_config.json", "tokenizer_config.json"),
    *("tokenizer.json", "special_tokens_map.json", "added_tokens.json", "chat_template.json"),
    "model.safetensors.index.json",
]


@pytest.fixture(scope="session")
def llava_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strangers") / "llava"
    folder.mkdir()
    TINY_VLMS["llava"].build(folder)
    return folder


@pytest.fixture
def copied(llava_folder, tmp_path):
    return shutil.copytree(llava_folder, tmp_path / "copied")


def edited(folder, path, value, name="config.json"):
    """Changes a setting, whose place is a list of keys, in a JSON file of a folder."""
    found = json.loads((folder / name).read_text())
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    (folder / name).write_text(json.dumps(found))
    return folder


def refused(folder):
    with pytest.raises(ModelError) as error:
        load_vlm(str(folder))
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 1000
    assert str(folder.parent) not in message
    return message


def check_one_line(folder):
    """Asks a model, if it loads; what is wrong with it may be said in one line only."""
    try:
        load_vlm(str(folder)).prompt([Turn(role="user", text="Hi")])
    except ModelError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
    assert str(folder.parent) not in message


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_holds_no_object_is_named(copied, name):
    for content in SHAPES.values():
        (copied / name).write_bytes(content)
        message = refused(copied)
        assert name in message or name == "tokenizer.json"


@pytest.mark.parametrize(
    "shard",
    [
        *("pytorch_model.bin", "../other.safetensors", "/etc/passwd", "a/b.safetensors"),
        *("x.safetensors.bin", ".safetensors", "..\\x.safetensors", 7, None, ["a.safetensors"]),
    ],
)
def test_an_index_names_safetensors_of_its_own_folder_only(copied, shard):
    state = {"lm_head.weight": torch.zeros(1)}
    torch.save(state, copied / "pytorch_model.bin")
    (copied / "model.safetensors").rename(copied / "empty.safetensors")
    index = {"metadata": {}, "weight_map": {"lm_head.weight": shard}}
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    message = refused(copied)
    assert "model.safetensors.index.json" in message
    assert "its own folder" in message


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, {"weight_map": {}, "metadata": {}}])
def test_an_index_without_weights_is_refused(copied, index):
    (copied / "model.safetensors").unlink()
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "names no weights" in refused(copied)


def test_weights_in_several_files_are_read(copied):
    from safetensors.torch import load_file, save_file

    weights = load_file(copied / "model.safetensors")
    names = sorted(weights)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for shard, own in halves.items():
        save_file({name: weights[name] for name in own}, copied / shard, {"format": "pt"})
    (copied / "model.safetensors").unlink()
    index = {
        "metadata": {},
        "weight_map": {name: shard for shard, own in halves.items() for name in own},
    }
    (copied / "model.safetensors.index.json").write_text(json.dumps(index))
    assert load_vlm(str(copied)).hf.dtype == torch.float32


@pytest.mark.parametrize(
    "path",
    [
        ["_attn_implementation"],
        ["attn_implementation"],
        ["text_config", "_attn_implementation"],
        ["vision_config", "attn_implementation"],
        ["vision_config", "_attn_implementation_internal"],
        ["experts_implementation"],
    ],
)
@pytest.mark.parametrize("kernel", ["org/kernel", "org/kernel@main:fn", {"text_config": "a/b"}])
def test_a_configuration_chooses_no_kernel_of_the_hub(copied, path, kernel):
    message = refused(edited(copied, path, kernel))
    assert path[-1] in message
    assert "code from elsewhere" in message


@pytest.mark.parametrize(
    "settings", [{"quant_method": "fp8"}, {"quant_method": "mxfp4"}, {"quant_method": 7}, [], "a"]
)
def test_a_configuration_chooses_no_quantizer_that_fetches_kernels(copied, settings):
    assert "quantization_config" in refused(edited(copied, ["quantization_config"], settings))


def test_a_kernel_of_this_machine_that_a_configuration_names_is_not_used(copied):
    vlm = load_vlm(str(edited(copied, ["text_config", "_attn_implementation"], "flex_attention")))
    assert vlm.hf.get_decoder().config._attn_implementation == "sdpa"


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (["text_config", "num_hidden_layers"], 10**9),
        (["vision_config", "num_hidden_layers"], 10**9),
        (["vision_config", "image_size"], 200_000),
        (["vision_config", "image_size"], 8192),
        (["vision_config", "patch_size"], 0),
        (["vision_config", "hidden_size"], 10**8),
        (["text_config", "intermediate_size"], 10**12),
        (["text_config", "vocab_size"], 10**10),
        (["text_config", "hidden_size"], -4),
        (["text_config", "num_attention_heads"], 10**6),
        (["text_config", "head_dim"], 10**18),
        (["num_labels"], 10**9),
    ],
)
def test_numbers_beyond_all_models_are_refused_before_anything_is_built(copied, path, number):
    assert path[-1].partition("_")[0] in refused(edited(copied, path, number))


@pytest.mark.parametrize(
    ("path", "number"),
    [
        (["text_config", "intermediate_size"], 200_000),
        (["vision_config", "intermediate_size"], 200_000),
    ],
)
def test_weights_that_the_files_cannot_hold_are_not_made_up(copied, path, number):
    message = refused(edited(copied, path, number))
    assert "weights" in message
    assert "bytes" in message


@pytest.mark.parametrize(
    "path",
    [
        *(["text_config"], ["vision_config"], ["model_type"], ["image_token_index"]),
        *(["text_config", "hidden_size"], ["text_config", "max_position_embeddings"]),
        *(["text_config", "num_attention_heads"], ["vision_config", "image_size"]),
        *(["vision_config", "patch_size"], ["vision_feature_layer"], ["architectures"], ["dtype"]),
        *(
            ["vision_feature_select_strategy"],
            ["tie_word_embeddings"],
            ["text_config", "rope_theta"],
        ),
    ],
)
def test_settings_of_another_kind_load_or_end_in_one_line(copied, path):
    whole = (copied / "config.json").read_text()
    for value in OTHERS:
        check_one_line(edited(copied, path, value))
        (copied / "config.json").write_text(whole)


def test_an_adapter_is_refused(copied):
    (copied / "adapter_config.json").write_text('{"base_model_name_or_path": "org/other"}')
    assert "adapter" in refused(copied)


def test_a_configuration_names_no_weights(copied):
    assert "model.safetensors" in refused(
        edited(copied, ["transformers_weights"], "adapter_model.bin")
    )


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("kept", [0, 7, 200, 0.5, 0.99])
def test_a_file_that_breaks_off_is_refused(copied, name, kept):
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(
        content[: kept if isinstance(kept, int) else int(len(content) * kept)]
    )
    refused(copied)


@pytest.mark.parametrize("header", [2**63 - 1, 2**40, 10**8 + 1, 0])
def test_weights_with_an_untrue_header_are_refused(copied, header):
    content = (copied / "model.safetensors").read_bytes()
    (copied / "model.safetensors").write_bytes(header.to_bytes(8, "little") + content[8:])
    refused(copied)


@pytest.mark.slow
def test_damage_anywhere_in_a_tokenizer_ends_in_one_line(copied):
    settings = json.loads((copied / "tokenizer.json").read_text())
    random_ = random.Random(0)
    for key in [*settings, *(f"model.{key}" for key in settings["model"])]:
        for value in (None, [], {}, "a", 10**12, [[1]], {"type": "Sequence"}):
            broken = json.loads(json.dumps(settings))
            inner = broken["model"] if "." in key else broken
            inner[key.rpartition(".")[2]] = value
            if random_.random() < 0.5:
                continue
            (copied / "tokenizer.json").write_text(json.dumps(broken))
            check_one_line(copied)


def test_a_vocabulary_that_counts_beyond_the_model_is_refused(copied):
    settings = json.loads((copied / "tokenizer.json").read_text())
    settings["model"]["vocab"]["a"] = 4_000_000_000
    (copied / "tokenizer.json").write_text(json.dumps(settings))
    assert "vocabulary" in refused(copied)


def test_a_pickle_for_a_tokenizer_is_not_read(copied):
    (copied / "tokenizer.json").unlink()
    torch.save({"a": 1}, copied / "tokenizer.model")
    refused(copied)


def test_settings_of_generation_are_kept_as_far_as_they_concern_answers(copied):
    given = {"eos_token_id": [2, 10**9], "pad_token_id": -1, "repetition_penalty": 1.05}
    more = {
        "num_beams": 10**6,
        "max_time": 1e9,
        "bad_words_ids": [[4], [10**9]],
        "dola_layers": "low",
    }
    (copied / "generation_config.json").write_text(json.dumps({**given, **more}))
    found = load_vlm(str(copied)).hf.generation_config
    assert found.eos_token_id == [2]
    assert found.pad_token_id is None
    assert found.repetition_penalty == 1.05
    assert found.bad_words_ids == [[4]]
    assert found.num_beams in (None, 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", {"height": 200_000, "width": 200_000}),
        ("size", {"shortest_edge": 200_000}),
        ("size", "big"),
        ("size", {"height": "a", "width": None}),
        ("crop_size", {"height": 10**9, "width": 1}),
        ("image_mean", "abc"),
        ("image_std", [0, 0, 0]),
        ("image_mean", [1, 2]),
        ("rescale_factor", "x"),
        ("resample", 99),
    ],
)
def test_preprocessing_beyond_sense_is_refused_when_it_is_loaded(copied, key, value):
    refused(edited(copied, [key], value, "preprocessor_config.json"))


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'a' * 3000000000 }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ messages",
        "a" * 300_000,
    ],
)
def test_a_template_runs_within_bounds(copied, template):
    (copied / "chat_template.jinja").write_text(template)
    vlm = load_vlm(str(copied))
    with pytest.raises(ModelError, match="chat template") as error:
        vlm.prompt([Turn(role="user", text="Hi")])
    assert "\n" not in str(error.value)
    assert str(copied.parent) not in str(error.value)


def test_a_template_that_is_no_text_is_refused(copied):
    (copied / "chat_template.jinja").write_bytes(b"\xff\xfe")
    refused(copied)
    (copied / "chat_template.jinja").unlink()
    (copied / "chat_template.json").write_text('{"chat_template": {"a": 1}}')
    assert "chat template" in refused(copied)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["_attn_implementation"], "org/kernel"),
        (["num_hidden_layers"], 10**9),
        (["image_size"], 200_000),
        (["hidden_size"], "x"),
        (["intermediate_size"], 200_000),
    ],
)
def test_a_tower_alone_is_checked_as_well(tmp_path, path, value):
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
    config = transformers.CLIPVisionConfig(**vision, num_hidden_layers=3, image_size=64)
    transformers.CLIPVisionModel(config).save_pretrained(tmp_path / "clip")
    transformers.CLIPImageProcessorPil().save_pretrained(tmp_path / "clip")
    edited(tmp_path / "clip", path, value)
    encoder = Clip(model=str(tmp_path / "clip"), device="cpu")
    with pytest.raises(ModelError) as error:
        encoder.encode(random_frames(1, (64, 64)))
    assert "\n" not in str(error.value)
    assert str(tmp_path) not in str(error.value)


def test_a_tokenizer_whose_replacements_multiply_is_refused(copied):
    doubled = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    settings = json.loads((copied / "tokenizer.json").read_text())
    settings["normalizer"] = {"type": "Sequence", "normalizers": [doubled] * 30}
    (copied / "tokenizer.json").write_text(json.dumps(settings))
    assert "letters of one" in refused(copied)


def test_a_tokenizer_that_adds_pieces_without_end_is_refused(copied):
    settings = json.loads((copied / "tokenizer.json").read_text())
    mark = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    settings["post_processor"]["single"] = [mark] * 100_000
    (copied / "tokenizer.json").write_text(json.dumps(settings))
    assert "pieces around a text" in refused(copied)


def test_a_pattern_that_a_tokenizer_gives_up_on_is_one_line(copied):
    settings = json.loads((copied / "tokenizer.json").read_text())
    settings["pre_tokenizer"]["pattern"] = {"Regex": "(a+)+$"}
    (copied / "tokenizer.json").write_text(json.dumps(settings))
    vlm = load_vlm(str(copied))
    with pytest.raises(ModelError, match="cannot read text") as error:
        vlm.prompt([Turn(role="user", text="a" * 200 + "!")])
    assert "\n" not in str(error.value)


def test_a_checkpoint_in_the_cache_of_the_hub_is_checked_as_well(copied, tmp_path, monkeypatch):
    cached = tmp_path / "hub" / "models--org--cached"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc")
    edited(copied, ["text_config", "_attn_implementation"], "org/kernel")
    shutil.copytree(copied, cached / "snapshots" / "abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ModelError, match="code from elsewhere"):
        load_vlm("org/cached")


def test_a_tower_that_cannot_run_as_it_is_told_is_one_line(copied):
    vlm = load_vlm(str(edited(copied, ["vision_feature_layer"], -2)))
    vlm.config.vision_feature_layer = 99
    with pytest.raises(ModelError, match="cannot run") as error:
        vlm.encoder.encode(random_frames(1, (32, 32)))
    assert "\n" not in str(error.value)
