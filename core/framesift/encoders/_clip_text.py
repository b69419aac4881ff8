"""Patches and questions in the space that a CLIP shares between pictures and text."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn.functional import normalize

from framesift.errors import ModelError
from framesift.hf.checkpoint_files import TOKENIZERS, called
from framesift.hf.checkpoint_reading import cached_first, lacks
from framesift.hf.letters import text_ids
from framesift.hf.tower_checkpoint import load_tower, read_config
from framesift.registry import require

logger = logging.getLogger(__name__)

WHOLE: Final = "clip"
"""The `model_type` of a CLIP with both of its towers."""
HIGHEST_ENDS: Final = 2
"""The `eos_token_id` of old configurations, where the highest number of a text ends it."""
ROWS: Final = 8192
"""Patches that are projected at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipText:
    """What a whole CLIP has beyond the layers that give patch features."""

    model: str
    tokenizer: Any
    text: Any
    text_projection: Any
    last_layer: Any
    norm: Any
    """Layer norm behind the last layer of the vision tower."""
    visual_projection: Any

    @torch.no_grad()
    def similarity(self, features: Tensor, question: str) -> Tensor:
        """Returns the cosine of each patch and a question, float32, on the device of `features`.

        The last layer takes each patch for itself, so that attention passes on nothing but the
        patch's own value, as MaskCLIP has it (https://arxiv.org/abs/2112.01071): among all patches
        it gathers what sums up the frame, and patches of the background come out nearest to a text.

        Args:
            features: patch features before the last layer `(M, D)`.
            question: what is to be answered; words beyond the tower's length are not read.
        """
        question_vector = normalize(self._embedded(question).float(), dim=-1)[0]
        weight = self.visual_projection.weight
        near = []
        for rows in features.split(ROWS):
            alone = self.last_layer(rows.to(weight)[:, None], attention_mask=None)[:, 0]
            seen = normalize(self.visual_projection(self.norm(alone)).float(), dim=-1)
            near.append(seen @ question_vector)
        return torch.cat(near).to(features.device)

    def _embedded(self, question: str) -> Tensor:
        config = self.text.config
        numbers = text_tokens(
            self.tokenizer, question, config, end=config.eos_token_id, model=self.model
        )
        ids = torch.tensor([numbers], device=self.text_projection.weight.device)
        embedded: Tensor = self.text_projection(self.text(input_ids=ids).pooler_output)
        return embedded


def text_tokens(
    tokenizer: Any, text: str, config: Any, *, end: int = HIGHEST_ENDS, model: str
) -> list[int]:
    """Returns the tokens of a text, its end included, as the text tower of a model reads them.

    Args:
        tokenizer: of the model.
        text: what is to be answered; words beyond the tower's length are not read.
        config: of the text tower.
        end: number of the token that must end the text, unless it is `HIGHEST_ENDS`.
        model: what messages call it.

    Raises:
        ModelError: tokenizer and tower do not belong together.
    """
    numbers = text_ids(tokenizer, text, add_special_tokens=True)
    length, longest = len(numbers), config.max_position_embeddings
    if length > longest:
        logger.warning(
            "the question has %d tokens and %r reads %d; the rest does not count",
            *(length, model, longest),
        )
        numbers = [*numbers[: longest - 1], numbers[-1]]
    if max(numbers) >= config.vocab_size or (end != HIGHEST_ENDS and end not in numbers):
        raise ModelError(
            f"{called(model)!r} has a vocabulary of {config.vocab_size} with the end of a text at "
            f"{end}, and its tokenizer numbers a question {numbers}; pass a checkpoint whose files "
            "belong together"
        )
    return numbers


def reads_text(model: str, allowed: frozenset[str]) -> bool:
    """Returns whether a checkpoint is a whole CLIP, with its text tower and a tokenizer.

    Raises:
        ModelError: no such checkpoint, or one of a type that is not `allowed`.
    """
    return read_config(model, allowed)["model_type"] == WHOLE and not lacks(model, TOKENIZERS)


@lru_cache(maxsize=2)
def load_text(model: str, device: str, dtype: torch.dtype) -> ClipText:
    """Returns what compares patches with text; the layers below the last one are dropped.

    Raises:
        ModelError: the checkpoint is not a whole CLIP, or has no tokenizer that fits.
    """
    transformers = require("transformers", extra="hf")
    config = cached_first(transformers.CLIPConfig.from_pretrained, model)
    tokenizer = cached_first(
        transformers.AutoTokenizer.from_pretrained, model, trust_remote_code=False
    )
    whole = load_tower(model, "CLIPModel", config=config, device="cpu", dtype=dtype)
    vision = whole.vision_model
    return ClipText(
        model=model,
        tokenizer=tokenizer,
        text=whole.text_model.to(device),
        text_projection=whole.text_projection.to(device),
        last_layer=vision.encoder.layers[-1].to(device),
        norm=vision.post_layernorm.to(device),
        visual_projection=whole.visual_projection.to(device),
    )
