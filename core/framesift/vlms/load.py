"""Loads a vision LLM by a registered name, a hub id or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Final, Literal

from framesift.errors import ModelError, UnknownNameError
from framesift.hf.checkpoint import model_type
from framesift.hf.checkpoint_files import called
from framesift.hf.checkpoint_reading import in_one_line
from framesift.sources.file import is_folder
from framesift.types.options import shown
from framesift.vlms import registry
from framesift.vlms.base import VLM

LIKE_LETTERS: Final = 4
"""Letters that types of one family begin with."""
LIKE: Final = 0.7
"""Likeness of two names, in [0, 1], that are taken for nearly the same."""


def load_vlm(
    name: str | os.PathLike[str] | VLM,
    *,
    device: str | None = None,
    dtype: Literal["auto", "float32", "float16", "bfloat16"] | None = None,
    quantize: Literal["8bit", "4bit"] | None = None,
    attention: Literal["sdpa", "eager", "flash_attention_2"] | None = None,
    trust_remote_code: bool = False,
) -> VLM:
    """Returns a vision LLM that is loaded and ready.

    Args:
        name: a registered name or spec such as `"tiny"` or `"llava:model=..."`, a hub id such as
            `"llava-hf/llava-1.5-7b-hf"`, or a local folder; the family comes from its config.json.
        device: where it runs; None for the GPU where there is one, else the CPU; `"auto"` for all
            GPUs together.
        dtype: what it computes in; by default the checkpoint's on a GPU, float32 on a CPU.
        quantize: weights of the LLM in fewer bits, `"8bit"` or `"4bit"`.
        attention: how transformers computes attention, by default `"sdpa"`.
        trust_remote_code: whether Python code that comes with the checkpoint may run.

    Raises:
        UnknownNameError: neither a registered name nor a hub id nor a folder.
        ModelError: the checkpoint is out of reach, of an unsupported family, incomplete, or holds
            pickled weights only.
        InvalidOptionError: no such device or dtype.
    """
    options = {
        "device": device,
        "dtype": dtype,
        "quantize": quantize,
        "attention": attention,
        "trust_remote_code": trust_remote_code or None,
    }
    if isinstance(name, os.PathLike):
        name = os.fspath(name)
    given = {key: value for key, value in options.items() if value is not None}
    if not isinstance(name, str) or name.partition(":")[0].strip() in registry.names():
        vlm = registry.create(name, **given)
    else:
        vlm = registry.create(_family(name, trust_remote_code), model=name, **given)
    with in_one_line(vlm.model):
        _ = vlm.tokenizer, vlm.chat_template, vlm.image_processor
        _ = vlm.encoder.grid, vlm.encoder.input_px, vlm.hf
    return vlm


def nearest(kind: str, families: Iterable[str]) -> str | None:
    """Returns the supported type whose name is most like another one, None where none is like it.

    One that begins with the same letters and digits goes first, as a family's names do.
    """
    plain = {_plain(family): family for family in sorted(families)}

    def likeness(other: str) -> tuple[int, float]:
        pairs = zip(_plain(kind), other, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return same, SequenceMatcher(None, _plain(kind), other).ratio()

    best = max(plain, key=likeness, default="")
    same, ratio = likeness(best)
    return plain[best] if same >= LIKE_LETTERS or ratio >= LIKE else None


def _plain(kind: str) -> str:
    return "".join(letter for letter in kind.lower() if letter.isalnum())


def _family(model: str, trust_remote_code: bool) -> str:
    """Returns the registered name of the family that a checkpoint belongs to."""
    if not model.strip() or ("/" not in model and not is_folder(model)):
        raise UnknownNameError(
            f"unknown vlm {shown(model)}; choose one of: {', '.join(registry.names())}; or pass "
            "a hub id such as 'llava-hf/llava-1.5-7b-hf', or a local folder"
        )
    # Where several read a type, the first holds: "llava" before "tiny", a model of its own.
    families: dict[str, str] = {
        read: name for name, part in reversed(registry.parts().items()) for read in part.model_types
    }
    kind = model_type(model, trust_remote_code)
    if kind not in families:
        near = nearest(kind, families)
        raise ModelError(
            f"{called(model)!r} is a model of type {kind!r}; supported are "
            f"{', '.join(sorted(families))}; pass a checkpoint of one of these"
            + (f": the nearest is {near!r}" if near else "")
        )
    return families[kind]
