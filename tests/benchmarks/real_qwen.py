"""Configurations of published Qwen-VL models, their LLMs as deep as two layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from framesift.evaluation.gpu.models import QWEN2_7B, qwen_config
from framesift.registry import require

DEPTH: Final = 2
"""Layers of the LLM; the published ones have 28 to 48."""
TOWER: Final = {
    "depth": 27,
    "hidden_size": 1152,
    "num_heads": 16,
    "intermediate_size": 4304,
    "num_position_embeddings": 2304,
}
"""The vision tower since Qwen3-VL."""
DEEPSTACK: Final = {"deepstack_visual_indexes": [8, 16, 24]}
QWEN3_ROPE: Final = {
    "rope_type": "default",
    "rope_theta": 5e6,
    "mrope_section": [24, 20, 20],
    "mrope_interleaved": True,
}
QWEN3: Final = {
    "vocab_size": 151936,
    "head_dim": 128,
    "num_attention_heads": 32,
    "rope_parameters": QWEN3_ROPE,
}
QWEN3_8B: Final = {
    **QWEN3,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_key_value_heads": 8,
}
QWEN3_30B: Final = {
    **QWEN3,
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_key_value_heads": 4,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 768,
}
QWEN35: Final = {
    "layer_types": ["linear_attention", "full_attention"],
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 1e7,
        "mrope_section": [11, 11, 10],
        "mrope_interleaved": True,
        "partial_rotary_factor": 0.25,
    },
}
"""What is left of four layers in turn, of which one attends. Widths are the class's own: those of
9B, and of 35B with experts."""


def _config(
    ids: Mapping[str, int], *, family: str, vision: Mapping[str, Any], llm: Mapping[str, Any]
) -> Any:
    """Returns the configuration of a family of transformers.

    Args:
        ids: numbers of the special tokens.
        family: what the names of its classes begin with.
        vision: shape of the vision tower.
        llm: shape of the LLM, but for its depth.
    """
    return getattr(require("transformers", extra="hf"), f"{family}Config")(
        vision_config=dict(vision),
        text_config={
            **llm,
            "num_hidden_layers": DEPTH,
            "rope_parameters": dict(llm["rope_parameters"]),
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )


QWEN: Final[dict[str, tuple[str, int, Callable[[Mapping[str, int]], Any]]]] = {
    "qwen2-vl": (
        "Qwen2-VL-7B",
        14,
        partial(
            _config,
            family="Qwen2VL",
            vision={"depth": 32, "embed_dim": 1280, "hidden_size": 3584},
            llm={
                **QWEN2_7B,
                "vocab_size": 152064,
                "rope_parameters": {
                    "rope_type": "default",
                    "rope_theta": 1e6,
                    "mrope_section": [16, 24, 24],
                },
            },
        ),
    ),
    "qwen2-5-vl": (
        "Qwen2.5-VL-7B",
        14,
        partial(qwen_config, llm={**QWEN2_7B, "num_hidden_layers": DEPTH}),
    ),
    "qwen3-vl": (
        "Qwen3-VL-8B",
        16,
        partial(
            _config,
            family="Qwen3VL",
            vision={**TOWER, **DEEPSTACK, "out_hidden_size": 4096},
            llm=QWEN3_8B,
        ),
    ),
    "qwen3-vl-moe": (
        "Qwen3-VL-30B-A3B",
        16,
        partial(
            _config,
            family="Qwen3VLMoe",
            vision={**TOWER, **DEEPSTACK, "out_hidden_size": 2048},
            llm=QWEN3_30B,
        ),
    ),
    "qwen3-5": (
        "Qwen3.5-9B",
        16,
        partial(_config, family="Qwen3_5", vision={**TOWER, "out_hidden_size": 4096}, llm=QWEN35),
    ),
    "qwen3-5-moe": (
        "Qwen3.5-35B-A3B",
        16,
        partial(
            _config, family="Qwen3_5Moe", vision={**TOWER, "out_hidden_size": 2048}, llm=QWEN35
        ),
    ),
}
"""What each stands for, the side of its patches in pixels, and its configuration."""
