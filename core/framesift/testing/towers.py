"""Tiny towers with random weights, in the place of large checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch

from framesift.registry import require

TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 64,
    "patch_size": 16,
}
LONGEST_TEXT = 20
"""Tokens that the text tower of a tiny model of two towers reads."""
FAMILIES = {"clip": "CLIPVision", "siglip": "SiglipVision", "intern-vit": "InternVLVision"}


def tiny_tower(folder: Path, family: Literal["clip", "siglip", "intern-vit"] = "clip") -> Path:
    """Returns `folder`, where a vision transformer of 4 x 4 patches and its settings are written.

    Args:
        folder: an existing folder, such as `tmp_path`.
        family: which architecture it has; transformers reads it from there.
    """
    transformers = require("transformers", extra="hf")
    torch.manual_seed(0)
    config = getattr(transformers, f"{FAMILIES[family]}Config")(**TOWER)
    getattr(transformers, f"{FAMILIES[family]}Model")(config).save_pretrained(folder)
    transformers.CLIPImageProcessorPil().save_pretrained(folder)
    return folder


def tiny_two_towers(folder: Path, family: Literal["clip", "siglip"] = "clip") -> Path:
    """Returns `folder`, where a whole CLIPModel or SiglipModel is written with all that it needs.

    Its tokenizer reads text letter by letter.

    Args:
        folder: an existing folder, such as `tmp_path`.
        family: which of both it is.
    """
    transformers = require("transformers", extra="hf")
    torch.manual_seed(0)
    name, letters, sizes = {"clip": _clip, "siglip": _siglip}[family]()
    text = {
        **TOWER,
        "vocab_size": len(letters),
        "max_position_embeddings": LONGEST_TEXT,
        "eos_token_id": letters.eos_token_id,
        "bos_token_id": letters.bos_token_id,
        "pad_token_id": letters.pad_token_id,
    }
    config = getattr(transformers, f"{name}Config")(text_config=text, vision_config=TOWER)
    model = getattr(transformers, f"{name}Model")(config)
    preparation = getattr(transformers, f"{name}ImageProcessorPil")(**sizes)
    for part in (model, letters, preparation):
        part.save_pretrained(folder)
    return folder


def _clip() -> tuple[str, Any, dict[str, Any]]:
    """Returns the name of the family in transformers, a tokenizer and the sizes of pictures."""
    letters = [*map(chr, range(33, 127))]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: place for place, word in enumerate(words)}
    tokenizer = require("transformers", extra="hf").CLIPTokenizer(vocab=vocabulary, merges=[])
    side = TOWER["image_size"]
    crop = {"height": side, "width": side}
    return "CLIP", tokenizer, {"size": {"shortest_edge": side}, "crop_size": crop}


def _siglip() -> tuple[str, Any, dict[str, Any]]:
    """Returns as `_clip`."""
    tokenizers = require("tokenizers", extra="hf")
    words = ["</s>", "<unk>", *map(chr, range(32, 127))]
    vocabulary = {word: place for place, word in enumerate(words)}
    reader = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    reader.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex("."), "isolated")
    reader.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 0)]
    )
    tokenizer = require("transformers", extra="hf").PreTrainedTokenizerFast(
        tokenizer_object=reader, eos_token="</s>", pad_token="</s>", unk_token="<unk>"
    )
    side = TOWER["image_size"]
    return "Siglip", tokenizer, {"size": {"height": side, "width": side}}
