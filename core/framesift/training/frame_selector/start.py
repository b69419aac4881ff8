"""What the training of a frame selector begins with: a frozen tower, an LLM and a random head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError, ModelError
from framesift.hf.chat_template import load_chat_template, render
from framesift.hf.checkpoint import load_config, load_tokenizer
from framesift.hf.checkpoint_files import called
from framesift.hf.tower_checkpoint import load_complete
from framesift.nn.frame_scorer import FrameScorer
from framesift.nn.frame_scorer_config import FrameScorerConfig
from framesift.nn.frame_scorer_files import FrozenTower
from framesift.nn.frame_scorer_input import tower_features, tower_signals
from framesift.registry import require
from framesift.training.frame_selector.recipe import SelectorRecipe
from framesift.training.lasting_spec import lasting_spec
from framesift.types.frames import Frames
from framesift.vlms.load import load_vlm
from framesift.vlms.origin import fingerprint

PLACE: Final = "\U000f0000"
"""Stands in a chat template where frames and question go."""
LIKE_QWEN2: Final = frozenset({"qwen2", "llama"})
"""LLMs whose weights a `Qwen2Model` takes; one without biases in its attention gets zeros."""
COPIED: Final = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_attention_heads"),
    *("num_key_value_heads", "hidden_act", "max_position_embeddings", "initializer_range"),
    *("rms_norm_eps", "rope_parameters", "tie_word_embeddings"),
)


@dataclass(frozen=True, kw_only=True)
class SelectorStart:
    """Everything of a training run that is not learned from its labels."""

    network: FrameScorer
    last_block: nn.Module
    """The LLM's last block and its norm, which answers need and scores do not."""
    vocabulary: Tensor | None
    """Weights that tell the next token; None where they are the embedding's."""
    tokenizer: Any
    end_id: int
    """Token that ends an answer."""
    encoder: Encoder
    tower: FrozenTower
    llm: str
    """Digits of the weights of the LLM's checkpoint, which may be another than the tower's."""
    trained_on: str | None


def begin_with_vlm(name: str, recipe: SelectorRecipe) -> SelectorStart:
    """Returns a start with the tower, the projector, the LLM and the tokenizer of a vision LLM.

    Raises:
        InvalidOptionError: its LLM is not of the class of Qwen2 or Llama.
    """
    vlm = load_vlm(name)
    inner = vlm.hf.base_model
    start = _begin(
        called=vlm.called,
        llm=inner.language_model,
        head=vlm.hf.lm_head,
        tokenizer=vlm.tokenizer,
        around=_around(vlm.called, vlm.tokenizer, vlm.chat_template, as_parts=True),
        encoder=vlm.encoder,
        tower=FrozenTower(encoder=lasting_spec(vlm), of_vlm=True, fingerprint=vlm.weights),
        weights=vlm.weights,
        trained_on=vlm.trained_on,
        recipe=recipe,
    )
    learned = getattr(inner, "multi_modal_projector", None)
    mine = start.network.projector.state_dict()
    theirs = {} if learned is None else learned.state_dict()
    if {key: value.shape for key, value in theirs.items()} == {
        key: value.shape for key, value in mine.items()
    }:
        start.network.projector.load_state_dict(theirs)
    return start


def begin_with_parts(llm: str, encoder: str, recipe: SelectorRecipe) -> SelectorStart:
    """Returns a start with the LLM of one checkpoint and the vision tower of another.

    Args:
        llm: hub id or folder of a language model of the class of Qwen2, such as Qwen2.5.
        encoder: spec of an encoder with weights, such as `"siglip:model=..."`.
        recipe: what the network is like.

    Raises:
        InvalidOptionError: the LLM is of another class, or the encoder has no checkpoint.
    """
    made = encoders.create(encoder)
    checkpoint = getattr(made, "model", None)
    if not isinstance(checkpoint, str):
        raise InvalidOptionError(
            f"encoder={encoder!r} has no checkpoint whose features could be learned from; pass one "
            "with model=, such as 'siglip:model=google/siglip-large-patch16-256'"
        )
    load_config(llm, LIKE_QWEN2, trust_remote_code=False)
    kind = require("transformers", extra="hf").AutoModelForCausalLM
    loaded = load_complete(kind, llm, dtype=torch.float32)
    tokenizer = load_tokenizer(llm, trust_remote_code=False)
    template = load_chat_template(llm, tokenizer) if tokenizer.chat_template else PLACE
    return _begin(
        called=called(llm),
        llm=loaded.base_model,
        head=loaded.lm_head,
        tokenizer=tokenizer,
        around=_around(called(llm), tokenizer, template, as_parts=False),
        encoder=made,
        tower=FrozenTower(encoder=made.spec, of_vlm=False, fingerprint=fingerprint(checkpoint)),
        weights=fingerprint(llm),
        trained_on=None,
        recipe=recipe,
    )


