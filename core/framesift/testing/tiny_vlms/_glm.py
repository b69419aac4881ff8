"""Tiny models of the GLM-4V families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from framesift.registry import require
from framesift.testing.tiny_vlms._base import (
    LLAMA,
    MEAN,
    STD,
    OrdinaryPrompt,
    chat,
    save_model,
    save_tokenizer,
    shaken,
    written,
)
from framesift.testing.tiny_vlms._qwen import patches
from framesift.testing.tiny_vlms._shown import own_inputs
from framesift.types.frames import Frames

MARKS = ["image_start", "image", "image_end", "video_start", "video", "video_end"]
GLM_TOKENS = [
    *("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"),
    *("<|begin_of_image|>", "<|image|>", "<|end_of_image|>"),
    *("<|begin_of_video|>", "<|video|>", "<|end_of_video|>"),
]
GLM_CHAT = (
    "[gMASK]<sop>{% for m in messages %}{{ '<|' + m.role + '|>\n' }}"
    "{% if m.role != 'user' or m.content is string %}{{ m.content }}{% else %}"
    "{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% else %}"
    "{{ '<|begin_of_' + c.type + '|><|' + c.type + '|><|end_of_' + c.type + '|>' }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}"
    "{% endif %}"
)
"""As GLM-4.1V has it: what is not of the user is put as it is, so it must be a string."""
EXPERTS = {
    "moe_intermediate_size": 32,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
}


def _build_glm(folder: Path, family: str, **llm: Any) -> None:
    transformers = require("transformers", extra="hf")
    tokenizer = save_tokenizer(folder, GLM_TOKENS, GLM_CHAT)
    named = zip(MARKS, GLM_TOKENS[5:], strict=True)
    text = {name: value for name, value in LLAMA.items() if name != "model_type"}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]}
    config = getattr(transformers, f"{family}Config")(
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "num_heads": 4,
            "intermediate_size": 64,
            "out_hidden_size": LLAMA["hidden_size"],
            "image_size": 56,
            "initializer_range": 0.3,
        },
        text_config={
            **text,
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 2,
            "rope_parameters": {**rope, "partial_rotary_factor": 1.0},
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": 0,
            **llm,
        },
        **{f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in named},
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForConditionalGeneration")(config)
    save_model(folder, shaken(model))
    transformers.Glm4vImageProcessorPil(image_mean=[0, 0, 0]).save_pretrained(folder)
    settings = {
        "image_mean": MEAN,
        "image_std": STD,
        "size": {"shortest_edge": 1024, "longest_edge": 10**6},
        "do_sample_frames": False,
    }
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))


def build_glm4v(folder: Path) -> None:
    _build_glm(folder, "Glm4v")


def build_glm4v_moe(folder: Path) -> None:
    _build_glm(folder, "Glm4vMoe", **EXPERTS)


def build_glm46v(folder: Path) -> None:
    _build_glm(folder, "Glm46V", model_type="glm4v_text")


def ordinary_glm4v(folder: Path, frames: Frames, text: str, time: str = "{:.0f}") -> OrdinaryPrompt:
    transformers = require("transformers", extra="hf")
    head, tail = chat(folder, text, "video", 1).split("<|video|>")
    tokens = (frames.data.shape[1] // 28) * (frames.data.shape[2] // 28)
    pieces = [(head, -1)]
    for step in range(-(-len(frames) // 2)):
        pieces += [
            ("<|begin_of_image|>", step),
            ("<|image|>" * tokens, -1),
            (f"<|end_of_image|>{time.format(2 * step)}", step),
        ]
    ids, frame_of_text, visual = written(folder, [*pieces, (tail, -1)], "<|image|>")
    pixels, grid = patches(frames, 14)
    given = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": visual[None].long() * 2,
        "video_grid_thw": grid,
    }
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    return OrdinaryPrompt(
        inputs={**given, "pixel_values_videos": pixels},
        frame_of_text=frame_of_text,
        visual=visual,
        positions=model.model.get_rope_index(**given)[0][:, 0],
    )


def ordinary_glm46v(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    return ordinary_glm4v(folder, frames, text, "{:.1f} seconds")


def glm4v_processor(folder: Path, family: str = "Glm4v") -> Any:
    transformers = require("transformers", extra="hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return getattr(transformers, f"{family}Processor")(
        image_processor=transformers.Glm4vImageProcessor.from_pretrained(folder),
        tokenizer=tokenizer,
        video_processor=getattr(transformers, f"{family}VideoProcessor").from_pretrained(folder),
        chat_template=tokenizer.chat_template,
    )


def glm46v_processor(folder: Path) -> Any:
    return glm4v_processor(folder, "Glm46V")


def process_glm4v(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return own_inputs(glm4v_processor, folder, [frames], text)


def process_glm46v(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return own_inputs(glm46v_processor, folder, [frames], text)
