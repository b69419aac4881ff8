"""What a training of the TimePerceiver begins with: a vision LLM and a network that pools."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from framesift.errors import InvalidOptionError
from framesift.nn.time_perceiver import TimePerceiverConfig
from framesift.nn.time_perceiver_files import (
    ProjectorConfig,
    SlowFastFilling,
    TimePerceiverCard,
    TrainedFor,
    load_filling,
)
from framesift.strategies.slow_fast import SlowFast
from framesift.training import processes
from framesift.training.lasting_spec import lasting_spec
from framesift.training.time_perceiver.adapting import with_own_weights
from framesift.training.time_perceiver.recipe import PerceiverRecipe
from framesift.training.time_perceiver.task import PerceiverTask
from framesift.vlms.base import VLM
from framesift.vlms.load import load_vlm


@dataclass(frozen=True, kw_only=True)
class PerceiverStart:
    """Everything of a training run that is not learned from its data."""

    vlm: VLM
    strategy: SlowFast
    """Makes plans of the layout that is trained for."""
    task: PerceiverTask
    is_trained: bool = False
    """Whether the network goes on from one that has learned."""


def begin(vlm: str | VLM, recipe: PerceiverRecipe, filling: Path | None = None) -> PerceiverStart:
    """Returns a start with a vision LLM.

    Args:
        vlm: the model, or its registered name, hub id or folder.
        recipe: what the network is like.
        filling: folder of a trained network to go on with; None for one that pools.

    Raises:
        InvalidOptionError: its projector takes no tokens one by one, and `recipe.stage` is "pre";
            or the trained network is of another layout or for another model.
        ModelError: `filling` holds no such network.
    """
    if isinstance(vlm, str):
        vlm = load_vlm(vlm, device=processes.device())
    language_model = _language_model(vlm)
    if recipe.stage_2.epochs:
        vlm = with_own_weights(vlm)
        language_model = _language_model(vlm)
    strategy = SlowFast(
        segment=recipe.segment,
        key_stride=recipe.key_stride,
        time_stride=recipe.time_stride,
        remainder=recipe.remainder,
        include_key=recipe.include_key,
    )
    projector = _projector(vlm) if recipe.stage == "pre" else None
    layout = strategy.layout_on(vlm.encoder.grid)
    perceiver = TimePerceiverConfig(
        width=vlm.width if projector is None else projector.width,
        grid=layout.grid,
        out_grid=layout.time_grid,
        frames_max=recipe.segment + (recipe.remainder == "merge"),
        depth=recipe.depth,
        head_dim=recipe.head_dim,
        ff_mult=recipe.ff_mult,
        latents_in_kv=recipe.latents_in_kv,
    )
    torch.manual_seed(recipe.seed)
    made = SlowFastFilling(
        TimePerceiverCard(
            perceiver=perceiver,
            stage=recipe.stage,
            projector=projector,
            segment=recipe.segment,
            key_grid=layout.key_grid,
            include_key=recipe.include_key,
            trained_for=TrainedFor(vlm=lasting_spec(vlm), fingerprint=vlm.weights),
            trained_on=vlm.trained_on,
        )
    )
    if filling is not None:
        _go_on(made, filling)
    elif made.projector is not None:
        made.projector.load_state_dict(vlm.hf.base_model.multi_modal_projector.state_dict())
    task = PerceiverTask(
        made.to(vlm.hf.device),
        language_model,
        vlm.hf.lm_head,
        vlm.extra_features(),
    )
    return PerceiverStart(vlm=vlm, strategy=strategy, task=task, is_trained=filling is not None)


def _language_model(vlm: VLM) -> nn.Module:
    """Returns the LLM without its head.

    Raises:
        InvalidOptionError: a time step is several frames, or the LLM reads more than embeddings.
    """
    inner = vlm.hf.base_model
    found = getattr(inner, "language_model", getattr(inner, "text_model", None))
    reads_layers = hasattr(vlm.config.vision_config, "deepstack_visual_indexes")
    if found is None or reads_layers or vlm.encoder.frames_per_step != 1:
        raise InvalidOptionError(
            f"{vlm.called!r} joins frames in pairs or adds tokens to deeper layers of its LLM, "
            "where segments cannot be condensed; take a LLaVA, LLaVA-OneVision or InternVL"
        )
    model: nn.Module = found
    return model


def _go_on(filling: SlowFastFilling, folder: Path) -> None:
    """Gives a network the weights of a trained one of its kind."""
    trained = load_filling(str(folder), device="cpu", dtype="float32")
    mine, theirs = (
        {**asdict(each.card), **asdict(each.card.trained_for)} for each in (filling, trained)
    )
    names = [name for name in mine if name not in ("trained_for", "trained_on", "vlm")]
    if other := [name for name in names if mine[name] != theirs[name]]:
        given = ", ".join(f"{name}={theirs[name]} and not {mine[name]}" for name in other)
        raise InvalidOptionError(
            f"filling={str(folder)!r} is a network with {given}; give the recipe and the vlm that "
            "it was trained with"
        )
    filling.load_state_dict(trained.state_dict())


def _projector(vlm: VLM) -> ProjectorConfig:
    """Returns what the projector of a LLaVA is like."""
    learned: Any = getattr(vlm.hf.base_model, "multi_modal_projector", None)
    names = set() if learned is None else {name.rpartition(".")[0] for name in learned.state_dict()}
    activation = getattr(vlm.config, "projector_hidden_act", None)
    if names != {"linear_1", "linear_2"} or activation != "gelu":
        raise InvalidOptionError(
            f"{vlm.called!r} has no projector of two linear layers that takes tokens one by one; "
            "train behind it with stage=post"
        )
    return ProjectorConfig(
        width=learned.linear_1.in_features,
        width_out=learned.linear_2.out_features,
        bias=learned.linear_1.bias is not None,
    )
