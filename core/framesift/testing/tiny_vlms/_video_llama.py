"""A tiny VideoLLaMA3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch

from framesift.registry import require
from framesift.testing.tiny_vlms._base import (
    CLIP,
    LLAMA,
    MEAN,
    QWEN_CHAT,
    STD,
    OrdinaryPrompt,
    chat,
    metadata,
    normalized,
    save_model,
    save_tokenizer,
    shaken,
    written,
)
from framesift.types.frames import Frames

PATCH: Final = 8
SIDE: Final = 2 * PATCH
"""Pixels on each side of a token."""
SPECIAL: Final = [
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]


def build_video_llama_3(folder: Path) -> None:
    transformers = require("transformers", extra="hf")

    tokenizer = save_tokenizer(folder, SPECIAL, QWEN_CHAT)
    vision = {**CLIP, "model_type": "video_llama_3_vision", "patch_size": PATCH}
    config = transformers.VideoLlama3Config(
        vision_config={key: value for key, value in vision.items() if key != "image_size"},
        text_config={**LLAMA, "model_type": "qwen2", "vocab_size": len(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
    )
    torch.manual_seed(0)
    save_model(folder, shaken(transformers.VideoLlama3ForConditionalGeneration(config)))
    transformers.VideoLlama3ImageProcessorPil(
        patch_size=PATCH, size={"shortest_edge": 4 * PATCH**2, "longest_edge": 60 * PATCH**2}
    ).save_pretrained(folder)
    settings = {
        "image_mean": MEAN,
        "image_std": STD,
        "patch_size": PATCH,
        "merge_size": 2,
        # At most 20 tokens for each of six frames.
        "size": {"shortest_edge": 4 * SIDE**2, "longest_edge": 6 * 20 * SIDE**2},
        "use_token_compression": False,
    }
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))


def ordinary_video_llama_3(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    head, tail = chat(folder, text, "video", 1).split("<|video_pad|>")
    pixels = normalized(frames)
    count, channels, height, width = pixels.shape
    h, w = height // PATCH, width // PATCH
    cut = pixels.view(count, channels, h // 2, 2, PATCH, w // 2, 2, PATCH)
    pieces = [(head, -1)]
    for frame in range(count):
        pieces += [
            (f"{',' if frame else ''}Time {frame:.1f}s:", frame),
            ("<|video_pad|>" * (h * w // 4), -1),
        ]
    ids, frame_of_text, visual = written(folder, [*pieces, (tail, -1)], "<|video_pad|>")
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values_videos": cut.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(count * h * w, -1),
        "video_grid_thw": torch.tensor([[count, h, w]]),
        "video_merge_sizes": torch.tensor([2]),
    }
    return OrdinaryPrompt(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def video_llama_3_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")

    return transformers.VideoLlama3Processor(
        image_processor=transformers.VideoLlama3ImageProcessor.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=transformers.VideoLlama3VideoProcessor.from_pretrained(folder),
        chat_template=QWEN_CHAT,
    )


def process_video_llama_3(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    given = video_llama_3_processor(folder)(
        text=[chat(folder, text, "video", 1)],
        videos=[frames.data],
        video_metadata=[metadata(len(frames))],
        return_tensors="pt",
    )
    return {name: value for name, value in given.items() if name != "video_metadata"}
