"""Tiny models of the Qwen-VL families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from framesift.registry import require
from framesift.testing.tiny_vlms._base import (
    BYTES,
    CHARACTERS,
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

QWEN_TOKENS = [
    *("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|image_pad|>", "<|video_pad|>"),
]


def _build_qwen(
    folder: Path,
    family: str,
    vision: dict[str, Any],
    rope: dict[str, Any],
    llm: dict[str, Any] | None = None,
) -> None:
    transformers = require("transformers", extra="hf")

    # Whatever tokenizer comes with a Qwen3.5, transformers reads its words as those of bytes.
    characters = BYTES if family.startswith("Qwen3_5") else CHARACTERS
    tokenizer = save_tokenizer(folder, QWEN_TOKENS, QWEN_CHAT, characters=characters)
    named = {
        f"{name.strip('<|>').replace('_pad', '')}_token_id": tokenizer.convert_tokens_to_ids(name)
        for name in QWEN_TOKENS[2:]
    }
    text = {name: value for name, value in LLAMA.items() if name != "model_type"}
    config = getattr(transformers, f"{family}Config")(
        vision_config={
            "depth": 3,
            "hidden_size": 32,
            "num_heads": 4,
            "intermediate_size": 64,
            "out_hidden_size": LLAMA["hidden_size"],
            "initializer_range": 0.3,
            **vision,
        },
        text_config={
            **text,
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, **rope},
            "bos_token_id": 1,
            "eos_token_id": 2,
            **(llm or {}),
        },
        **named,
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForConditionalGeneration")(config)
    for name, weight in model.named_parameters():
        if name.endswith("A_log"):
            # States decay slowly, so that what was read long ago counts; and steep decays are
            # computed as small differences of large sums.
            weight.data -= 4
    save_model(folder, shaken(model))
    _save_settings(folder, config.vision_config.patch_size)


def _save_settings(folder: Path, patch: int) -> None:
    """Writes how pictures and videos are prepared, as transformers does."""
    images = require("transformers", extra="hf").Qwen2VLImageProcessorPil
    images(patch_size=patch, image_mean=[0, 0, 0]).save_pretrained(folder)
    settings = {
        "image_mean": MEAN,
        "image_std": STD,
        "patch_size": patch,
        "size": {"shortest_edge": 1024, "longest_edge": 10**6},
        "cap_pixels_per_frame": False,
        "do_sample_frames": False,
    }
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))


def build_qwen2_vl(folder: Path) -> None:
    vision = {"patch_size": 14, "embed_dim": 32, "mlp_ratio": 2}
    _build_qwen(folder, "Qwen2VL", vision, {"mrope_section": [2, 1, 1]})


def build_qwen2_5_vl(folder: Path) -> None:
    vision = {"patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]}
    _build_qwen(folder, "Qwen2_5_VL", vision, {"mrope_section": [2, 1, 1]})


QWEN3_VISION = {
    "patch_size": 16,
    "num_position_embeddings": 16,
    "deepstack_visual_indexes": [0, 1],
}
QWEN3_ROPE = {"mrope_section": [2, 1, 1], "mrope_interleaved": True}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}


def build_qwen3_vl(folder: Path) -> None:
    _build_qwen(folder, "Qwen3VL", QWEN3_VISION, QWEN3_ROPE)


def build_qwen3_vl_moe(folder: Path) -> None:
    _build_qwen(folder, "Qwen3VLMoe", QWEN3_VISION, QWEN3_ROPE, EXPERTS)


STATES: dict[str, Any] = {
    "initializer_range": 0.2,
    "layer_types": ["linear_attention", "full_attention"],
    "head_dim": 8,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}


def build_qwen3_5(folder: Path) -> None:
    vision = {"patch_size": 16, "num_position_embeddings": 16}
    rope = {**QWEN3_ROPE, "partial_rotary_factor": 1.0}
    _build_qwen(folder, "Qwen3_5", vision, rope, STATES)


def build_qwen3_5_moe(folder: Path) -> None:
    vision = {"patch_size": 16, "num_position_embeddings": 16}
    rope = {**QWEN3_ROPE, "partial_rotary_factor": 1.0}
    experts = {**EXPERTS, "shared_expert_intermediate_size": 32}
    _build_qwen(folder, "Qwen3_5Moe", vision, rope, STATES | experts)


def patches(frames: Frames, p: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the patches in the order of Qwen's processors, and the grid `(1, 3)`."""
    v, m, tp = normalized(frames), 2, 2
    if len(v) % tp:
        v = torch.cat([v, v[-1:]])
    t, c, h, w = len(v) // tp, 3, v.shape[2] // p, v.shape[3] // p
    cut = v.view(t, tp, c, h // m, m, p, w // m, m, p).permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return cut.reshape(t * h * w, c * tp * p * p), torch.tensor([[t, h, w]])


def _ordinary_qwen(
    folder: Path, frames: Frames, pieces: list[tuple[str, int]], patch: int, **timing: Any
) -> OrdinaryPrompt:
    transformers = require("transformers", extra="hf")
    ids, frame_of_text, visual = written(folder, pieces, "<|video_pad|>")
    pixels, grid = patches(frames, patch)
    given = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": visual[None].long() * 2,
        "video_grid_thw": grid,
        **timing,
    }
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    return OrdinaryPrompt(
        inputs={**given, "pixel_values_videos": pixels},
        frame_of_text=frame_of_text,
        visual=visual,
        positions=model.model.get_rope_index(**given)[0][:, 0],
    )


