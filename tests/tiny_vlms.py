"""Tiny random models of every family of vision LLMs, and the ordinary way to ask them.

`TINY` names them as the registry does. A family is added by one entry: how its folder is written,
and the inputs that the ordinary path makes of the same frames and text, built without our code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.frames import Frames
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens

CHARACTERS = ["\n", *map(chr, range(32, 127))]
CLIP = {
    "model_type": "clip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.3,
}
SIGLIP = {**CLIP, "model_type": "siglip_vision_model", "vision_use_head": False, "image_size": 40}
LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
}
CHAT = (
    "{% for m in messages %}{{ m.role | upper + ': ' }}"
    "{% for c in m.content %}{% if c.type != 'text' %}{{ '<' + c.type + '>\n' }}{% endif %}"
    "{% endfor %}{% for c in m.content %}{% if c.type == 'text' %}{{ c.text }}{% endif %}"
    "{% endfor %}{{ '\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
"""As LLaVA-1.5 has it: pictures first, each with a line break."""


@dataclass(frozen=True, kw_only=True)
class Ordinary:
    """What the ordinary path gives to the model's `forward` and `generate`."""

    inputs: dict[str, Any]
    """Keyword arguments, batch 1, attention mask included."""
    frame_of_text: torch.Tensor
    """Frame whose text each column is, `(L,)`, -1 for all others."""
    visual: torch.Tensor
    """Columns `(L,)` that hold the tokens of the frames, in order; none that the family adds."""
    positions: torch.Tensor | None = None
    """Positions `(3, L)` where columns are not simply counted."""


@dataclass(frozen=True, kw_only=True)
class Tiny:
    """How one family is built, and how it is asked without framesift."""

    build: Callable[[Path], None]
    """Writes model, tokenizer and processor files to a folder."""
    ordinary: Callable[[Path, Frames, str], Ordinary]
    """The prompt of one video and one text for the user."""
    size_px: tuple[int, int] = (32, 32)
    """Frame size `(H, W)` that the model's preprocessing leaves as it is."""
    processed: Callable[[Path, Frames, str], dict[str, Any]] | None = None
    """The inputs by the family's own video processor, which needs torchvision."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the adapter that the tests need."""
    family: str | None = None
    """Registered name of the adapter, where it is not the key in `TINY`."""


def make_frames(count: int, size_px: tuple[int, int], *, seed: int = 0) -> Frames:
    """Returns noise, one frame a second."""
    random = np.random.default_rng(seed)
    return Frames(
        data=random.integers(0, 256, (count, *size_px, 3), dtype=np.uint8),
        pts_seconds=np.arange(float(count)),
        indices=np.arange(count),
    )


