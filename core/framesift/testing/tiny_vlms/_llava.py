"""A tiny LLaVA-1.5, LLaVA-NeXT-Video and LLaVA-OneVision."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from framesift.registry import require
from framesift.testing.tiny_vlms._base import (
    CHAT,
    CLIP,
    LLAMA,
    MEAN,
    SIGLIP,
    STD,
    OrdinaryPrompt,
    chat,
    save_model,
    save_tokenizer,
    save_video_settings,
)
from framesift.types.frames import Frames


def build_llava(folder: Path) -> None:
    transformers = require("transformers", extra="hf")

    tokenizer = save_tokenizer(folder, ["<image>"], CHAT)
    config = transformers.LlavaConfig(
        vision_config=CLIP,
        text_config={**LLAMA, "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    torch.manual_seed(0)
    save_model(folder, transformers.LlavaForConditionalGeneration(config))
    transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    ).save_pretrained(folder)


def llava_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessor.from_pretrained(folder),
        tokenizer=tokenizer,
        patch_size=CLIP["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
        chat_template=tokenizer.chat_template,
    )


def ordinary_llava(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    processor = llava_processor(folder)
    prompt = chat(folder, text, "image", len(frames))
    inputs = dict(processor(text=prompt, images=list(frames.data), return_tensors="pt"))
    inputs.pop("mm_token_type_ids", None)
    ids = inputs["input_ids"][0]
    visual = ids == processor.image_token_id
    frame_of_text = torch.full_like(ids, -1)
    breaks = (visual[:-1] & ~visual[1:]).nonzero().flatten() + 1
    assert len(breaks) == len(frames)
    frame_of_text[breaks] = torch.arange(len(frames))
    return OrdinaryPrompt(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def build_llava_next(folder: Path) -> None:
    transformers = require("transformers", extra="hf")

    tokenizer = save_tokenizer(folder, ["<image>"], CHAT)
    config = transformers.LlavaNextConfig(
        vision_config=CLIP,
        text_config={**LLAMA, "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_grid_pinpoints=[[32, 64], [64, 32], [64, 64]],
    )
    torch.manual_seed(1)
    model = transformers.LlavaNextForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.image_newline)
    save_model(folder, model)
    transformers.LlavaNextImageProcessorPil(
        image_mean=MEAN,
        image_std=STD,
        size={"shortest_edge": 32},
        crop_size={"height": 32, "width": 32},
        image_grid_pinpoints=config.image_grid_pinpoints,
    ).save_pretrained(folder)


def llava_next_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")

    return transformers.LlavaNextProcessor(
        image_processor=transformers.LlavaNextImageProcessor.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        patch_size=CLIP["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
        chat_template=CHAT,
    )


def process_llava_next(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    """Returns the prompt of frames of which the view of the whole is taken alone.

    No processor makes it, but the model has a way to pack pictures without tiles.
    """
    transformers = require("transformers", extra="hf")

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.LlavaNextImageProcessor.from_pretrained(folder)
    prepared = processor(images=list(frames.data), return_tensors="pt")
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    model.config.image_grid_pinpoints = [[0, 0]]
    with torch.no_grad():
        views = model.model.get_image_features(
            prepared["pixel_values"][:, :1], prepared["image_sizes"], return_dict=True
        )
    tokens = len(views.pooler_output[0])
    prompt = chat(folder, text, "image", len(frames)).replace("<image>", "<image>" * tokens)
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_encoder_outputs": {"image": views},
    }


def ordinary_llava_next(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    transformers = require("transformers", extra="hf")

    inputs = process_llava_next(folder, frames, text)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = inputs["input_ids"][0]
    shown = ids == tokenizer.convert_tokens_to_ids("<image>")
    newlines = (shown[:-1] & ~shown[1:]).nonzero().flatten()
    assert len(newlines) == len(frames)
    frame_of_text = torch.full_like(ids, -1)
    for behind in (0, 1):  # the newline of the model, and the line break of the template
        frame_of_text[newlines + behind] = torch.arange(len(frames))
    visual = shown.index_fill(0, newlines, False)
    return OrdinaryPrompt(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def build_llava_next_video(folder: Path) -> None:
    transformers = require("transformers", extra="hf")

    tokenizer = save_tokenizer(folder, ["<image>", "<video>"], CHAT)
    config = transformers.LlavaNextVideoConfig(
        vision_config=CLIP,
        text_config={**LLAMA, "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[32, 64], [64, 32], [64, 96]],
    )
    torch.manual_seed(0)
    model = transformers.LlavaNextVideoForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.image_newline)
    save_model(folder, model)
    save_video_settings(folder, size={"shortest_edge": 32}, crop={"height": 32, "width": 32})
    transformers.LlavaNextImageProcessorPil(
        image_mean=STD,
        image_std=MEAN,
        size={"shortest_edge": 32},
        crop_size={"height": 32, "width": 32},
        image_grid_pinpoints=config.image_grid_pinpoints,
    ).save_pretrained(folder)


def build_llava_onevision(folder: Path) -> None:
    transformers = require("transformers", extra="hf")

    tokenizer = save_tokenizer(folder, ["<image>", "<video>"], CHAT)
    config = transformers.LlavaOnevisionConfig(
        vision_config=SIGLIP,
        text_config={**LLAMA, "model_type": "qwen2", "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[40, 80], [80, 40], [80, 120]],
        vision_aspect_ratio="anyres_max_2",
    )
    torch.manual_seed(0)
    model = transformers.LlavaOnevisionForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.image_newline)
    save_model(folder, model)
    save_video_settings(folder, size={"height": 40, "width": 40}, crop=None)
    transformers.LlavaOnevisionImageProcessorPil(
        image_mean=STD,
        image_std=MEAN,
        size={"height": 40, "width": 40},
        image_grid_pinpoints=config.image_grid_pinpoints,
    ).save_pretrained(folder)


def _ordinary_video(
    folder: Path, frames: Frames, text: str, tokens: int, extra: int
) -> OrdinaryPrompt:
    """Returns the prompt of a family that has one run of `tokens` and `extra` for each video."""
    transformers = require("transformers", extra="hf")

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    prompt = chat(folder, text, "video", 1).replace("<video>", "<video>" * (tokens + extra))
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    visual = (ids[0] == tokenizer.convert_tokens_to_ids("<video>")).nonzero().flatten()
    mean, std = (
        torch.tensor(value)[:, None, None] * 255 for value in ([0.4, 0.5, 0.6], [0.2, 0.3, 0.25])
    )
    pixels = (torch.from_numpy(frames.data).permute(0, 3, 1, 2).float() - mean) / std
    return OrdinaryPrompt(
        inputs={
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values_videos": pixels[None],
        },
        frame_of_text=torch.full_like(ids[0], -1),
        visual=torch.zeros_like(ids[0], dtype=torch.bool).index_fill_(0, visual[:tokens], True),
    )


def ordinary_llava_next_video(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    side = CLIP["image_size"] // CLIP["patch_size"] // 2
    return _ordinary_video(folder, frames, text, len(frames) * side**2, 0)


def ordinary_llava_onevision(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    side = math.ceil(SIGLIP["image_size"] // SIGLIP["patch_size"] / 2)
    return _ordinary_video(folder, frames, text, len(frames) * side**2, 1)


def llava_next_video_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")

    return transformers.LlavaNextVideoProcessor(
        image_processor=transformers.LlavaNextImageProcessor.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=transformers.LlavaNextVideoVideoProcessor.from_pretrained(folder),
        patch_size=CLIP["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    )


def llava_onevision_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")

    return transformers.LlavaOnevisionProcessor(
        image_processor=transformers.LlavaOnevisionImageProcessor.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=transformers.LlavaOnevisionVideoProcessor.from_pretrained(folder),
        num_image_tokens=(SIGLIP["image_size"] // SIGLIP["patch_size"]) ** 2,
        vision_feature_select_strategy="full",
        vision_aspect_ratio="anyres_max_2",
        chat_template=CHAT,
    )


def process_llava_next_video(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return _process(llava_next_video_processor(folder), folder, frames, text)


def process_llava_onevision(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return _process(llava_onevision_processor(folder), folder, frames, text)


def _process(processor: Any, folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    prompt = chat(folder, text, "video", 1)
    inputs = dict(processor(text=prompt, videos=[frames.data], return_tensors="pt"))
    inputs.pop("mm_token_type_ids", None)
    return inputs
