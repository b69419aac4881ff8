"""What the tiny models of all families are made of: sizes, templates, tokenizer, settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from framesift.registry import require
from framesift.types.frames import Frames

CHARACTERS = ["\n", *map(chr, range(32, 127))]
BYTES = [{" ": "Ġ", "\n": "Ċ"}.get(character, character) for character in CHARACTERS]
"""The same as tokenizers of bytes write them."""
CLIP: dict[str, Any] = {
    "model_type": "clip_vision_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
    "initializer_range": 0.3,
}
SIGLIP: dict[str, Any] = {
    **CLIP,
    "model_type": "siglip_vision_model",
    "vision_use_head": False,
    "image_size": 40,
}
LLAMA: dict[str, Any] = {
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
class OrdinaryPrompt:
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
class TinyVLM:
    """How one family is built, and how it is asked without framesift."""

    family: str
    """Registered name of the adapter."""
    build: Callable[[Path], None]
    """Writes model, tokenizer and processor files to a folder."""
    ordinary: Callable[[Path, Frames, str], OrdinaryPrompt]
    """The prompt of one video and one text for the user."""
    size_px: tuple[int, int] = (32, 32)
    """Frame size `(H, W)` that the model's preprocessing leaves as it is."""
    processed: Callable[[Path, Frames, str], dict[str, Any]] | None = None
    """The inputs by the family's own video processor, which needs torchvision."""
    processor: Callable[[Path], Any] | None = None
    """The family's own processor of pictures and videos, which needs torchvision; None where it
    takes pictures as videos."""
    mixes: bool = True
    """Whether that processor takes videos and pictures in one prompt."""
    pictures_only: bool = False
    """Whether it takes no videos at all."""
    several: dict[str, Any] = field(default_factory=dict)
    """Options by which the adapter shows several pictures as that processor does."""
    stacks: bool = False
    """Whether it is right about several videos of one length alone: some fail on others, and
    SmolVLM's says of each that it has as many frames as the longest."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the adapter that the tests need."""
    reference: Literal["masked", "columns"] = "masked"
    """What fewer tokens equal: the whole prompt with the dropped columns masked; or, for layers
    that see masked columns too, the whole prompt without them, at the positions they had."""


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


MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]


def save_tokenizer(
    folder: Path,
    special: list[str],
    template: str,
    *,
    extra: dict[str, str] | None = None,
    characters: list[str] = CHARACTERS,
) -> Any:
    """Returns a tokenizer of single characters, saved to `folder` with its chat template.

    Args:
        folder: where it goes.
        special: special tokens; they come first, behind `<pad>`, `<s>`, `</s>` and `<unk>`.
        template: chat template.
        extra: special tokens that the processor asks for by a name, among `special`.
        characters: what is spelled, one token each.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

    transformers = require("transformers", extra="hf")

    words = ["<pad>", "<s>", "</s>", "<unk>", *special, *characters]
    vocabulary = {word: place for place, word in enumerate(words)}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    named = {"extra_special_tokens": extra} if extra else {"additional_special_tokens": special}
    tokenizer = transformers.PreTrainedTokenizerFast(
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
    require("transformers", extra="hf").utils.logging.disable_progress_bar()
    model.eval().save_pretrained(folder)


def chat(folder: Path, text: str, kind: str, items: int) -> str:
    """Returns the rendered conversation of one user turn with `items` pictures or videos."""
    transformers = require("transformers", extra="hf")
    content = [*({"type": kind} for _ in range(items)), {"type": "text", "text": text}]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return str(
        tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
    )


def save_video_settings(folder: Path, size: dict[str, int], crop: dict[str, int] | None) -> None:
    """Writes settings for videos as transformers does, and others for images beside them."""
    transformers = require("transformers", extra="hf")

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


def metadata(count: int) -> dict[str, Any]:
    """Returns what processors are given about `random_frames`."""
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
    transformers = require("transformers", extra="hf")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids, frame = [tokenizer.bos_token_id], [-1]
    for text, owner in pieces:
        text_ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids += text_ids
        frame += [owner] * len(text_ids)
    columns = torch.tensor(ids)
    is_visual = columns == tokenizer.convert_tokens_to_ids(visual)
    return columns[None], torch.tensor(frame).masked_fill(is_visual, -1), is_visual