def compressed(tokens: VideoTokens, plan: TokenPlan) -> CompressedVideo:
    """Returns what the pipeline makes of a plan."""
    seconds = tokens.pts_seconds.double()
    frame, patch = plan.src // tokens.tokens_per_frame, plan.src % tokens.tokens_per_frame
    place = torch.stack([frame, patch // tokens.grid[1], patch % tokens.grid[1]], dim=1).float()
    counts = plan.frame_counts().tolist()
    layers = tokens.layers
    return CompressedVideo(
        tokens=plan.apply(tokens.features),
        positions=plan.mean(place),
        pts_seconds=plan.mean(seconds[frame][:, None]).flatten(),
        frame_seconds=seconds,
        step_seconds=tokens.step_seconds,
        plan=plan,
        layers=(
            None
            if layers is None
            else plan.apply(layers.flatten(2)).unflatten(1, tuple(layers.shape[2:]))
        ),
        report=CompressionReport(
            uri="noise",
            duration_seconds=float(seconds[-1] + (seconds.diff()[-1] if len(seconds) > 1 else 1)),
            tokens_in=tokens.count,
            tokens_out=plan.num_out,
            frames_in=tokens.frame_count,
            frames_encoded=tokens.frame_count,
            frames_out=sum(count > 0 for count in counts),
            budget=plan.num_out,
            keep=plan.num_out / plan.num_in,
            strategy="test",
            encoder="test",
            decoder="none",
            fps=1.0,
            grid=tokens.grid,
            tokens_per_frame_kept=counts,
            seconds={},
        ),
    )


def save_tokenizer(
    folder: Path, special: list[str], template: str, *, extra: dict[str, str] | None = None
) -> Any:
    """Returns a tokenizer of single characters, saved to `folder` with its chat template.

    Args:
        folder: where it goes.
        special: special tokens; they come first, behind `<pad>`, `<s>`, `</s>` and `<unk>`.
        template: chat template.
        extra: special tokens that the processor asks for by a name, among `special`.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<s>", "</s>", "<unk>", *special, *CHARACTERS]
    vocabulary = {word: place for place, word in enumerate(words)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    named = {"extra_special_tokens": extra} if extra else {"additional_special_tokens": special}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        **named,
    )
    if extra:
        tokenizer.add_tokens(special, special_tokens=True)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return tokenizer


def save_model(folder: Path, model: Any) -> None:
    """Writes a model without a bar on the screen."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    model.eval().save_pretrained(folder)


def chat(folder: Path, text: str, kind: str, items: int) -> str:
    """Returns the rendered conversation of one user turn with `items` pictures or videos."""
    from transformers import AutoTokenizer

    content = [*({"type": kind} for _ in range(items)), {"type": "text", "text": text}]
    return AutoTokenizer.from_pretrained(folder).apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )


# LLaVA-1.5


def build_llava(folder: Path) -> None:
    import transformers

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


def ask_llava(folder: Path, frames: Frames, text: str) -> Ordinary:
    import transformers

    processor = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessorPil.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        patch_size=CLIP["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
    )
    prompt = chat(folder, text, "image", len(frames))
    inputs = dict(processor(text=prompt, images=list(frames.data), return_tensors="pt"))
    inputs.pop("mm_token_type_ids", None)
    ids = inputs["input_ids"][0]
    visual = ids == processor.image_token_id
    frame_of_text = torch.full_like(ids, -1)
    breaks = (visual[:-1] & ~visual[1:]).nonzero().flatten() + 1
    assert len(breaks) == len(frames)
    frame_of_text[breaks] = torch.arange(len(frames))
    return Ordinary(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


# LLaVA-NeXT-Video and LLaVA-OneVision


def build_llava_next_video(folder: Path) -> None:
    import transformers

    tokenizer = save_tokenizer(folder, ["<image>", "<video>"], CHAT)
    config = transformers.LlavaNextVideoConfig(
        vision_config=CLIP,
        text_config={**LLAMA, "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[32, 64], [64, 32]],
    )
    torch.manual_seed(0)
    save_model(folder, transformers.LlavaNextVideoForConditionalGeneration(config))
    _save_video_settings(folder, size={"shortest_edge": 32}, crop={"height": 32, "width": 32})


def build_llava_onevision(folder: Path) -> None:
    import transformers

    tokenizer = save_tokenizer(folder, ["<image>", "<video>"], CHAT)
    config = transformers.LlavaOnevisionConfig(
        vision_config=SIGLIP,
        text_config={**LLAMA, "model_type": "qwen2", "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=[[40, 80], [80, 40]],
    )
    torch.manual_seed(0)
    model = transformers.LlavaOnevisionForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.image_newline)
    save_model(folder, model)
    _save_video_settings(folder, size={"height": 40, "width": 40}, crop=None)


def _save_video_settings(folder: Path, size: dict[str, int], crop: dict[str, int] | None) -> None:
    """Writes settings for videos as transformers does, and others for images beside them."""
    import json

    import transformers

    transformers.LlavaNextImageProcessorPil(image_mean=[0, 0, 0]).save_pretrained(folder)
    settings = {
        "do_center_crop": crop is not None,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.3, 0.25],
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": size,
        **({"crop_size": crop} if crop else {}),
    }
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))


