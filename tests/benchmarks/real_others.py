"""Configurations of other published models, their LLMs as deep as two layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

from benchmarks.real_gemma_glm import SO400M
from benchmarks.real_qwen import DEPTH, QWEN35
from framesift.registry import require

FRAME_MARKS: Final = ("</image>",)
"""Special tokens of these families, beside those of others."""


def _llava_next(ids: Mapping[str, int]) -> Any:
    transformers = require("transformers", extra="hf")
    return transformers.LlavaNextConfig(
        text_config=transformers.MistralConfig(
            vocab_size=32064, num_hidden_layers=DEPTH, max_position_embeddings=32768
        ),
        image_token_id=ids["<image>"],
    )


def _video_llama_3(ids: Mapping[str, int]) -> Any:
    transformers = require("transformers", extra="hf")
    return transformers.VideoLlama3Config(
        vision_config=transformers.VideoLlama3VisionConfig(patch_size=14, **SO400M),
        text_config=transformers.Qwen2Config(
            vocab_size=151936,
            hidden_size=1536,
            intermediate_size=8960,
            num_hidden_layers=DEPTH,
            num_attention_heads=12,
            num_key_value_heads=2,
            max_position_embeddings=32768,
            tie_word_embeddings=True,
        ),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
    )


def _minicpm_v_4_6(ids: Mapping[str, int]) -> Any:
    transformers = require("transformers", extra="hf")
    return transformers.MiniCPMV4_6Config(
        vision_config={**SO400M, "image_size": 980, "patch_size": 14},
        text_config={
            **deepcopy(QWEN35),
            "model_type": "qwen3_5_text",
            "hidden_size": 1024,
            "intermediate_size": 3584,
            "num_hidden_layers": DEPTH,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
            "linear_num_value_heads": 16,
            "max_position_embeddings": 262144,
            "tie_word_embeddings": True,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        tie_word_embeddings=True,
    )


OTHERS: Final[
    dict[str, tuple[str, str, Callable[[Mapping[str, int]], Any], tuple[str, dict[str, Any]]]]
] = {
    "llava-next": (
        "LLaVA-1.6-Mistral-7B",
        "<image>",
        _llava_next,
        (
            "LlavaNextImageProcessorPil",
            {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}},
        ),
    ),
    "video-llama-3": (
        "VideoLLaMA3-2B",
        "<|video_pad|>",
        _video_llama_3,
        (
            "VideoLlama3ImageProcessorPil",
            {
                "merge_size": 2,
                "size": {"shortest_edge": 28**2 * 16, "longest_edge": 28**2 * 16384},
            },
        ),
    ),
    "minicpm-v-4-6": (
        "MiniCPM-V 4.6",
        "<|video_pad|>",
        _minicpm_v_4_6,
        ("MiniCPMV4_6ImageProcessorPil", {}),
    ),
}
"""What each stands for, what its template writes for a video, its configuration and processor."""
