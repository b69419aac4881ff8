"""Trains the embedded tiny vision LLM from nothing: clips, vision tower, language model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from framesift.disk.writing import write_atomically
from framesift.training.clips import make_shards, read_shards
from framesift.training.dialogs import Dialogs
from framesift.training.fit import fit
from framesift.training.language_stage import AnswerTask, seen_clips
from framesift.training.recipe import Recipe
from framesift.training.stills import make_stills, read_stills
from framesift.training.tiny_parts import ASSISTANT, END, PAD, USER, new_model, new_processor
from framesift.training.tower_stage import LabeledFrames, TowerTask, frames_of
from framesift.training.work_folder import claim

CURVES = "training.json"


def train(out: Path, recipe: Recipe, *, work: Path, announce: Callable[[str], None]) -> Path:
    """Trains the tiny model and returns the folder `out` with model, processor and curves.

    Args:
        out: folder for the model; written once it is trained.
        recipe: how much of what.
        work: folder for clips and checkpoints; a run that was broken off goes on from there.
        announce: takes a line about each stage when it begins.

    Raises:
        InvalidOptionError: `work` holds a run of another recipe.
    """
    # Clips are the same whatever draws them.
    claim(work, {name: value for name, value in asdict(recipe).items() if name != "processes"})
    announce(f"drawing {recipe.stills} stills and {recipe.clips} clips")
    stills = make_stills(work / "stills", range(recipe.stills), processes=recipe.processes)
    shards = list(
        read_shards(make_shards(work / "clips", range(recipe.clips), processes=recipe.processes))
    )
    processor = new_processor()
    model = new_model(processor.tokenizer, recipe.seed)
    images = processor.image_processor
    tower = TowerTask(model.model.vision_tower, images.image_mean, images.image_std)
    announce(f"teaching the vision tower what patches show, {recipe.tower_steps} steps")
    tower_curve = fit(
        tower,
        LabeledFrames(read_stills(stills), frames_of(shards)),
        folder=work / "tower",
        steps=recipe.tower_steps,
        batch_size=recipe.tower_batch,
        learning_rate=1.2e-3,
        seed=recipe.seed,
    )
    announce(f"teaching the language model to answer, {recipe.language_steps} steps")
    special = special_ids(processor.tokenizer)
    dialogs = Dialogs(
        seen_clips(tower, shards),
        processor.tokenizer,
        special,
        size=recipe.language_batch,
        seed=recipe.seed,
        glimpses_first=recipe.glimpses_first,
    )
    language_curve = fit(
        AnswerTask(model, special["user"]),
        dialogs,
        folder=work / "language",
        steps=recipe.language_steps,
        batch_size=1,
        learning_rate=1e-3,
        seed=recipe.seed,
        collate=lambda batches: batches[0],
    )
    save_model(model, processor, out)
    curves = {"recipe": asdict(recipe), "tower": tower_curve, "language": language_curve}
    write_atomically(out / CURVES, json.dumps(curves, indent=1).encode())
    return out


def special_ids(tokenizer: Any) -> dict[str, int]:
    """Returns the token ids that prompts are put together from, by role."""
    tokens = {"pad": PAD, "user": USER, "assistant": ASSISTANT, "end": END}
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in tokens.items()}


def save_model(model: Any, processor: Any, out: Path) -> None:
    """Writes the model in half precision and its processor, as transformers reads them."""
    out.mkdir(parents=True, exist_ok=True)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.to(torch.float16).save_pretrained(out)
    processor.save_pretrained(out)