def _ask_video(folder: Path, frames: Frames, text: str, tokens: int, extra: int) -> Ordinary:
    """Returns the prompt of a family that has one run of `tokens` and `extra` for each video."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    prompt = chat(folder, text, "video", 1).replace("<video>", "<video>" * (tokens + extra))
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    visual = (ids[0] == tokenizer.convert_tokens_to_ids("<video>")).nonzero().flatten()
    mean, std = (
        torch.tensor(value)[:, None, None] * 255 for value in ([0.4, 0.5, 0.6], [0.2, 0.3, 0.25])
    )
    pixels = (torch.from_numpy(frames.data).permute(0, 3, 1, 2).float() - mean) / std
    return Ordinary(
        inputs={
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values_videos": pixels[None],
        },
        frame_of_text=torch.full_like(ids[0], -1),
        visual=torch.zeros_like(ids[0], dtype=torch.bool).index_fill_(0, visual[:tokens], True),
    )


def ask_llava_next_video(folder: Path, frames: Frames, text: str) -> Ordinary:
    side = CLIP["image_size"] // CLIP["patch_size"] // 2
    return _ask_video(folder, frames, text, len(frames) * side**2, 0)


def ask_llava_onevision(folder: Path, frames: Frames, text: str) -> Ordinary:
    side = math.ceil(SIGLIP["image_size"] // SIGLIP["patch_size"] / 2)
    return _ask_video(folder, frames, text, len(frames) * side**2, 1)


def process_llava_next_video(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    import transformers

    processor = transformers.LlavaNextVideoProcessor(
        image_processor=transformers.LlavaNextImageProcessorPil.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=transformers.LlavaNextVideoVideoProcessor.from_pretrained(folder),
        patch_size=CLIP["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    return _process(processor, folder, frames, text)


def process_llava_onevision(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    import transformers

    processor = transformers.LlavaOnevisionProcessor(
        image_processor=transformers.LlavaOnevisionImageProcessorPil.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=transformers.LlavaOnevisionVideoProcessor.from_pretrained(folder),
        num_image_tokens=(SIGLIP["image_size"] // SIGLIP["patch_size"]) ** 2,
        vision_feature_select_strategy="full",
    )
    return _process(processor, folder, frames, text)


def _process(processor: Any, folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    prompt = chat(folder, text, "video", 1)
    inputs = dict(processor(text=prompt, videos=[frames.data], return_tensors="pt"))
    inputs.pop("mm_token_type_ids", None)
    return inputs


# InternVL, SmolVLM and Idefics3, Qwen2.5-VL and Qwen3-VL

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% for c in m.content %}"
    "{% if c.type == 'text' %}{{ c.text }}{% else %}{{ OPEN + c.type + CLOSE }}{% endif %}"
    "{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
QWEN_CHAT = CHATML.replace("OPEN", "'<|vision_start|><|'").replace(
    "CLOSE", "'_pad|><|vision_end|>'"
)
INTERNVL_CHAT = CHATML.replace("OPEN", "'<'").replace("CLOSE", "'>\n'")
IDEFICS_CHAT = (
    "<|im_start|>{% for m in messages %}{{ m.role | capitalize + ':' }}{% for c in m.content %}"
    "{{ '<image>' if c.type == 'image' else c.text }}{% endfor %}{{ '<end_of_utterance>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
QWEN_TOKENS = [
    *("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|image_pad|>", "<|video_pad|>"),
]
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]


def metadata(count: int) -> dict[str, Any]:
    """Returns what processors are told about `make_frames`."""
    return {
        "fps": 1.0,
        "duration": float(count),
        "total_num_frames": count,
        "frames_indices": list(range(count)),
    }


def normalized(frames: Frames) -> torch.Tensor:
    """Returns the frames `(T, 3, H, W)` as a video processor normalizes them."""
    pixels = torch.from_numpy(frames.data).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(given)[:, None, None] * 255.0 for given in (MEAN, STD))
    return (pixels - mean) / std


def shaken(model: Any) -> Any:
    """Returns a model whose parameters that start at zero do something."""
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.3)
    return model


def written(
    folder: Path, pieces: list[tuple[str, int]], visual: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns ids `(1, L)`, the frame of each column's text `(L,)` and the visual columns `(L,)`.

    Args:
        folder: that of the tokenizer.
        pieces: texts that follow one another, each with the frame that it belongs to, or -1.
        visual: what is repeated for the visual tokens.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids, frame = [tokenizer.bos_token_id], [-1]
    for text, owner in pieces:
        found = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += found
        frame += [owner] * len(found)
    columns = torch.tensor(ids)
    is_visual = columns == tokenizer.convert_tokens_to_ids(visual)
    return columns[None], torch.tensor(frame).masked_fill(is_visual, -1), is_visual


def build_internvl(folder: Path) -> None:
    import transformers

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
    _save_video_settings(folder, size={"height": 32, "width": 32}, crop=None)


def ask_internvl(folder: Path, frames: Frames, text: str) -> Ordinary:
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
    return Ordinary(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def process_internvl(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    import transformers

    processor = transformers.InternVLProcessor(
        image_processor=transformers.GotOcr2ImageProcessorPil(),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=transformers.InternVLVideoProcessor.from_pretrained(folder),
        image_seq_length=4,
    )
    prompt = chat(folder, text, "video", 1)
    return dict(processor(text=prompt, videos=[frames.data], return_tensors="pt"))


def build_smolvlm(folder: Path, family: str = "SmolVLM") -> None:
    import transformers

    special = ["<|im_start|>", "<end_of_utterance>", "<image>", "<video>"]
    special += ["<fake_token_around_image>", "<global-img>"]
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
        do_image_splitting=False,
        size={"longest_edge": 32},
        max_image_size={"longest_edge": 32},
        image_mean=MEAN,
        image_std=STD,
    ).save_pretrained(folder)


def build_idefics3(folder: Path) -> None:
    build_smolvlm(folder, "Idefics3")


def _ask_smolvlm(folder: Path, frames: Frames, pieces: list[tuple[str, int]]) -> Ordinary:
    ids, frame_of_text, visual = written(folder, pieces, "<image>")
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values": normalized(frames)[None],
    }
    return Ordinary(inputs=inputs, frame_of_text=frame_of_text, visual=visual)


def _framed(lead: str, frame: int) -> list[tuple[str, int]]:
    mark = "<fake_token_around_image>"
    return [(f"{lead}{mark}<global-img>", frame), ("<image>" * 4, -1), (mark, frame)]


def ask_smolvlm(folder: Path, frames: Frames, text: str) -> Ordinary:
    words = {1: "one", 6: "six"}[len(frames)]
    intro = f"You are provided the following series of {words} frames from a 0:00:0{len(frames)} "
    pieces = [(f"<|im_start|>User: {intro}[H:MM:SS] video.\n", -1)]
    for frame in range(len(frames)):
        pieces += _framed(f"\nFrame from 00:0{frame}:", frame)
    pieces += [(f"\n\n{text}<end_of_utterance>\nAssistant:", -1)]
    return _ask_smolvlm(folder, frames, pieces)


def ask_idefics3(folder: Path, frames: Frames, text: str) -> Ordinary:
    pieces = [("<|im_start|>User:", -1)]
    for frame in range(len(frames)):
        pieces += _framed("", frame)
    pieces += [(f"{text}<end_of_utterance>\nAssistant:", -1)]
    asked = _ask_smolvlm(folder, frames, pieces)
    # The processor for pictures needs no torchvision, so its own pixels are at hand.
    asked.inputs["pixel_values"] = process_idefics3(folder, frames, text)["pixel_values"]
    return asked


def process_smolvlm(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    import transformers
    from transformers.models.smolvlm import processing_smolvlm

    # The processor asks for a package that only writes out the number of frames.
    processing_smolvlm.num2words = {1: "one", 6: "six"}.__getitem__
    processor = transformers.SmolVLMProcessor(
        image_processor=transformers.SmolVLMImageProcessorPil.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=transformers.SmolVLMVideoProcessor.from_pretrained(folder),
        image_seq_len=4,
    )
    content = [{"type": "video"}, {"type": "text", "text": text}]
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    return dict(
        processor(
            text=[prompt],
            videos=[frames.data],
            video_metadata=[metadata(len(frames))],
            do_sample_frames=False,
            return_tensors="pt",
        )
    )


def process_idefics3(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    import transformers

    processor = transformers.Idefics3Processor(
        image_processor=transformers.Idefics3ImageProcessorPil.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        image_seq_len=4,
    )
    prompt = chat(folder, text, "image", len(frames))
    return dict(processor(text=[prompt], images=[list(frames.data)], return_tensors="pt"))


def _build_qwen(folder: Path, family: str, vision: dict[str, Any], rope: dict[str, Any]) -> None:
    import json

    import transformers

    tokenizer = save_tokenizer(folder, QWEN_TOKENS, QWEN_CHAT)
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
        },
        **named,
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForConditionalGeneration")(config)
    save_model(folder, shaken(model))
    transformers.Qwen2VLImageProcessorPil(
        patch_size=config.vision_config.patch_size, image_mean=[0, 0, 0]
    ).save_pretrained(folder)
    settings = {
        "image_mean": MEAN,
        "image_std": STD,
        "patch_size": config.vision_config.patch_size,
        "size": {"shortest_edge": 1024, "longest_edge": 10**6},
        "cap_pixels_per_frame": False,
        "do_sample_frames": False,
    }
    (folder / "video_preprocessor_config.json").write_text(json.dumps(settings))


def build_qwen2_5_vl(folder: Path) -> None:
    vision = {"patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]}
    _build_qwen(folder, "Qwen2_5_VL", vision, {"mrope_section": [2, 1, 1]})


def build_qwen3_vl(folder: Path) -> None:
    vision = {"patch_size": 16, "num_position_embeddings": 16, "deepstack_visual_indexes": [0, 1]}
    rope = {"mrope_section": [2, 1, 1], "mrope_interleaved": True}
    _build_qwen(folder, "Qwen3VL", vision, rope)


def _patches(frames: Frames, p: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the patches in the order of Qwen's processors, and the grid `(1, 3)`."""
    v, m, tp = normalized(frames), 2, 2
    if len(v) % tp:
        v = torch.cat([v, v[-1:]])
    t, c, h, w = len(v) // tp, 3, v.shape[2] // p, v.shape[3] // p
    cut = v.view(t, tp, c, h // m, m, p, w // m, m, p).permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return cut.reshape(t * h * w, c * tp * p * p), torch.tensor([[t, h, w]])


def _ask_qwen(
    folder: Path, frames: Frames, pieces: list[tuple[str, int]], patch: int, **timing: Any
) -> Ordinary:
    from transformers import AutoModelForImageTextToText

    ids, frame_of_text, visual = written(folder, pieces, "<|video_pad|>")
    pixels, grid = _patches(frames, patch)
    given = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": visual[None].long() * 2,
        "video_grid_thw": grid,
        **timing,
    }
    model = AutoModelForImageTextToText.from_pretrained(folder)
    return Ordinary(
        inputs={**given, "pixel_values_videos": pixels},
        frame_of_text=frame_of_text,
        visual=visual,
        positions=model.model.get_rope_index(**given)[0][:, 0],
    )


