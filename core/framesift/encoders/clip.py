"""Patch features of a CLIP vision transformer, with its attention and keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from framesift.encoders._clip_text import load_text, reads_text
from framesift.encoders._tower import VisionTransformer
from framesift.hf.tower_checkpoint import placed
from framesift.types.options import Reachable
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class Clip(VisionTransformer):
    """Penultimate patch features, as LLaVA takes them, and what that layer attends to.

    `attention` goes from the summary token (CLS) to each patch, averaged over heads, as VisionZip
    reads it, or with `attention_layer=-1` that of the last layer; `keys` are those of the features'
    layer, averaged over heads. A whole CLIPModel with its tokenizer can be asked, too: its last
    layer, its projections and its text tower give the similarity of each patch to a question.
    """

    summary: ClassVar[str] = "features, attention and keys of a CLIP vision transformer"
    model_types: ClassVar[frozenset[str]] = frozenset({"clip", "clip_vision_model"})
    architecture: ClassVar[str] = "CLIPVision"
    feature_layer: ClassVar[int] = -2
    summary_token: ClassVar[int | None] = 0
    colors: ClassVar[str] = "OPENAI_CLIP"

    model: Reachable = "openai/clip-vit-large-patch14-336"
    """Hub id, or local folder of a CLIPModel or CLIPVisionModel with safetensors weights."""

    @property
    def reads_question(self) -> bool:
        """Whether the checkpoint has a text tower and a tokenizer, by its files."""
        return reads_text(self.model, self.model_types)

    def question_similarity(self, tokens: VideoTokens, question: str) -> Tensor:
        """Returns the cosine of each patch and a question in CLIP's space, float32 `(T, N)`.

        Raises:
            MissingSignalError: the checkpoint is a vision tower alone, or lacks a tokenizer.
        """
        if not self.reads_question:
            return super().question_similarity(tokens, question)
        text = load_text(self.model, *placed(self.device, self.dtype))
        near = text.similarity(tokens.features.flatten(0, 1), question)
        return near.view(tokens.features.shape[:2])
