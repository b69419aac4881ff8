"""Weights of an LLM in fewer bits, while the vision side keeps all of its own."""

from __future__ import annotations

from typing import Any, Final

import torch

from framesift.errors import InvalidOptionError, MissingDependencyError
from framesift.registry import require

WHOLE: Final = (
    r"(?:.*\.)?(?:vision_tower|vision_model|visual|(?:multi_modal_)?projector|connector|merger|"
    r"embed_vision)",
    "lm_head",
)
"""Names of the modules that keep their weights as they are when the LLM is quantized."""
GROUP: Final = 32
"""Weights that share a scale where they have 4 bits."""
QUANTIZERS: Final = {"cuda": "bitsandbytes", "cpu": "torchao"}


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
