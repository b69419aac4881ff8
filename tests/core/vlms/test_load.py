import json
import shutil

import pytest
import torch

transformers = pytest.importorskip("transformers")

from huggingface_hub.errors import HTTPError  # noqa: E402

import framesift  # noqa: E402
from framesift.errors import (  # noqa: E402
    InvalidOptionError,
    MissingDependencyError,
    ModelError,
    UnknownNameError,
)
from framesift.hf import quantization  # noqa: E402
from framesift.hf.checkpoint_reading import reach_hub  # noqa: E402
from framesift.hf.tower_checkpoint import placed  # noqa: E402
from framesift.testing import TINY_VLMS  # noqa: E402
from framesift.vlms.llava import Llava  # noqa: E402
from framesift.vlms.load import load_vlm  # noqa: E402


@pytest.fixture(autouse=True)
def nothing_known_of_the_hub():
    reach_hub.cache_clear()


@pytest.fixture(scope="session")
def llava_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load_llava")
    TINY_VLMS["llava"].build(folder)
    return folder


@pytest.fixture
def copied(llava_folder, tmp_path):
    return shutil.copytree(llava_folder, tmp_path / "copied")


@pytest.fixture
def no_network(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(model, kind=ModelError, **options):
    with pytest.raises(kind) as error:
        load_vlm(str(model), **options)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_a_folder_is_loaded_whole_by_the_family_that_its_config_names(llava_folder):
    vlm = load_vlm(str(llava_folder))
    assert type(vlm) is Llava
    assert {"hf", "tokenizer", "chat_template", "image_processor"} <= vars(vlm).keys()
    assert not vlm.hf.training
    assert vlm.hf.dtype == torch.float32
    assert vlm.context_tokens == 512


def test_a_registered_name_takes_its_folder_as_an_option(llava_folder):
    spec = f"llava:model={llava_folder},dtype=bfloat16"
    vlm = load_vlm(spec)
    assert (vlm.model, vlm.dtype) == (str(llava_folder), "bfloat16")
    assert vlm.spec == spec
    assert load_vlm(spec, dtype="float32").dtype == "float32"


def test_it_is_public(llava_folder):
    assert framesift.load_vlm is load_vlm
    assert "llava" in framesift.vlms()


def test_an_unknown_name_lists_what_there_is():
    message = refused("lava", UnknownNameError)
    assert "'lava'" in message
    assert "llava" in message
    assert "local folder" in message


def test_a_hub_id_out_of_reach_says_what_to_pass_instead(no_network):
    message = refused("llava-hf/no-such-model")
    assert "'llava-hf/no-such-model'" in message
    assert "local folder" in message


@pytest.fixture
def asked_of_the_hub(monkeypatch):
    """What was asked, by a hub that nobody can reach."""
    asked = []

    def out_of_reach(url, **options):
        asked.append((url, options))
        raise HTTPError("Name or service not known")

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", out_of_reach)
    return asked


def test_a_hub_out_of_reach_is_asked_once_and_not_for_long(asked_of_the_hub):
    message = refused("llava-hf/no-such-model")
    assert "out of reach (Name or service not known)" in message
    assert "pass a local folder" in message
    ((url, options),) = asked_of_the_hub
    assert url.endswith("llava-hf/no-such-model/resolve/main/config.json")
    assert options["timeout"] <= 5


@pytest.mark.slow
def test_a_checkpoint_in_the_cache_needs_no_hub(
    llava_folder, tmp_path, monkeypatch, asked_of_the_hub
):
    cached = tmp_path / "models--llava-hf--cached"
    shutil.copytree(llava_folder, cached / "snapshots" / "abc")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        (cached / "snapshots" / "abc" / name).rename(tmp_path / name)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    template = (tmp_path / "chat_template.jinja").read_text()
    (cached / "snapshots" / "abc" / "tokenizer_config.json").write_text(
        json.dumps(settings | {"chat_template": template})
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    vlm = load_vlm("llava-hf/cached")
    assert vlm.chat_template == template
    assert {url.rpartition("/")[2] for url, _ in asked_of_the_hub} == {"config.json"}


@pytest.mark.parametrize(
    "name", ["/no/such/folder", "models/of/mine", "./model", "a/b/config.json"]
)
def test_a_folder_that_is_missing_is_named(name):
    message = refused(name)
    assert message.startswith(f"{name!r} is neither a folder on this machine nor a hub id")


def test_an_unsupported_family_names_those_that_are(copied):
    edit_json(copied / "config.json", model_type="blip_2")
    message = refused(copied)
    assert "'blip_2'" in message
    for name in ("llava", "llava_next_video", "llava_onevision"):
        assert name in message


def test_a_family_does_not_read_another(copied):
    edit_json(copied / "config.json", model_type="llava_onevision")
    message = refused(f"llava:model={copied}")
    assert "'llava_onevision'" in message
    assert "load_vlm" in message


def test_a_folder_without_a_config_is_refused(copied):
    (copied / "config.json").unlink()
    assert "config.json" in refused(copied)


def test_a_configuration_that_contradicts_itself_is_refused(copied):
    config = json.loads((copied / "config.json").read_text())
    config["text_config"]["hidden_size"] += 1
    (copied / "config.json").write_text(json.dumps(config))
    assert "not a multiple of the number of attention heads" in refused(copied)


def test_a_damaged_file_of_the_processor_is_named(copied):
    (copied / "chat_template.jinja").unlink()
    (copied / "chat_template.json").write_text("{")
    message = refused(copied)
    assert message.startswith("chat_template.json of ")
    assert "not JSON" in message


def test_a_folder_without_preprocessing_is_refused(copied):
    (copied / "preprocessor_config.json").unlink()
    message = refused(copied)
    assert "has no preprocessor_config.json" in message
    assert "add the processor files" in message


def test_a_folder_without_a_tokenizer_is_refused(copied):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copied / name).unlink()
    assert "tokenizer" in refused(copied)


def test_a_tokenizer_without_the_visual_token_is_refused(copied):
    edit_json(copied / "config.json", image_token_index=50)
    message = refused(copied)
    assert "50" in message
    assert "<image>" in message


def test_a_visual_token_beyond_the_vocabulary_is_refused(copied):
    edit_json(copied / "config.json", image_token_index=32000)
    message = refused(copied)
    assert "32000" in message
    assert "vocabulary" in message


def test_a_tokenizer_larger_than_the_model_is_refused(copied):
    tokenizer = transformers.AutoTokenizer.from_pretrained(copied)
    tokenizer.add_tokens([f"<more{i}>" for i in range(40)], special_tokens=True)
    tokenizer.save_pretrained(copied)
    assert "vocabulary" in refused(copied)


def test_a_folder_without_a_chat_template_is_refused(copied):
    (copied / "chat_template.jinja").unlink()
    assert "chat_template.jinja" in refused(copied)
    (copied / "chat_template.jinja").write_text("")
    assert "has no chat template" in refused(copied)


def test_an_old_chat_template_in_json_is_read_before_that_of_the_tokenizer(copied):
    template = (copied / "chat_template.jinja").read_text()
    (copied / "chat_template.jinja").unlink()
    (copied / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    edit_json(copied / "tokenizer_config.json", chat_template="text only")
    assert load_vlm(str(copied)).chat_template == template


def test_pickled_weights_are_refused_and_it_is_said_why(copied, llava_folder):
    (copied / "model.safetensors").unlink()
    state = load_vlm(str(llava_folder)).hf.state_dict()
    torch.save(state, copied / "pytorch_model.bin")
    message = refused(copied)
    assert "pytorch_model.bin" in message
    assert "run any code" in message


def test_a_folder_without_weights_is_refused(copied):
    (copied / "model.safetensors").unlink()
    assert "safetensors" in refused(copied)


def test_damaged_weights_are_refused(copied):
    (copied / "model.safetensors").write_bytes(b"not a tensor")
    assert "cannot load" in refused(copied)


def test_missing_weights_are_not_made_up(copied):
    config = json.loads((copied / "config.json").read_text())
    config["text_config"]["num_hidden_layers"] = 3
    (copied / "config.json").write_text(json.dumps(config))
    message = refused(copied)
    assert "weights missing" in message
    assert "layers.2" in message


def test_code_of_a_checkpoint_runs_only_where_it_is_allowed(copied):
    (copied / "evil.py").write_text("raise SystemExit('it ran')\n")
    edit_json(copied / "config.json", auto_map={"AutoConfig": "evil.Config"})
    assert type(load_vlm(str(copied)).hf).__module__.startswith("transformers.")


@pytest.mark.parametrize(("device", "package"), [("cpu", "torchao"), ("cuda", "bitsandbytes")])
def test_quantizing_without_its_package_says_how_to_install_it(device, package, monkeypatch):
    def missing(module, *, extra):
        raise MissingDependencyError(module)

    monkeypatch.setattr(quantization, "require", missing)
    with pytest.raises(MissingDependencyError, match=f"pip install {package}") as error:
        quantization.quantization("8bit", device)
    assert "\n" not in str(error.value)


def test_quantizing_elsewhere_is_refused():
    with pytest.raises(InvalidOptionError, match="'cuda' and 'cpu'"):
        quantization.quantization("4bit", "mps")


def test_a_gpu_that_is_not_there_is_refused(llava_folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "there is none" in refused(llava_folder, InvalidOptionError, device="cuda")


@pytest.mark.parametrize(
    ("there", "device"), [(("cuda", "mps"), "cuda"), (("mps",), "mps"), ((), "cpu")]
)
def test_the_best_device_of_the_machine_is_chosen(monkeypatch, there, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)
    computing = torch.float32 if device == "cpu" else torch.float16
    assert placed(None, "auto") == (device, computing)
    for gpu in ("cuda", "mps"):
        if gpu in there:
            assert placed(gpu, "float32") == (gpu, torch.float32)
            continue
        with pytest.raises(InvalidOptionError, match=f"device='{gpu}' needs a GPU") as error:
            placed(gpu, "auto")
        assert "\n" not in str(error.value)


def test_weights_that_find_no_memory_are_one_line(copied, monkeypatch):
    def no_room(self, *given, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 14.00 GiB")

    monkeypatch.setattr(transformers.PreTrainedModel, "to", no_room)
    assert "cpu has no memory for the weights of" in refused(copied, device="cpu")
