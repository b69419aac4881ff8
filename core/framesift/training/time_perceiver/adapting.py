"""What learns in each stage; in the second one the LLM too, and it is kept."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from framesift.errors import InvalidOptionError
from framesift.hf import checkpoint
from framesift.hf.checkpoint_reading import folder_of
from framesift.nn.time_perceiver_files import TrainedFor
from framesift.registry import registered_name
from framesift.training import lora
from framesift.training.time_perceiver.recipe import PerceiverRecipe
from framesift.training.time_perceiver.task import PerceiverTask
from framesift.vlms.base import VLM
from framesift.vlms.origin import fingerprint

FOLDER: Final = "vlm"
"""Folder of the trained vision LLM, in that of the network."""
WEIGHTS: Final = ("*.safetensors", "*.index.json", "*.bin", "*.md", "training.json")


def with_own_weights(vlm: VLM) -> VLM:
    """Returns a vision LLM that shares its weights with no other one, since they will change.

    Raises:
        InvalidOptionError: its weights are quantized, which none can train.
    """
    if vlm.quantize is not None:
        raise InvalidOptionError(
            f"quantize={vlm.quantize!r} leaves weights that do not learn; leave it out"
        )
    own = replace(vlm)
    vars(own)["hf"] = checkpoint.load_model(
        vlm.model,
        vlm.model_types,
        device=vlm.device,
        dtype=vlm.dtype,
        quantize=None,
        trust_remote_code=vlm.trust_remote_code,
        attention=vlm.attention,
    )
    return own


def freeze_for_stage_1(task: PerceiverTask, recipe: PerceiverRecipe) -> None:
    """Leaves the network and its projector to learn."""
    task.requires_grad_(False)
    task.filling.requires_grad_(True)
    _checkpoint_layers(task, recipe)


def adapt_for_stage_2(task: PerceiverTask, recipe: PerceiverRecipe) -> None:
    """Lets the LLM learn with the network: all of it, or adapters that are added to it."""
    task.requires_grad_(False)
    if recipe.llm == "all":
        task.requires_grad_(True)
    else:
        task.language_model = lora.adapted(task.language_model, recipe)
    task.filling.requires_grad_(True)
    _checkpoint_layers(task, recipe)


def _checkpoint_layers(task: PerceiverTask, recipe: PerceiverRecipe) -> None:
    if not recipe.checkpoint_layers:
        return
    model = task.language_model
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable()
    else:  # before transformers 5.20
        model.gradient_checkpointing_enable({"use_reentrant": False})


def save_adapted(task: PerceiverTask, vlm: VLM, folder: Path) -> TrainedFor:
    """Writes the vision LLM with all that was learned, and returns how a network names it.

    Args:
        task: what was trained.
        vlm: the vision LLM, whose LLM the task has.
        folder: where it goes; its tokenizer and processor are those that it had.
    """
    task.language_model = lora.merged(task.language_model)
    model: Any = vlm.hf
    if task.filling.projector is not None:
        learned = task.filling.projector.state_dict()
        model.base_model.multi_modal_projector.load_state_dict(learned)
    kind = getattr(vlm.config, "dtype", None) or model.dtype
    model.to(kind).save_pretrained(folder)
    source = folder_of(vlm.model)
    for path in sorted(source.iterdir()) if source is not None else ():
        kept = path.is_file() and not any(path.match(each) for each in WEIGHTS)
        if kept and not (folder / path.name).exists():
            shutil.copyfile(path, folder / path.name)
    spec = f"{registered_name(type(vlm))}:model=[{FOLDER}]"
    return TrainedFor(vlm=spec, fingerprint=fingerprint(str(folder)))
