"""Checkpoints of vision LLMs: safetensors only, whole, and no code that the user did not allow."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import torch

from framesift.errors import InvalidOptionError, MissingDependencyError, ModelError
from framesift.hf._pixel_settings import check_pixel_settings
from framesift.hf.checkpoint_files import called, read_object
from framesift.hf.checkpoint_reading import cached_first, cached_path, in_one_line, lacks, reach_hub
from framesift.hf.generation_settings import plain_settings
from framesift.hf.quantization import quantization
from framesift.hf.tower_checkpoint import SETTINGS, check_size, load_complete, placed, weights_on
from framesift.registry import require

TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json")
"""Files of which a tokenizer needs at least one."""
PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt")
LISTED: Final = 8
"""Special tokens that a message names at most."""
MARKS: Final = tuple(
    f"{kind}_{end}_token_id" for kind in ("vision", "image", "video") for end in ("start", "end")
)
"""What stands around pictures, in the configurations that name it."""
NUMBERS: Final = ("hidden_size", "vocab_size", "max_position_embeddings", "num_hidden_layers")
"""What every LLM says of itself."""
SPREAD: Final = "auto"
"""The device that stands for all GPUs together."""
FLASH: Final = "flash_attention_2"


def model_type(model: str, trust_remote_code: bool = False) -> str:
    """Returns which family the config.json of a checkpoint names.

    Raises:
        ModelError: no such checkpoint, or it does not say.
    """
    read = require("transformers", extra="hf").PreTrainedConfig.get_config_dict
    name = cached_first(read, model, trusted=trust_remote_code)[0].get("model_type")
    if not isinstance(name, str):
        raise ModelError(
            f"{called(model)!r} has no config.json that names a model_type; pass the folder that "
            "save_pretrained wrote, or a hub id"
        )
    return name


def load_config(model: str, allowed: frozenset[str], trust_remote_code: bool) -> Any:
    """Returns the configuration of a checkpoint, whose `model_type` is one of `allowed`.

    Raises:
        ModelError: no such checkpoint, or one of another family.
    """
    if (type_name := model_type(model, trust_remote_code)) not in allowed:
        raise ModelError(
            f"{called(model)!r} is a model of type {type_name!r}; this family reads "
            f"{' or '.join(sorted(allowed))}; let framesift.load_vlm pick the family"
        )
    config = _read("AutoConfig", model, trust_remote_code)
    text = config.get_text_config()
    for name in NUMBERS:
        if type(number := getattr(text, name, None)) is not int or number < 1:
            raise ModelError(
                f"config.json of {called(model)!r} gives its LLM {name}={number!r}, which must be "
                "a whole number above 0; take the file that came with the model"
            )
    return config


def load_model(
    model: str,
    allowed: frozenset[str],
    *,
    device: str | None,
    dtype: str,
    quantize: str | None,
    trust_remote_code: bool,
    attention: str = "sdpa",
) -> Any:
    """Returns the whole model in evaluation mode, every weight of it from the checkpoint.

    Args:
        model: local folder or hub id.
        allowed: values of `model_type` that are read.
        device: where it goes; `"auto"` spreads it over the GPUs, None takes one.
        dtype: what it computes in.
        quantize: weights of the LLM in fewer bits, `"8bit"` or `"4bit"`.
        trust_remote_code: whether Python code that comes with the checkpoint may run.
        attention: the attention function of transformers that it computes by.

    Raises:
        ModelError: no such checkpoint, of another family, pickled, or not every weight.
        MissingDependencyError: the package that quantizes is not installed.
    """
    config = load_config(model, allowed, trust_remote_code)
    _refuse_pickles(model)
    kind = require("transformers", extra="hf").AutoModelForImageTextToText
    check_size(
        model,
        lambda: kind.from_config(
            deepcopy(config), attn_implementation="eager", trust_remote_code=trust_remote_code
        ),
    )
    where, computing = main_place(device, dtype)
    on_gpu = torch.device(where).type != "cpu"
    check_attention(attention, torch.device(where).type, dtype)
    options: dict[str, Any] = {
        "dtype": "auto" if dtype == "auto" and on_gpu else computing,
        "trust_remote_code": trust_remote_code,
        "attn_implementation": attention,
    }
    if quantize is not None:
        options["quantization_config"] = quantization(quantize, torch.device(where).type)
    if quantize is not None or device == SPREAD:
        options["device_map"] = SPREAD if device == SPREAD else {"": where}
    with weights_on(where, model):
        loaded = load_complete(kind, model, trusted=trust_remote_code, **options)
        loaded = loaded if "device_map" in options else loaded.to(where)
    _check_places(model, loaded, on_gpu)
    rows = config.get_text_config().vocab_size
    loaded.generation_config = plain_settings(loaded.generation_config, rows)
    return loaded.eval()


def main_place(device: str | None, dtype: str) -> tuple[str, torch.dtype]:
    """Returns the device that a model takes its inputs on, and what it computes in.

    Raises:
        InvalidOptionError: not a device, or a GPU that this machine lacks.
    """
    return placed(None if device == SPREAD else device, dtype)


def check_attention(attention: str, kind: str, dtype: str) -> None:
    """Refuses an attention function that cannot run.

    Raises:
        InvalidOptionError: it has no kernel for the device or the dtype.
        MissingDependencyError: its package is not installed.
    """
    if attention != FLASH:
        return
    if kind != "cuda" or dtype == "float32":
        raise InvalidOptionError(
            f"attention={attention!r} works on 'cuda' in float16 or bfloat16, not on {kind!r} in "
            f"{dtype}; take 'sdpa'"
        )
    if not require("transformers", extra="hf").utils.is_flash_attn_2_available():
        raise MissingDependencyError(
            f"attention={attention!r} needs 'flash-attn', which is not installed; run: "
            "pip install flash-attn; or take 'sdpa'"
        )


def _check_places(model: str, loaded: Any, on_gpu: bool) -> None:
    """Raises where parts of a model would wait in memory beside the GPUs between its passes."""
    places = {str(place) for place in (getattr(loaded, "hf_device_map", None) or {}).values()}
    if on_gpu and places & {"cpu", "disk"}:
        raise ModelError(
            f"the GPUs have no memory for all weights of {called(model)!r}, and framesift runs no "
            "model of which a part waits elsewhere; load it with quantize='4bit', or take a "
            "smaller one"
        )


def load_tokenizer(model: str, trust_remote_code: bool) -> Any:
    """Returns the tokenizer of a checkpoint.

    Raises:
        ModelError: it has none.
    """
    if lacks(model, TOKENIZERS):
        raise ModelError(
            f"{called(model)!r} has no tokenizer; add tokenizer.json and tokenizer_config.json of "
            "the model to its folder"
        )
    tokenizer = _read("AutoTokenizer", model, trust_remote_code)
    if not tokenizer.is_fast:
        raise ModelError(
            f"{called(model)!r} has a tokenizer without tokenizer.json, which does not say where "
            "its tokens stand in a text; pass a checkpoint with tokenizer.json"
        )
    return tokenizer


def check_vocabulary(model: str, config: Any, tokenizer: Any, visual_ids: Sequence[int]) -> None:
    """Raises where tokenizer and model do not agree about the visual tokens.

    Raises:
        ModelError: the tokenizer lacks one, or the model has no row for it.
    """
    for visual_id in visual_ids:
        _check_visual(model, config, tokenizer, visual_id)
    added = tokenizer.added_tokens_decoder
    for name in MARKS:
        if (mark := getattr(config, name, visual_ids[0])) not in added:
            raise ModelError(
                f"config.json of {called(model)!r} has {name}={str(mark)[:40]}, and its tokenizer "
                "has no special token of that number; pass a checkpoint whose files belong together"
            )


def _check_visual(model: str, config: Any, tokenizer: Any, visual_id: Any) -> None:
    rows = config.get_text_config().vocab_size
    with in_one_line(model):
        count = max(len(tokenizer), max(tokenizer.get_vocab().values(), default=0) + 1)
    if type(visual_id) is not int or max(visual_id + 1, count) > rows:
        raise ModelError(
            f"{called(model)!r} has a vocabulary of {rows}, its tokenizer {count} tokens "
            f"and its visual token the number {visual_id}; pass a checkpoint whose files belong "
            "together"
        )
    added = tokenizer.added_tokens_decoder
    if visual_id not in added:
        some = ", ".join(f"{number} {token}" for number, token in list(added.items())[:LISTED])
        raise ModelError(
            f"{called(model)!r} names {visual_id} as its visual token, and its tokenizer has no "
            f"special token of that number (it has {some or 'none'}); pass a checkpoint with the "
            "tokenizer that belongs to it"
        )


def load_image_processor(model: str, trust_remote_code: bool) -> Any:
    """Returns the preprocessing of a checkpoint's pictures that transformers itself would take.

    It is that of torchvision where this is installed, else that of pillow; they differ by a level
    or two of 255 in about one pixel of a hundred.

    Raises:
        ModelError: the checkpoint does not say how pictures are prepared.
    """
    if lacks(model, SETTINGS):
        raise ModelError(
            f"{called(model)!r} has no {' and no '.join(SETTINGS)}, so it is unknown how its "
            "pictures are prepared; add the processor files of the model to its folder"
        )
    processor = _read("AutoImageProcessor", model, trust_remote_code, backend=_picture_backend())
    check_pixel_settings(model, processor.to_dict())
    return processor


@cache
def _picture_backend() -> str:
    """Returns by what transformers prepares pictures here."""
    try:
        import_module("torchvision")
    except (ImportError, RuntimeError):  # A build for another torch raises the second one.
        return "pil"
    return "torchvision"


def _read(kind: str, model: str, trust_remote_code: bool, **options: Any) -> Any:
    """Returns what an `Auto` class of transformers reads of a checkpoint."""
    read = getattr(require("transformers", extra="hf"), kind).from_pretrained
    options["trust_remote_code"] = trust_remote_code
    return cached_first(read, model, trusted=trust_remote_code, **options)


def load_json(model: str, name: str) -> dict[str, Any]:
    """Returns what a JSON file of a checkpoint holds, an empty dict if there is no such file.

    Raises:
        ModelError: the file is damaged.
    """
    path = find(model, name)
    return {} if path is None else read_object(model, path)


def find(model: str, name: str) -> Path | None:
    """Returns a file of a checkpoint, None where it has none or the hub is out of reach."""
    path = cached_path(model, name, local_files_only=True)
    if path is None and not Path(model).is_dir():
        try:
            reach_hub(model)
        except ModelError:
            return None
        path = cached_path(model, name)
    return path


def _refuse_pickles(model: str) -> None:
    folder = Path(model)
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"{called(model)!r} holds pickled weights only ({pickles[0]}), which can run any code "
            "when they are read; save the model again with safe_serialization, as model.safetensors"
        )
