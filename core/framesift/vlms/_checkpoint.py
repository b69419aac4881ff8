"""Checkpoints of vision LLMs: safetensors only, whole, and no code that the user did not allow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from framesift.encoders._checkpoint import (
    SETTINGS,
    cached_first,
    lacks,
    placed,
    quiet,
    reach_hub,
)
from framesift.errors import InvalidOptionError, MissingDependencyError, ModelError
from framesift.registry import require

TEMPLATES: Final = ("chat_template.jinja", "chat_template.json", "processor_config.json")
"""Files that may hold the chat template of a processor, which goes before the tokenizer's."""
TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json")
"""Files of which a tokenizer needs at least one."""
PICKLES: Final = ("*.bin", "*.pt", "*.pth", "*.ckpt")
WHOLE: Final = (
    r"(?:.*\.)?(?:vision_tower|vision_model|visual|multi_modal_projector|connector)",
    "lm_head",
)
"""Names of the modules that keep their weights as they are when the LLM is quantized."""
GROUP: Final = 32
"""Weights that share a scale where they have 4 bits."""
LISTED: Final = 8
"""Special tokens that a message names at most."""
QUANTIZERS: Final = {"cuda": "bitsandbytes", "cpu": "torchao"}


def model_type(model: str) -> str:
    """Returns which family the config.json of a checkpoint names.

    Raises:
        ModelError: no such checkpoint, or it does not say.
    """
    read = require("transformers", extra="hf").PreTrainedConfig.get_config_dict
    name: str | None = cached_first(read, model)[0].get("model_type")
    if name is None:
        raise ModelError(
            f"{model!r} has no config.json that names a model_type; pass the folder that "
            "save_pretrained wrote, or a hub id"
        )
    return name


def load_config(model: str, allowed: frozenset[str], trust_remote_code: bool) -> Any:
    """Returns the configuration of a checkpoint, whose `model_type` is one of `allowed`.

    Raises:
        ModelError: no such checkpoint, or one of another family.
    """
    if (found := model_type(model)) not in allowed:
        raise ModelError(
            f"{model!r} is a model of type {found!r}; this family reads "
            f"{' or '.join(sorted(allowed))}; let framesift.load_vlm({model!r}) pick the family"
        )
    read = require("transformers", extra="hf").AutoConfig.from_pretrained
    return cached_first(read, model, trust_remote_code=trust_remote_code)


def load_model(
    model: str,
    allowed: frozenset[str],
    *,
    device: str | None,
    dtype: str,
    quantize: str | None,
    trust_remote_code: bool,
) -> Any:
    """Returns the whole model in evaluation mode, every weight of it from the checkpoint.

    Raises:
        ModelError: no such checkpoint, of another family, pickled, or not every weight.
        MissingDependencyError: the package that quantizes is not installed.
    """
    load_config(model, allowed, trust_remote_code)
    _refuse_pickles(model)
    where, computing = placed(device, dtype)
    on_gpu = torch.device(where).type != "cpu"
    options: dict[str, Any] = {
        "dtype": "auto" if dtype == "auto" and on_gpu else computing,
        "use_safetensors": True,
        # A wrong size would end in an error that does not name the weight.
        "ignore_mismatched_sizes": True,
        "attn_implementation": "sdpa",
        "trust_remote_code": trust_remote_code,
        "output_loading_info": True,
    }
    if quantize is not None:
        options |= {
            "quantization_config": quantization(quantize, torch.device(where).type),
            "device_map": {"": where},
        }
    read = require("transformers", extra="hf").AutoModelForImageTextToText.from_pretrained
    with quiet():
        loaded, info = cached_first(read, model, **options)
    unfit = sorted([*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])])
    if unfit:
        raise ModelError(
            f"{model!r} has {len(unfit)} weights missing or of another size, such as {unfit[0]!r}; "
            "its config.json asks for them; pass a complete checkpoint"
        )
    return (loaded if quantize is not None else loaded.to(where)).eval()


def load_tokenizer(model: str, trust_remote_code: bool) -> Any:
    """Returns the tokenizer of a checkpoint.

    Raises:
        ModelError: it has none.
    """
    read = require("transformers", extra="hf").AutoTokenizer.from_pretrained
    if lacks(model, TOKENIZERS):
        raise ModelError(
            f"{model!r} has no tokenizer; add tokenizer.json and tokenizer_config.json of the "
            "model to its folder"
        )
    tokenizer = cached_first(read, model, trust_remote_code=trust_remote_code)
    if not tokenizer.is_fast:
        raise ModelError(
            f"{model!r} has a tokenizer without tokenizer.json, which does not say where its "
            "tokens stand in a text; pass a checkpoint with tokenizer.json"
        )
    return tokenizer


