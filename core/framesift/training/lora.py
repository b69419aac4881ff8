"""Low-rank adapters for an LLM, which are merged into its weights when they have learned."""

from __future__ import annotations

import warnings
from typing import Any, Final

import torch

from framesift.registry import require
from framesift.training.staged_recipe import StagedRecipe

ADAPTED: Final = (
    *("q_proj", "k_proj", "v_proj", "o_proj"),
    *("gate_proj", "up_proj", "down_proj"),
)


def adapted(llm: Any, recipe: StagedRecipe) -> Any:
    """Returns an LLM with adapters of which only these learn; it begins with the same outputs."""
    peft = require("peft", extra="train")
    adapters = peft.LoraConfig(
        r=recipe.lora_rank,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(ADAPTED),
    )
    with warnings.catch_warnings():
        # Whether a stage before was run just now or earlier, the adapters begin the same.
        torch.manual_seed(recipe.seed + 1)
        # peft reads names of transformers that are to be renamed.
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(llm, adapters)


def merged(llm: Any) -> Any:
    """Returns an LLM with what its adapters have learned in its own weights."""
    return llm.merge_and_unload() if hasattr(llm, "merge_and_unload") else llm
