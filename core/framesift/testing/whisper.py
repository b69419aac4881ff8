"""A tiny Whisper with random weights, in the place of a large one, and sound to give to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch

from framesift.registry import require

TIMES: Final = 1501
"""Tokens of times, from 0 to 30 s."""
SIZES: Final[dict[str, Any]] = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
    "max_target_positions": 32,
}
GAIN: Final = 4.0
"""Of the layers' weights; smaller ones make the last letter decide the next one."""


def tiny_whisper(folder: Path, languages: Sequence[str] = ("en", "de", "fr")) -> Path:
    """Returns `folder`, where a Whisper is written that hears letters at random.

    It hears the same letters in the same sound, others in another sound or language.

    Args:
        folder: an existing folder, such as `tmp_path`.
        languages: codes that it understands; one alone makes a model of that language.
    """
    transformers = require("transformers", extra="hf")
    torch.manual_seed(0)
    tokenizer, marks = _tokenizer(languages)
    ids = tokenizer.get_vocab()
    end = ids["<|endoftext|>"]
    config = transformers.WhisperConfig(
        **SIZES,
        vocab_size=len(tokenizer),
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=ids["<|startoftranscript|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    model = transformers.WhisperForConditionalGeneration(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "embed_positions" not in name:
                gain = 1.0 if "embed_tokens" in name else GAIN / weight[0].numel() ** 0.5
                weight.normal_(0, gain)
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=end,
        pad_token_id=end,
        suppress_tokens=[ids[mark] for mark in marks if mark != "<|endoftext|>"],
        is_multilingual=len(languages) > 1,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(languages: Sequence[str]) -> tuple[Any, list[str]]:
    """Returns a tokenizer of letters with the special tokens of a Whisper, and these."""
    inner = require("tokenizers", extra="hf")
    letters = [chr(code) for code in range(32, 127)]
    marks = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{code}|>" for code in languages)]
    marks += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    marks += ["<|nospeech|>", "<|notimestamps|>"]
    times = [f"<|{number / 50:.2f}|>" for number in range(TIMES)]
    words = {word: number for number, word in enumerate([*letters, *marks, *times])}
    reader = inner.Tokenizer(inner.models.WordLevel(words, unk_token="<|endoftext|>"))
    reader.pre_tokenizer = inner.pre_tokenizers.Split(inner.Regex("."), "isolated")
    reader.decoder = inner.decoders.Fuse()
    tokenizer = require("transformers", extra="hf").PreTrainedTokenizerFast(
        tokenizer_object=reader,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        additional_special_tokens=marks[1:],
    )
    tokenizer.add_tokens(times, special_tokens=True)
    return tokenizer, marks
