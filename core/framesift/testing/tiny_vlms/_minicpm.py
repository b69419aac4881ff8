"""A tiny MiniCPM-V 4.6."""

from __future__ import annotations

import json
import warnings
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
from framesift.testing.tiny_vlms._qwen import QWEN3_ROPE, STATES
from framesift.types.frames import Frames

PATCH: Final = 4
SIDE: Final = 4 * PATCH
"""Pixels on each side of a token."""
SPECIAL: Final = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "image_start_token": "<image>",
    "image_end_token": "</image>",
    "slice_start_token": "<slice>",
    "slice_end_token": "</slice>",
    "image_id_start_token": "<image_id>",
    "image_id_end_token": "</image_id>",
}
SETTINGS: Final = {
    "image_mean": MEAN,
    "image_std": STD,
    "patch_size": PATCH,
    "scale_resolution": 56,
    "max_slice_nums": 1,
    "do_sample_frames": False,
}


def build_minicpm_v_4_6(folder: Path) -> None:
    transformers = require("transformers", extra="hf")

    special = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"]
    tokenizer = save_tokenizer(folder, [*special, *SPECIAL.values()], QWEN_CHAT, extra=SPECIAL)
    config = transformers.MiniCPMV4_6Config(
        vision_config={
            **{key: value for key, value in CLIP.items() if key != "model_type"},
            "patch_size": PATCH,
        },
        text_config={
            **LLAMA,
            **STATES,
            "model_type": "qwen3_5_text",
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 2,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "partial_rotary_factor": 1.0,
                **QWEN3_ROPE,
            },
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        insert_layer_id=1,
        image_token_id=tokenizer.convert_tokens_to_ids(SPECIAL["image_token"]),
        video_token_id=tokenizer.convert_tokens_to_ids(SPECIAL["video_token"]),
    )
    torch.manual_seed(0)
    model = transformers.MiniCPMV4_6ForConditionalGeneration(config)
    for name, weight in model.named_parameters():
        if name.endswith("A_log"):
            weight.data -= 4  # As in the tiny Qwen3.5: states decay slowly.
    save_model(folder, shaken(model))
    transformers.MiniCPMV4_6ImageProcessorPil(
        patch_size=PATCH, scale_resolution=56, use_image_id=False
    ).save_pretrained(folder)
    (folder / "video_preprocessor_config.json").write_text(json.dumps(SETTINGS))


def ordinary_minicpm_v_4_6(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    head, tail = chat(folder, text, "video", 1).split("<|video_pad|>")
    pixels = normalized(frames)
    count, channels, height, width = pixels.shape
    pieces = [(head, -1)]
    for frame in range(count):
        pieces += [
            ("<image>", frame),
            ("<|video_pad|>" * (height // SIDE * (width // SIDE)), -1),
            ("</image>", frame),
        ]
    ids, frame_of_text, visual = written(folder, [*pieces, (tail, -1)], "<|video_pad|>")
    cut = pixels.view(count, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values_videos": cut.permute(1, 3, 0, 2, 4, 5).reshape(1, channels, PATCH, -1),
        "target_sizes_videos": torch.tensor(
            [[height // PATCH, width // PATCH]] * count, dtype=torch.int32
        ),
    }
    return OrdinaryPrompt(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def minicpm_v_4_6_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")

    processor = transformers.MiniCPMV4_6Processor(
        image_processor=transformers.MiniCPMV4_6ImageProcessor.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=transformers.MiniCPMV4_6VideoProcessor.from_pretrained(folder),
        chat_template=QWEN_CHAT,
    )
    own = processor.replace_video_token

    def replace_video_token(*args: Any, **options: Any) -> str:
        with warnings.catch_warnings():
            # It gives tensors to a function of numpy.
            warnings.simplefilter("ignore", DeprecationWarning)
            return str(own(*args, **options))

    processor.replace_video_token = replace_video_token
    return processor


def process_minicpm_v_4_6(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return dict(
        minicpm_v_4_6_processor(folder)(
            text=[chat(folder, text, "video", 1)],
            videos=[frames.data],
            video_metadata=[metadata(len(frames))],
            return_tensors="pt",
        )
    )
