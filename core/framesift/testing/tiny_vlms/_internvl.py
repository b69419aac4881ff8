"""A tiny InternVL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from framesift.registry import require
from framesift.testing.tiny_vlms._base import (
    CLIP,
    INTERNVL_CHAT,
    LLAMA,
    MEAN,
    STD,
    OrdinaryPrompt,
    chat,
    normalized,
    save_model,
    save_tokenizer,
    save_video_settings,
    shaken,
    written,
)
from framesift.types.frames import Frames


def build_internvl(folder: Path) -> None:
    transformers = require("transformers", extra="hf")

    extra = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<image>",
        "video_token": "<video>",
    }
    special = ["<|im_start|>", "<|im_end|>", *extra.values()]
    tokenizer = save_tokenizer(folder, special, INTERNVL_CHAT, extra=extra)
    vision = {**CLIP, "model_type": "internvl_vision", "layer_scale_init_value": 1.0}
    config = transformers.InternVLConfig(
        vision_config={**vision, "image_size": [32, 32], "patch_size": [8, 8]},
        text_config={**LLAMA, "model_type": "qwen2", "vocab_size": len(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )
    torch.manual_seed(0)
    save_model(folder, shaken(transformers.InternVLForConditionalGeneration(config)))
    save_video_settings(folder, size={"height": 32, "width": 32}, crop=None)
    transformers.GotOcr2ImageProcessorPil(
        size={"height": 32, "width": 32}, image_mean=MEAN, image_std=STD
    ).save_pretrained(folder)


def ordinary_internvl(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    head, tail = chat(folder, text, "video", 1).split("<video>")
    pieces = [(head, -1)]
    for frame in range(len(frames)):
        line = ("\n" if frame else "") + f"Frame{frame + 1}: <img>"
        pieces += [(line, frame), ("<image>" * 4, -1), ("</img>", frame)]
    ids, frame_of_text, visual = written(folder, [*pieces, (tail, -1)], "<image>")
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values": normalized(frames),
    }
    return OrdinaryPrompt(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def internvl_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.InternVLProcessor(
        image_processor=transformers.GotOcr2ImageProcessor.from_pretrained(folder),
        tokenizer=tokenizer,
        video_processor=transformers.InternVLVideoProcessor.from_pretrained(folder),
        image_seq_length=4,
        chat_template=tokenizer.chat_template,
    )


def process_internvl(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    prompt = chat(folder, text, "video", 1)
    processor = internvl_processor(folder)
    return dict(processor(text=prompt, videos=[frames.data], return_tensors="pt"))
