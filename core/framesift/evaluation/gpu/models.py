"""Models of the size that people run, with random weights that are made on the device.

Widths, depths and vocabularies are the published ones, so that times and memory are real; words are
not. Nothing is downloaded, and no weights are written to disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import torch

from framesift.registry import require
from framesift.testing.tiny_vlms import CHAT, LLAMA, QWEN_CHAT, SIGLIP, save_tokenizer
from framesift.vlms import registry
from framesift.vlms.base import VLM

QWEN2_7B: Final = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
    "tie_word_embeddings": False,
}
"""The LLM of models of seven billion weights."""
ONEVISION_MARKS: Final = ("<image>", "<video>")
QWEN_MARKS: Final = (
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BenchModel:
    """A model that is measured."""

    family: str
    """Registered name of the adapter."""
    published: str
    """What it stands for."""
    processor: str
    """The class in transformers that prepares its videos."""
    make: Callable[[BenchModel, Path, torch.device], VLM]

    def load(self, folder: Path, device: torch.device) -> VLM:
        """Returns the model on a device; its small files are written to `folder`."""
        return self.make(self, folder, device)


@dataclass(frozen=True, kw_only=True)
class _RandomWeights:
    """Makes a model from its configuration."""

    marks: tuple[str, ...]
    template: str
    config: Callable[[Mapping[str, int]], Any]
    pixels: Mapping[str, Any]
    """Settings of the preprocessing."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the adapter."""

    def __call__(self, model: BenchModel, folder: Path, device: torch.device) -> VLM:
        transformers = require("transformers", extra="hf")
        tokenizer = save_tokenizer(folder, list(self.marks), self.template)
        config = self.config({mark: tokenizer.convert_tokens_to_ids(mark) for mark in self.marks})
        config.save_pretrained(folder)
        for name in ("preprocessor_config.json", "video_preprocessor_config.json"):
            (folder / name).write_text(json.dumps({**_USUAL_PIXELS, **self.pixels}))
        torch.manual_seed(0)
        with torch.device(device):
            build = transformers.AutoModelForImageTextToText.from_config
            hf = build(config, dtype=torch.bfloat16, attn_implementation="sdpa")
        vlm: VLM = registry.create(
            model.family,
            model=str(folder),
            device=str(device),
            dtype="bfloat16",
            **self.options,
        )
        # What these would be read from is not on disk.
        vars(vlm).update(hf=hf.eval(), weights="random")
        return vlm


_USUAL_PIXELS: Final = {
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "rescale_factor": 1 / 255,
}


def onevision_config(ids: Mapping[str, int], *, llm: Mapping[str, Any] = QWEN2_7B) -> Any:
    """Returns the configuration of a LLaVA-OneVision with the published tower.

    Args:
        ids: numbers of the special tokens.
        llm: shape of the LLM.
    """
    transformers = require("transformers", extra="hf")
    return transformers.LlavaOnevisionConfig(
        vision_config=transformers.SiglipVisionConfig(
            hidden_size=1152,
            intermediate_size=4304,
            num_hidden_layers=26,
            num_attention_heads=16,
            image_size=384,
            patch_size=14,
            vision_use_head=False,
        ),
        text_config=transformers.Qwen2Config(vocab_size=152000, **llm),
        image_token_id=ids["<image>"],
        video_token_id=ids["<video>"],
        tie_word_embeddings=llm["tie_word_embeddings"],
    )


def qwen_config(ids: Mapping[str, int], *, llm: Mapping[str, Any] = QWEN2_7B) -> Any:
    """Returns the configuration of a Qwen2.5-VL, with the arguments of `onevision_config`."""
    transformers = require("transformers", extra="hf")
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
    return transformers.Qwen2_5_VLConfig(
        vision_config={
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "num_heads": 16,
            "out_hidden_size": 3584,
            "fullatt_block_indexes": [7, 15, 23, 31],
            "window_size": 112,
        },
        text_config={"vocab_size": 152064, "rope_parameters": rope, **llm},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )


def _tiny_onevision(ids: Mapping[str, int]) -> Any:
    return require("transformers", extra="hf").LlavaOnevisionConfig(
        vision_config=SIGLIP,
        text_config={**LLAMA, "model_type": "qwen2", "vocab_size": 128},
        image_token_id=ids["<image>"],
        video_token_id=ids["<video>"],
    )


def _tiny_qwen(ids: Mapping[str, int]) -> Any:
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    text = {name: value for name, value in LLAMA.items() if name != "model_type"}
    return require("transformers", extra="hf").Qwen2_5_VLConfig(
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 4,
            "out_hidden_size": LLAMA["hidden_size"],
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        text_config={
            "vocab_size": 128,
            "rope_parameters": rope,
            "bos_token_id": 1,
            "eos_token_id": 2,
            **text,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )


PUBLISHED: Final = (
    BenchModel(
        family="llava-onevision",
        published="LLaVA-OneVision-7B",
        processor="LlavaOnevisionVideoProcessor",
        make=_RandomWeights(
            marks=ONEVISION_MARKS,
            template=CHAT,
            config=onevision_config,
            pixels={"size": {"height": 384, "width": 384}},
        ),
    ),
    BenchModel(
        family="qwen2-5-vl",
        published="Qwen2.5-VL-7B",
        processor="Qwen2VLVideoProcessor",
        make=_RandomWeights(
            marks=QWEN_MARKS,
            template=QWEN_CHAT,
            config=qwen_config,
            pixels={
                "size": {"shortest_edge": 128 * 28 * 28, "longest_edge": 768 * 28 * 28},
                "patch_size": 14,
                "do_sample_frames": False,
            },
        ),
    ),
)
"""Models of the classes that most people run on one card, in bfloat16."""
TINY: Final = (
    replace(
        PUBLISHED[0],
        published="a tiny LLaVA-OneVision",
        make=_RandomWeights(
            marks=ONEVISION_MARKS,
            template=CHAT,
            config=_tiny_onevision,
            pixels={"size": {"height": 40, "width": 40}},
        ),
    ),
    replace(
        PUBLISHED[1],
        published="a tiny Qwen2.5-VL",
        make=_RandomWeights(
            marks=QWEN_MARKS,
            template=QWEN_CHAT,
            config=_tiny_qwen,
            pixels={
                "size": {"shortest_edge": 28 * 28, "longest_edge": 16 * 28 * 28},
                "patch_size": 14,
                "do_sample_frames": False,
            },
            options={"min_step_tokens": 4, "max_step_tokens": 16},
        ),
    ),
)
"""Models of the same families that a CPU runs in seconds."""
