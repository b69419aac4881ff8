"""LLaVA-1.5 and models of its build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.types.options import Reachable
from framesift.vlms._llava import FramesAsImages


@dataclass(frozen=True, kw_only=True)
class Llava(FramesAsImages):
    """LLaVA-1.5: a CLIP tower, a projector and a Llama-like LLM; each frame is one image."""

    summary: ClassVar[str] = "LLaVA-1.5 and its like; frames as images, 576 tokens each at 336 px"
    model_types: ClassVar[frozenset[str]] = frozenset({"llava"})

    model: Reachable = "llava-hf/llava-1.5-7b-hf"
