"""A tiny SmolVLM and a tiny Idefics3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from framesift.registry import require
from framesift.testing.tiny_vlms._base import (
    CLIP,
    IDEFICS_CHAT,
    LLAMA,
    MEAN,
    STD,
    OrdinaryPrompt,
    normalized,
    save_model,
    save_tokenizer,
    written,
)
from framesift.testing.tiny_vlms._shown import own_inputs
from framesift.types.frames import Frames


def build_smolvlm(folder: Path, family: str = "SmolVLM") -> None:
    transformers = require("transformers", extra="hf")

    special = ["<|im_start|>", "<end_of_utterance>", "<image>", "<video>"]
    special += ["<fake_token_around_image>", "<global-img>"]
    special += [f"<row_{row}_col_{column}>" for row in range(1, 4) for column in range(1, 4)]
    tokenizer = save_tokenizer(folder, special, IDEFICS_CHAT)
    vision = {name: value for name, value in CLIP.items() if name != "model_type"}
    config = getattr(transformers, f"{family}Config")(
        vision_config=vision,
        text_config={**LLAMA, "vocab_size": len(tokenizer), "pad_token_id": 0},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    save_model(folder, getattr(transformers, f"{family}ForConditionalGeneration")(config))
    getattr(transformers, f"{family}ImageProcessorPil")(
        size={"longest_edge": 96},
        max_image_size={"longest_edge": 32},
        image_mean=MEAN,
        image_std=STD,
    ).save_pretrained(folder)
    settings = {
        "size": {"longest_edge": 32},
        "max_image_size": {"longest_edge": 32},
        "image_mean": MEAN,
        "image_std": STD,
    }
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))


def build_idefics3(folder: Path) -> None:
    build_smolvlm(folder, "Idefics3")


def _ordinary_smolvlm(
    folder: Path, frames: Frames, pieces: list[tuple[str, int]]
) -> OrdinaryPrompt:
    ids, frame_of_text, visual = written(folder, pieces, "<image>")
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values": normalized(frames)[None],
    }
    return OrdinaryPrompt(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def _framed(lead: str, frame: int) -> list[tuple[str, int]]:
    mark = "<fake_token_around_image>"
    return [(f"{lead}{mark}<global-img>", frame), ("<image>" * 4, -1), (mark, frame)]


def ordinary_smolvlm(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    words = {1: "one", 6: "six"}[len(frames)]
    intro = f"You are provided the following series of {words} frames from a 0:00:0{len(frames)} "
    pieces = [(f"<|im_start|>User: {intro}[H:MM:SS] video.\n", -1)]
    for frame in range(len(frames)):
        pieces += _framed(f"\nFrame from 00:0{frame}:", frame)
    pieces += [(f"\n\n{text}<end_of_utterance>\nAssistant:", -1)]
    return _ordinary_smolvlm(folder, frames, pieces)


def ordinary_idefics3(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    pieces = [("<|im_start|>User:", -1)]
    for frame in range(len(frames)):
        pieces += _framed("", frame)
    pieces += [(f"{text}<end_of_utterance>\nAssistant:", -1)]
    prompt = _ordinary_smolvlm(folder, frames, pieces)
    # The processor for pictures needs no torchvision, so its own pixels are at hand.
    prompt.inputs["pixel_values"] = process_idefics3(folder, frames, text)["pixel_values"]
    return prompt


def smolvlm_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")
    processing_smolvlm = require("transformers.models.smolvlm.processing_smolvlm", extra="hf")

    # The processor asks for a package that only writes out the number of frames.
    words = {1: "one", 2: "two", 3: "three", 4: "four", 6: "six"}
    processing_smolvlm.num2words = words.__getitem__
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.SmolVLMProcessor(
        image_processor=transformers.SmolVLMImageProcessor.from_pretrained(folder),
        tokenizer=tokenizer,
        video_processor=transformers.SmolVLMVideoProcessor.from_pretrained(folder),
        image_seq_len=4,
        chat_template=tokenizer.chat_template,
    )


def process_smolvlm(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return own_inputs(smolvlm_processor, folder, [frames], text)


def idefics3_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.Idefics3Processor(
        image_processor=transformers.Idefics3ImageProcessor.from_pretrained(folder),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=tokenizer.chat_template,
    )


def process_idefics3(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    processor = idefics3_processor(folder)
    processor.image_processor.do_image_splitting = False
    return own_inputs(lambda _: processor, folder, [*frames.data], text)