def check_vocabulary(model: str, config: Any, tokenizer: Any, visual_id: int) -> None:
    """Raises where tokenizer and model do not agree about the visual token.

    Raises:
        ModelError: the tokenizer lacks it, or the model has no row for it.
    """
    rows = config.get_text_config().vocab_size
    if max(visual_id + 1, len(tokenizer)) > rows:
        raise ModelError(
            f"{model!r} has a vocabulary of {rows}, its tokenizer {len(tokenizer)} tokens and its "
            f"visual token the number {visual_id}; pass a checkpoint whose files belong together"
        )
    added = tokenizer.added_tokens_decoder
    if visual_id not in added:
        some = ", ".join(f"{number} {token}" for number, token in list(added.items())[:LISTED])
        raise ModelError(
            f"{model!r} names {visual_id} as its visual token, and its tokenizer has no special "
            f"token of that number (it has {some or 'none'}); pass a checkpoint with the tokenizer "
            "that belongs to it"
        )


def load_image_processor(model: str, trust_remote_code: bool) -> Any:
    """Returns the preprocessing of a checkpoint's pictures, by pillow and numpy.

    Raises:
        ModelError: the checkpoint does not say how pictures are prepared.
    """
    if lacks(model, SETTINGS):
        raise ModelError(
            f"{model!r} has no {' and no '.join(SETTINGS)}, so that nobody knows how its pictures "
            "are prepared; add the processor files of the model to its folder"
        )
    read = require("transformers", extra="hf").AutoImageProcessor.from_pretrained
    return cached_first(read, model, backend="pil", trust_remote_code=trust_remote_code)


def load_json(model: str, name: str) -> dict[str, Any]:
    """Returns what a JSON file of a checkpoint says, nothing where there is no such file.

    Raises:
        ModelError: the file is damaged.
    """
    try:
        found: dict[str, Any] = json.loads(_read(model, name) or "{}")
    except ValueError as error:
        raise ModelError(
            f"{name} of {model!r} is not JSON ({error}); take the file that came with the model"
        ) from error
    return found


def load_chat_template(model: str, tokenizer: Any) -> str:
    """Returns the chat template of a checkpoint, the processor's before the tokenizer's.

    Raises:
        ModelError: it has none.
    """
    for name in TEMPLATES:
        if name.endswith(".jinja"):
            template = _read(model, name)
        else:
            template = load_json(model, name).get("chat_template")
        if template:
            return template
    own = tokenizer.chat_template
    if not own:
        raise ModelError(
            f"{model!r} has no chat template, so that nobody knows where its pictures stand; add "
            "chat_template.jinja or pass an instruction-tuned checkpoint"
        )
    return str(own["default"] if isinstance(own, Mapping) else own)


def render(model: str, tokenizer: Any, template: str, messages: Sequence[dict[str, Any]]) -> str:
    """Returns the text of a conversation, up to where the answer starts.

    Raises:
        ModelError: the template refuses the conversation.
    """
    errors = require("jinja2", extra="hf").exceptions
    try:
        text: str = tokenizer.apply_chat_template(
            messages, chat_template=template, tokenize=False, add_generation_prompt=True
        )
    except (errors.TemplateError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ModelError(
            f"the chat template of {model!r} does not take this conversation ({reason}); let the "
            "user speak first and last, in turn with the assistant, or correct the template"
        ) from error
    return text


def _read(model: str, name: str) -> str | None:
    find = partial(
        require("transformers.utils", extra="hf").cached_file,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    path = find(model, name, local_files_only=True)
    if path is None and not Path(model).is_dir():
        try:
            reach_hub(model)
        except ModelError:
            return None
        path = find(model, name)
    return None if path is None else Path(path).read_text(encoding="utf-8")


def _refuse_pickles(model: str) -> None:
    folder = Path(model)
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles:
        raise ModelError(
            f"{model!r} holds pickled weights only ({pickles[0]}), which can run any code when "
            "they are read; save the model again with safe_serialization, as model.safetensors"
        )


def quantization(bits: str, kind: str) -> Any:
    """Returns what has transformers load the LLM in fewer bits; the vision side stays whole."""
    package = QUANTIZERS.get(kind)
    if package is None:
        raise InvalidOptionError(
            f"quantize={bits!r} works on 'cuda' and 'cpu', not on {kind!r}; leave it out"
        )
    try:
        require(package, extra="hf")
    except MissingDependencyError as error:
        raise MissingDependencyError(
            f"quantize={bits!r} on {kind!r} needs {package!r}, which is not installed; run: "
            f"pip install {package}"
        ) from error
    transformers = require("transformers", extra="hf")
    if kind == "cuda":
        return transformers.BitsAndBytesConfig(
            load_in_8bit=bits == "8bit",
            load_in_4bit=bits == "4bit",
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=list(WHOLE),
        )
    ways = require("torchao.quantization", extra="hf")
    if bits == "8bit":
        way = ways.Int8WeightOnlyConfig()
    else:
        groups = require("torchao.quantization.granularity", extra="hf").PerGroup(GROUP)
        kind_of_weight = getattr(torch, "int4")  # noqa: B009
        way = ways.IntxWeightOnlyConfig(weight_dtype=kind_of_weight, granularity=groups)
    return transformers.TorchAoConfig(way, modules_to_not_convert=list(WHOLE))