def _begin(
    *,
    called: str,
    llm: Any,
    head: Any,
    tokenizer: Any,
    around: tuple[tuple[int, ...], tuple[int, ...]],
    encoder: Encoder,
    tower: FrozenTower,
    weights: str,
    trained_on: str | None,
    recipe: SelectorRecipe,
) -> SelectorStart:
    kind = str(llm.config.model_type)
    blocks = int(llm.config.num_hidden_layers)
    if kind not in LIKE_QWEN2 or blocks < 2:
        raise InvalidOptionError(
            f"{called!r} has an LLM of type {kind!r} with {blocks} blocks; a frame selector needs "
            f"one of type {' or '.join(sorted(LIKE_QWEN2))} with at least 2"
        )
    settings = {name: getattr(llm.config, name) for name in COPIED}
    width, grid = _probed(encoder, of_vlm=tower.of_vlm)
    torch.manual_seed(recipe.seed)
    network = FrameScorer(
        FrameScorerConfig(
            llm={**settings, "num_hidden_layers": blocks - 1},
            tower_width=width,
            grid=grid,
            pooled=recipe.pooled,
            head=recipe.head,
            candidates=recipe.candidates,
            key_width=recipe.key_width,
            question_first=recipe.question_first,
            before=around[0],
            after=around[1],
        )
    )
    learned = llm.state_dict()
    final = f"layers.{blocks - 1}."
    _fill(network.llm, {name: learned[name] for name in learned if not name.startswith(final)})
    return SelectorStart(
        network=network,
        last_block=_last_block(settings, learned, final),
        vocabulary=_vocabulary(llm, head),
        tokenizer=tokenizer,
        end_id=int(tokenizer.eos_token_id),
        encoder=encoder,
        tower=tower,
        llm=weights,
        trained_on=trained_on,
    )


def _vocabulary(llm: Any, head: Any) -> Tensor | None:
    """Returns the weights that tell the next token, None where they are the embedding's."""
    tied = head.weight.data_ptr() == llm.get_input_embeddings().weight.data_ptr()
    return None if tied else head.weight.detach().clone()


def _last_block(settings: dict[str, Any], weights: dict[str, Tensor], final: str) -> nn.Module:
    """Returns the last block of an LLM with the norm behind it, as a model of one block.

    Args:
        settings: of the LLM.
        weights: of the whole LLM.
        final: what the names of the block's weights begin with.
    """
    transformers = require("transformers", extra="hf")
    # It reads states and never tokens, so it has the table of one token.
    config = transformers.Qwen2Config(**{**settings, "num_hidden_layers": 1, "vocab_size": 1})
    last: nn.Module = transformers.Qwen2Model._from_config(config, attn_implementation="sdpa")
    ending = {name: value for name, value in weights.items() if name.startswith((final, "norm."))}
    _fill(last, {name.replace(final, "layers.0."): value for name, value in ending.items()})
    return last


def _fill(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Gives a Qwen2 model the weights of its like; biases that are not there become zeros."""
    wanted = model.state_dict()
    for name, value in wanted.items():
        if name in weights:
            value.copy_(weights[name])
        elif name.endswith(".bias"):
            value.zero_()
        elif name != "embed_tokens.weight":
            raise ModelError(f"the LLM has no weights {name!r}; pass a whole checkpoint")


def _around(
    called: str, tokenizer: Any, template: str, *, as_parts: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the ids that the chat template writes before and behind what a user says."""
    if template == PLACE:
        return (), ()
    content: Any = [{"type": "text", "text": PLACE}] if as_parts else PLACE
    text = render(called, tokenizer, template, [{"role": "user", "content": content}])
    before, found, after = text.partition(PLACE)
    if not found:
        raise ModelError(f"the chat template of {called!r} leaves out what the user says")
    ids = [tokenizer(part, add_special_tokens=False)["input_ids"] for part in (before, after)]
    return tuple(ids[0]), tuple(ids[1])


def _probed(encoder: Encoder, *, of_vlm: bool) -> tuple[int, tuple[int, int]]:
    """Returns channels and grid of the features that an encoder gives."""
    height, width = encoder.input_px
    frame = Frames(
        data=np.zeros((1, height, width, 3), np.uint8),
        pts_seconds=np.zeros(1),
        indices=np.zeros(1, np.int64),
    )
    tokens = encoder.encode(frame, tower_signals(of_vlm=of_vlm))
    return tower_features(tokens, of_vlm=of_vlm).shape[-1], tokens.grid