def ask_qwen2_5_vl(folder: Path, frames: Frames, text: str) -> Ordinary:
    head, tail = chat(folder, text, "video", 1).split("<|video_pad|>")
    tokens = -(-len(frames) // 2) * (frames.data.shape[1] // 28) * (frames.data.shape[2] // 28)
    pieces = [(head, -1), ("<|video_pad|>" * tokens, -1), (tail, -1)]
    return _ask_qwen(folder, frames, pieces, 14, second_per_grid_ts=torch.tensor([2.0]))


def ask_qwen3_vl(folder: Path, frames: Frames, text: str) -> Ordinary:
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
    return _ask_qwen(folder, frames, [*pieces, (tail, -1)], 16)


def _process_qwen(
    folder: Path, frames: Frames, text: str, family: str, video: str
) -> dict[str, Any]:
    import transformers

    processor = getattr(transformers, f"{family}Processor")(
        image_processor=transformers.Qwen2VLImageProcessorPil.from_pretrained(folder),
        tokenizer=transformers.AutoTokenizer.from_pretrained(folder),
        video_processor=getattr(transformers, f"{video}VideoProcessor").from_pretrained(folder),
    )
    return dict(
        processor(
            text=[chat(folder, text, "video", 1)],
            videos=[frames.data],
            video_metadata=[metadata(len(frames))],
            return_tensors="pt",
        )
    )


def process_qwen2_5_vl(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return _process_qwen(folder, frames, text, "Qwen2_5_VL", "Qwen2VL")


def process_qwen3_vl(folder: Path, frames: Frames, text: str) -> dict[str, Any]:
    return _process_qwen(folder, frames, text, "Qwen3VL", "Qwen3VL")


TINY = {
    "llava": Tiny(build=build_llava, ordinary=ask_llava),
    "llava-next-video": Tiny(
        build=build_llava_next_video,
        ordinary=ask_llava_next_video,
        processed=process_llava_next_video,
    ),
    "llava-onevision": Tiny(
        build=build_llava_onevision,
        ordinary=ask_llava_onevision,
        size_px=(40, 40),
        processed=process_llava_onevision,
    ),
    "internvl": Tiny(build=build_internvl, ordinary=ask_internvl, processed=process_internvl),
    "smolvlm": Tiny(build=build_smolvlm, ordinary=ask_smolvlm, processed=process_smolvlm),
    "idefics3": Tiny(
        build=build_idefics3,
        ordinary=ask_idefics3,
        processed=process_idefics3,
        family="smolvlm",
    ),
    "qwen2-5-vl": Tiny(
        build=build_qwen2_5_vl,
        ordinary=ask_qwen2_5_vl,
        size_px=(112, 84),
        processed=process_qwen2_5_vl,
        options={"min_step_tokens": 1},
    ),
    "qwen3-vl": Tiny(
        build=build_qwen3_vl,
        ordinary=ask_qwen3_vl,
        size_px=(64, 96),
        processed=process_qwen3_vl,
        options={"min_step_tokens": 1},
    ),
}
