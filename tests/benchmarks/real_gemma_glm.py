"""Configurations of published Gemma and GLM-V models, their LLMs as deep as two layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from benchmarks.real_qwen import DEPTH
from framesift.registry import require

MARKS: Final = (
    "<start_of_image>", "<end_of_image>", "<image_soft_token>", "<|image>", "<image|>", "<|image|>",
    "<|video|>", "<|audio|>", "<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>",
    "<|end_of_video|>",
)  # fmt: skip
"""Special tokens of these families."""
WINDOWED: Final = {"layer_types": ["sliding_attention", "full_attention"], "sliding_window": 1024}
"""What is left of six layers in turn, of which one sees the whole prompt."""
SO400M: Final = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
}
GLM_ROPE: Final = {
    "rope_type": "default",
    "rope_theta": 1e4,
    "mrope_section": [8, 12, 12],
    "partial_rotary_factor": 0.5,
}


def _gemma3(ids: Mapping[str, int]) -> Any:
    transformers = require("transformers", extra="hf")
    return transformers.Gemma3Config(
        vision_config={
            **SO400M,
            "model_type": "siglip_vision_model",
            "image_size": 896,
            "patch_size": 14,
            "vision_use_head": False,
        },
        text_config={
            **WINDOWED,
            "num_hidden_layers": DEPTH,
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
        },
        boi_token_index=ids["<start_of_image>"],
        eoi_token_index=ids["<end_of_image>"],
        image_token_index=ids["<image_soft_token>"],
    )


def _gemma4(ids: Mapping[str, int]) -> Any:
    transformers = require("transformers", extra="hf")
    return transformers.Gemma4Config(
        vision_config={
            **SO400M,
            "num_key_value_heads": 16,
            "head_dim": 72,
            "standardize": True,
        },
        text_config={
            **WINDOWED,
            "num_hidden_layers": DEPTH,
            "hidden_size": 5376,
            "intermediate_size": 21504,
            "num_attention_heads": 32,
            "num_key_value_heads": 16,
            "num_global_key_value_heads": 4,
            "attention_k_eq_v": True,
            "hidden_size_per_layer_input": 0,
            "use_bidirectional_attention": "vision",
            "final_logit_softcapping": 30.0,
        },
        audio_config=None,
        boi_token_id=ids["<|image>"],
        eoi_token_id=ids["<image|>"],
        image_token_id=ids["<|image|>"],
        video_token_id=ids["<|video|>"],
        audio_token_id=ids["<|audio|>"],
    )


def _glm(ids: Mapping[str, int], *, family: str, inner: int, **llm: Any) -> Any:
    """Returns the configuration of a GLM-V model; other widths are the class's own.

    Args:
        ids: numbers of the special tokens.
        family: what the names of its classes begin with.
        inner: channels within the tower's merger.
        llm: what else its LLM has.
    """
    return getattr(require("transformers", extra="hf"), f"{family}Config")(
        vision_config={"intermediate_size": inner},
        text_config={
            "vocab_size": 151552,
            "num_hidden_layers": DEPTH,
            "rope_parameters": dict(GLM_ROPE),
            **llm,
        },
        image_token_id=ids["<|image|>"],
        video_token_id=ids["<|video|>"],
        image_start_token_id=ids["<|begin_of_image|>"],
        image_end_token_id=ids["<|end_of_image|>"],
        video_start_token_id=ids["<|begin_of_video|>"],
        video_end_token_id=ids["<|end_of_video|>"],
    )


_VIDEO: Final = "<|begin_of_video|><|video|><|end_of_video|>"
GEMMA_GLM: Final[
    dict[str, tuple[str, str, Callable[[Mapping[str, int]], Any], tuple[str, dict[str, Any]]]]
] = {
    "gemma3": (
        "Gemma 3 4B",
        "<start_of_image>",
        _gemma3,
        ("Gemma3ImageProcessorPil", {"size": {"height": 896, "width": 896}}),
    ),
    "gemma4": ("Gemma 4 31B", "<|video|>", _gemma4, ("Gemma4ImageProcessorPil", {})),
    "glm4v": (
        "GLM-4.1V-9B",
        _VIDEO,
        partial(_glm, family="Glm4v", inner=13696),
        ("Glm4vImageProcessorPil", {}),
    ),
    "glm4v-moe": (
        "GLM-4.5V",
        _VIDEO,
        partial(_glm, family="Glm4vMoe", inner=10944, head_dim=128),
        ("Glm4vImageProcessorPil", {}),
    ),
}
"""What each stands for, what its template writes for a video, its configuration and processor."""
