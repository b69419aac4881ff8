"""Qwen3.5: the time of each step as text, and layers that fold what they read into a state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from framesift.types.options import Reachable
from framesift.vlms._qwen_timed import TimedQwenVLM


@dataclass(frozen=True, kw_only=True)
class Qwen35(TimedQwenVLM):
    """Qwen3.5, dense or of experts: a run for each time step after the text `<1.5 seconds>`.

    Three of four layers of its LLM attend to nothing: they carry a state from column to column,
    which decays at columns that are masked too. So fewer tokens are the prompt *without* the
    dropped columns, its positions kept, and not the whole prompt with these columns masked.

    A chat holds up to three copies of the states besides, of 52 MB each at the size of 9B. On a GPU
    the layers are much faster where flash-linear-attention and causal-conv1d are installed, as
    transformers says when it runs without.
    """

    summary: ClassVar[str] = (
        "Qwen3.5; tokens by the size of frames, times as text, layers with a state"
    )
    model_types: ClassVar[frozenset[str]] = frozenset({"qwen3_5", "qwen3_5_moe"})

    model: Reachable = "Qwen/Qwen3.5-4B"
    thinking: bool = False
    """Whether it thinks before it answers, where its template knows both ways; thoughts are part of
    the answer and count among its tokens."""

    @cached_property
    def chat_template(self) -> str:
        """The template that turns a conversation into text, with or without thoughts.

        Raises:
            ModelError: the checkpoint has none.
        """
        own: str = super().chat_template
        return f"{{%- set enable_thinking = {str(self.thinking).lower()} -%}}{own}"
