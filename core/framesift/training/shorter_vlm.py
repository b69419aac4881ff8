"""A shorter sibling of a tiny vision LLM: a layer of its language model taken out, then healed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from torch import nn

from framesift.disk.writing import write_atomically
from framesift.errors import InvalidOptionError
from framesift.training.clips import make_shards, read_shards
from framesift.training.dialogs import Dialogs
from framesift.training.fit import fit
from framesift.training.healing import HealingRecipe
from framesift.training.language_stage import AnswerTask, seen_clips
from framesift.training.tiny_vlm import CURVES, load_model, save_model, special_ids
from framesift.training.tower_stage import TowerTask
from framesift.training.work_folder import make_place

FIRST_SEED: Final = 500_000
"""Clips of the training split that the tiny model itself was not drawn."""


def shorten(
    vlm: Path, out: Path, recipe: HealingRecipe, *, work: Path, announce: Callable[[str], None]
) -> Path:
    """Returns the folder `out` with a model that has a layer less than the one in `vlm`.

    Args:
        vlm: folder of a model that `framesift train tiny-vlm` made.
        out: folder for the shorter model.
        recipe: which layer goes, and how the rest is healed.
        work: folder for clips and checkpoints; a run that was broken off goes on from there.
        announce: takes a line about each stage when it begins.

    Raises:
        InvalidOptionError: the language model has no such layer.
        StorageError: `out` can be no folder.
    """
    model, processor = load_model(vlm)
    take_out(model, recipe.layer)
    make_place(out)
    announce(f"drawing {recipe.clips} clips")
    seeds = range(FIRST_SEED, FIRST_SEED + recipe.clips)
    shards = list(read_shards(make_shards(work / "clips", seeds, processes=recipe.processes)))
    images, special = processor.image_processor, special_ids(processor.tokenizer)
    tower = TowerTask(model.model.vision_tower, images.image_mean, images.image_std)
    dialogs = Dialogs(
        seen_clips(tower, shards),
        processor.tokenizer,
        special,
        size=recipe.batch,
        seed=recipe.seed,
        glimpses_first=0,
    )
    announce(f"teaching the language model to answer without layer {recipe.layer}")
    curve = fit(
        AnswerTask(model, special["user"]),
        dialogs,
        folder=work / "language",
        steps=recipe.steps,
        batch_size=1,
        learning_rate=recipe.learning_rate,
        seed=recipe.seed,
        collate=lambda batches: batches[0],
    )
    save_model(model, processor, out)
    curves = {"recipe": asdict(recipe), "language": curve}
    write_atomically(out / CURVES, json.dumps(curves, indent=1).encode())
    return out


def take_out(model: Any, layer: int) -> None:
    """Takes a layer out of the language model of a LLaVA, in place.

    Raises:
        InvalidOptionError: there is no such layer, or no other one.
    """
    language, settings = model.model.language_model, model.config.text_config
    count = len(language.layers)
    if not layer < count or count < 2:
        raise InvalidOptionError(f"layer={layer} must be from 0 to {count - 1}, beside another one")
    left = [each for place, each in enumerate(language.layers) if place != layer]
    language.layers = nn.ModuleList(left)
    for place, each in enumerate(left):
        each.self_attn.layer_idx = place
    for config in (settings, language.config):
        config.num_hidden_layers = count - 1
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[: count - 1]
