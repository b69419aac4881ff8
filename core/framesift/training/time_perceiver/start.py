"""What a training of the TimePerceiver begins with: a vision LLM and a network that pools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from framesift.errors import InvalidOptionError
from framesift.nn.time_perceiver import TimePerceiverConfig
from framesift.nn.time_perceiver_files import (
    ProjectorConfig,
    SlowFastFilling,
    TimePerceiverCard,
    TrainedFor,
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


def begin(name: str, recipe: PerceiverRecipe) -> PerceiverStart:
    """Returns a start with a vision LLM.

    Args:
        name: registered name, hub id or folder, as `--vlm` takes it.
        recipe: what the network is like.

    Raises:
        InvalidOptionError: its projector takes no tokens one by one, and `recipe.stage` is "pre".
    """
    vlm = load_vlm(name, device=processes.device())
    if recipe.stage_2.epochs:
        vlm = with_own_weights(vlm)
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
    filling = SlowFastFilling(
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
    if filling.projector is not None:
        learned = vlm.hf.base_model.multi_modal_projector.state_dict()
        filling.projector.load_state_dict(learned)
    task = PerceiverTask(
        filling.to(vlm.hf.device),
        vlm.hf.base_model.language_model,
        vlm.hf.lm_head,
        vlm.extra_features(),
    )
    return PerceiverStart(vlm=vlm, strategy=strategy, task=task)


def _projector(vlm: VLM) -> ProjectorConfig:
    """Returns what the projector of a LLaVA is like."""
    learned: Any = getattr(vlm.hf.base_model, "multi_modal_projector", None)
    parts = ("linear_1", "linear_2")
    activation = getattr(vlm.config, "projector_hidden_act", None)
    if any(not hasattr(learned, part) for part in parts) or activation != "gelu":
        raise InvalidOptionError(
            f"{vlm.called!r} has no projector of two linear layers that takes tokens one by one; "
            "train behind it with stage=post"
        )
    return ProjectorConfig(
        width=learned.linear_1.in_features,
        width_out=learned.linear_2.out_features,
        bias=learned.linear_1.bias is not None,
    )
