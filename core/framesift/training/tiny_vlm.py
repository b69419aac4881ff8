"""Trains the embedded tiny vision LLM: clips, vision tower, language model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from framesift.disk.writing import write_atomically
from framesift.errors import InvalidOptionError
from framesift.hf.checkpoint import load_tokenizer, model_type
from framesift.registry import require
from framesift.training.clips import Shard, make_shards, read_shards
from framesift.training.dialogs import Dialogs
from framesift.training.fit import fit
from framesift.training.language_stage import AnswerTask, seen_clips, seen_slides
from framesift.training.packing import rounded
from framesift.training.reading import page_address
from framesift.training.recipe import Recipe
from framesift.training.seen import numbered
from framesift.training.stills import make_stills, read_stills
from framesift.training.tiny_parts import ASSISTANT, END, PAD, USER, new_model, new_processor
from framesift.training.tower_stage import LabeledFrames, TowerTask, frames_of
from framesift.training.work_folder import claim, make_place
from framesift.vlms.origin import fingerprint

CURVES = "training.json"


def train(
    out: Path,
    recipe: Recipe,
    *,
    work: Path,
    announce: Callable[[str], None],
    vlm: Path | None = None,
) -> Path:
    """Trains the tiny model and returns the folder `out` with model, processor and curves.

    Args:
        out: folder for the model; written once it is trained.
        recipe: how much of what.
        work: folder for clips and checkpoints; a run that was broken off goes on from there.
        announce: takes a line about each stage when it begins.
        vlm: folder of a tiny model to go on with: its tower and its tokenizer stay as they are, and
            its language model learns. None begins with nothing.

    Raises:
        InvalidOptionError: `work` holds a run of another recipe or another model, `clips` are of
            other seeds than those for training, or `vlm` is another model than a tiny one.
        StorageError: `out` can be no folder.
    """
    given_model = None if vlm is None else load_model(vlm)
    begun = "" if vlm is None else fingerprint(str(vlm))
    # Clips and batches are the same whatever makes them.
    given = {name: value for name, value in asdict(recipe).items() if name != "processes"}
    claim(work, {**given, "begun": begun})
    make_place(out)
    if given_model is None:
        announce(f"drawing {recipe.stills} stills and {recipe.clips} clips")
        stills = make_stills(work / "stills", range(recipe.stills), processes=recipe.processes)
        processor = new_processor()
        model = new_model(processor.tokenizer, recipe.seed)
    else:
        announce(f"drawing {recipe.clips} clips")
        model, processor = given_model
    seeds = range(recipe.first_seed, recipe.first_seed + recipe.clips)
    shards = list(read_shards(make_shards(work / "clips", seeds, processes=recipe.processes)))
    images = processor.image_processor
    tower = TowerTask(model.model.vision_tower, images.image_mean, images.image_std)
    tower_curve = []
    if vlm is None:
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
    language_curve = _language_curve(model, processor, tower, shards, recipe, work, announce)
    save_model(model, processor, out)
    curves = {
        "recipe": asdict(recipe),
        "begun": begun,
        "tower": tower_curve,
        "language": language_curve,
    }
    write_atomically(out / CURVES, json.dumps(curves, indent=1).encode())
    return out


def _language_curve(
    model: Any,
    processor: Any,
    tower: TowerTask,
    shards: Sequence[Shard],
    recipe: Recipe,
    work: Path,
    announce: Callable[[str], None],
) -> list[dict[str, float]]:
    """Trains the language model and returns its curve."""
    seeds, processes = range(recipe.pages), recipe.processes
    pages = make_shards(work / "pages", seeds, processes=processes, address=page_address)
    until = f", at most {recipe.seconds:g} seconds" if recipe.seconds else ""
    announce(f"teaching the language model to answer, {recipe.language_steps} steps{until}")
    on_gpu = torch.cuda.is_available()
    special = special_ids(processor.tokenizer)
    tower = tower.to("cuda" if on_gpu else "cpu")
    clips = seen_clips(tower, shards, processes=recipe.processes)
    seen, tokens = numbered([*clips, *seen_slides(tower, list(read_shards(pages)))])
    dialogs = Dialogs(
        seen[: len(clips)],
        processor.tokenizer,
        special,
        size=recipe.language_batch,
        seed=recipe.seed,
        glimpses_first=recipe.glimpses_first,
        slides=seen[len(clips) :],
    )
    return fit(
        AnswerTask(model, special["user"], tokens),
        dialogs,
        folder=work / "language",
        steps=recipe.language_steps,
        batch_size=1,
        learning_rate=recipe.language_rate,
        seed=recipe.seed,
        collate=partial(_only, pad_id=special["pad"] if on_gpu else None),
        seconds=recipe.seconds,
        # A CPU that trains has no core to spare.
        loaders=recipe.processes if on_gpu else 0,
    )


def _only(batches: list[dict[str, Tensor]], *, pad_id: int | None) -> dict[str, Tensor]:
    """Returns the batch of a data set whose items are batches, padded if `pad_id` is given."""
    return batches[0] if pad_id is None else rounded(batches[0], pad_id)


def load_model(folder: Path) -> tuple[Any, Any]:
    """Returns model, in full precision, and processor of a folder that training wrote.

    Raises:
        InvalidOptionError: the folder holds another kind of model.
    """
    transformers = require("transformers", extra="hf")
    tokenizer = load_tokenizer(str(folder), trust_remote_code=False)
    if model_type(str(folder)) != "llava" or not {USER, ASSISTANT} <= tokenizer.get_vocab().keys():
        raise InvalidOptionError(
            f"vlm={folder.name!r} is not a tiny model; give the folder of one that framesift train "
            "tiny-vlm has made, or leave it out"
        )
    model = transformers.LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model, transformers.AutoProcessor.from_pretrained(folder)


def special_ids(tokenizer: Any) -> dict[str, int]:
    """Returns the token ids that prompts are put together from, by role."""
    tokens = {"pad": PAD, "user": USER, "assistant": ASSISTANT, "end": END}
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in tokens.items()}


def save_model(model: Any, processor: Any, out: Path) -> None:
    """Writes the model in half precision and its processor, as transformers reads them.

    What did not learn has the same bits as in the model that a training went on with.
    """
    make_place(out)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.to("cpu", torch.float16).save_pretrained(out)
    processor.save_pretrained(out)