def ordinary_qwen2_5_vl(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    return ordinary_qwen2_vl(folder, frames, text, second_per_grid_ts=torch.tensor([2.0]))


def ordinary_qwen2_vl(folder: Path, frames: Frames, text: str, **timing: Any) -> OrdinaryPrompt:
    head, tail = chat(folder, text, "video", 1).split("<|video_pad|>")
    tokens = -(-len(frames) // 2) * (frames.data.shape[1] // 28) * (frames.data.shape[2] // 28)
    pieces = [(head, -1), ("<|video_pad|>" * tokens, -1), (tail, -1)]
    return _ordinary_qwen(folder, frames, pieces, 14, **timing)


def ordinary_qwen3_vl(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    head, tail = chat(folder, text, "video", 1).split("<|video_pad|>")
    tokens = (frames.data.shape[1] // 32) * (frames.data.shape[2] // 32)
    pieces = [(head, -1)]
    for step in range(-(-len(frames) // 2)):
        last = min(2 * step + 1, len(frames) - 1)
        pieces += [
            (f"<{(2 * step + last) / 2:.1f} seconds><|vision_start|>", step),
            ("<|video_pad|>" * tokens, -1),
            ("<|vision_end|>", step),
        ]
    return _ordinary_qwen(folder, frames, [*pieces, (tail, -1)], 16)


def _qwen_processor(folder: Path, family: str, video: str) -> Any:
    transformers = require("transformers", extra="hf")

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return getattr(transformers, f"{family}Processor")(
        image_processor=transformers.Qwen2VLImageProcessor.from_pretrained(folder),
        tokenizer=tokenizer,
        video_processor=getattr(transformers, f"{video}VideoProcessor").from_pretrained(folder),
        chat_template=tokenizer.chat_template,
    )


def qwen2_vl_processor(folder: Path) -> Any:
    return _qwen_processor(folder, "Qwen2VL", "Qwen2VL")


def qwen2_5_vl_processor(folder: Path) -> Any:
    return _qwen_processor(folder, "Qwen2_5_VL", "Qwen2VL")


def qwen3_vl_processor(folder: Path) -> Any:
    return _qwen_processor(folder, "Qwen3VL", "Qwen3VL")


def _process_qwen(processor: Any, folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return dict(
        processor(
            text=[chat(folder, text, "video", 1)],
            videos=[frames.data],
            video_metadata=[metadata(len(frames))],
            return_tensors="pt",
        )
    )


def process_qwen2_vl(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return _process_qwen(qwen2_vl_processor(folder), folder, frames, text)


def process_qwen2_5_vl(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return _process_qwen(qwen2_5_vl_processor(folder), folder, frames, text)


def process_qwen3_vl(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return _process_qwen(qwen3_vl_processor(folder), folder, frames, text)
