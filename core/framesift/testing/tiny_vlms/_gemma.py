"""A tiny Gemma 3 and tiny models of Gemma 4."""

from __future__ import annotations

import json
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
from framesift.testing.tiny_vlms._shown import own_inputs
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


def gemma3_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.Gemma3Processor(
        image_processor=transformers.Gemma3ImageProcessor.from_pretrained(folder),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template=tokenizer.chat_template,
    )


def process_gemma3(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return own_inputs(gemma3_processor, folder, list(frames.data), text)


GEMMA4_CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    "{% if m.role == 'system' or m.content is string %}{{ m.content | trim }}{% else %}"
    "{% for c in m.content %}{% if c.type == 'text' %}{{ c.text | trim }}{% else %}"
    "{{ '<|' + c.type + '|>' }}{% endif %}{% endfor %}{% endif %}{{ '<turn|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn>model\n' }}{% endif %}"
)
"""As Gemma 4 has it: what the system says is put as it is, so it must be a string."""
SPECIAL4 = {
    **{"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>"},
    **{"audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>"},
}
VISION4 = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 8,
    "patch_size": 4,
    "pooling_kernel_size": 2,
    "position_embedding_size": 256,
    "standardize": True,
    "initializer_range": 0.3,
}
FRAMES4 = {
    "image_mean": [0, 0, 0],
    "image_std": [1, 1, 1],
    "patch_size": 4,
    "pooling_kernel_size": 2,
    "max_soft_tokens": 70,
    "do_sample_frames": False,
}
SMALL = {
    "initializer_range": 0.2,
    "num_hidden_layers": 4,
    "num_kv_shared_layers": 2,
    "hidden_size_per_layer_input": 4,
}
"""As in the small models: the last layers take keys and values of those before, and each layer
another embedding of the tokens."""
LARGE = {"hidden_size_per_layer_input": 0, "use_bidirectional_attention": "vision"}


def build_gemma4(folder: Path, window: int, **llm: Any) -> None:
    transformers = require("transformers", extra="hf")
    special = [*SPECIAL4.values(), "<|turn>", "<turn|>", "<|video|>"]
    tokenizer = save_tokenizer(folder, special, GEMMA4_CHAT, extra=SPECIAL4)
    named = {
        f"{name.removesuffix('_token')}_token_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in {**SPECIAL4, "video": "<|video|>"}.items()
    }
    text = {name: value for name, value in LLAMA.items() if name != "model_type"}
    count = llm.get("num_hidden_layers", text["num_hidden_layers"])
    config = transformers.Gemma4Config(
        vision_config=VISION4,
        text_config={
            **text,
            "vocab_size": len(tokenizer),
            "vocab_size_per_layer_input": len(tokenizer),
            "num_key_value_heads": 2,
            "head_dim": 8,
            "global_head_dim": 16,
            "sliding_window": window,
            "max_position_embeddings": 1024,
            "layer_types": ["sliding_attention", "full_attention"] * (count // 2),
            "bos_token_id": 1,
            "eos_token_id": 2,
            **llm,
        },
        audio_config=None,
        initializer_range=0.3,
        **named,
    )
    torch.manual_seed(2)
    model = shaken(transformers.Gemma4ForConditionalGeneration(config))
    tower = model.model.vision_tower
    tower.std_bias.normal_(std=0.3)
    tower.std_scale.uniform_(0.5, 1.5)
    save_model(folder, model)
    pictures = {"patch_size": 4, "pooling_kernel_size": 2, "max_soft_tokens": 140}
    transformers.Gemma4ImageProcessorPil(**pictures).save_pretrained(folder)
    (folder / "video_preprocessor_config.json").write_text(json.dumps(FRAMES4))


def ordinary_gemma4(folder: Path, frames: Frames, text: str) -> OrdinaryPrompt:
    head, tail = chat(folder, text, "video", 1).split("<|video|>")
    pieces, (height, width) = [(head.removeprefix("<s>"), -1)], frames.data.shape[1:3]
    for frame in range(len(frames)):
        pieces += [
            (f"{' ' if frame else ''}00:0{frame} <|image>", frame),
            ("<|video|>" * (height // 8 * (width // 8)), -1),
            ("<image|>", frame),
        ]
    ids, frame_of_text, visual = written(folder, [*pieces, (tail, -1)], "<|video|>")
    pixels = torch.from_numpy(frames.data).float() / 255
    patches = pixels.unflatten(2, (-1, 4)).unflatten(1, (-1, 4)).transpose(2, 3)
    places = torch.meshgrid(torch.arange(width // 4), torch.arange(height // 4), indexing="xy")
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": visual[None].long() * 2,
        "pixel_values_videos": patches.flatten(3).flatten(1, 2),
        "video_position_ids": torch.stack(places, -1).flatten(0, 1).expand(len(frames), -1, -1),
        "num_frames_per_video": torch.tensor([len(frames)]),
    }
    return OrdinaryPrompt(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def gemma4_processor(folder: Path) -> Any:
    transformers = require("transformers", extra="hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.Gemma4Processor(
        feature_extractor=transformers.Gemma4AudioFeatureExtractor(),
        image_processor=transformers.Gemma4ImageProcessor.from_pretrained(folder),
        tokenizer=tokenizer,
        video_processor=transformers.Gemma4VideoProcessor.from_pretrained(folder),
        chat_template=tokenizer.chat_template,
    )


def process_gemma4(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return own_inputs(gemma4_processor, folder, [frames], text)
