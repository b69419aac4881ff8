"""A tiny Gemma 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from framesift.registry import require
from framesift.testing.tiny_vlms._base import (
    LLAMA,
    MEAN,
    SIGLIP,
    STD,
    OrdinaryPrompt,
    chat,
    normalized,
    save_model,
    save_tokenizer,
    shaken,
    written,
)
from framesift.types.frames import Frames

GEMMA_CHAT = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% set role = 'model' %}{% else %}{% set role = m.role %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' }}{% for c in m.content %}{% if c.type == 'text' %}"
    "{{ c.text | trim }}{% else %}{{ '<start_of_image>' }}{% endif %}{% endfor %}"
    "{{ '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
SPECIAL = {
    "image_token": "<image_soft_token>",
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
}


def build_gemma3(folder: Path, window: int) -> None:
    transformers = require("transformers", extra="hf")
    special = [*SPECIAL.values(), "<start_of_turn>", "<end_of_turn>"]
    tokenizer = save_tokenizer(folder, special, GEMMA_CHAT, extra=SPECIAL)
    text = {name: value for name, value in LLAMA.items() if name != "model_type"}
    config = transformers.Gemma3Config(
        vision_config={**SIGLIP, "image_size": 32},
        text_config={
            **text,
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 2,
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
            "sliding_window": window,
            "layer_types": ["sliding_attention", "full_attention"],
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        initializer_range=0.3,
    )
    torch.manual_seed(1)
    save_model(folder, shaken(transformers.Gemma3ForConditionalGeneration(config)))
    transformers.Gemma3ImageProcessorPil(
        size={"height": 32, "width": 32}, image_mean=MEAN, image_std=STD
    ).save_pretrained(folder)


def ordinary_gemma3(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    head, *_, tail = chat(folder, text, "image", len(frames)).split("<start_of_image>")
    pieces = [(head.removeprefix("<s>") + "\n\n", -1)]
    for frame in range(len(frames)):
        pieces += [
            ("\n\n\n\n<start_of_image>" if frame else "<start_of_image>", frame),
            ("<image_soft_token>" * 4, -1),
            ("<end_of_image>", frame),
        ]
    ids, frame_of_text, visual = written(
        folder, [*pieces, (f"\n\n{tail}", -1)], SPECIAL["image_token"]
    )
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": visual[None].long(),
        "pixel_values": normalized(frames),
    }
    return OrdinaryPrompt(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def process_gemma3(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    transformers = require("transformers", extra="hf")
    processor = transformers.Gemma3Processor(
        image_processor=transformers.Gemma3ImageProcessor.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        image_seq_length=4,
    )
    given = processor(
        text=[chat(folder, text, "image", len(frames))],
        images=[list(frames.data)],
        input_data_format="channels_last",
        add_special_tokens=False,
        return_tensors="pt",
    )
    return dict(given)
