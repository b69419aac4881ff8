"""The stages of training, each by the trainer of transformers, with checkpoints and measures."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from framesift.disk.writing import json_value, write_atomically
from framesift.errors import InvalidOptionError
from framesift.registry import require
from framesift.training import processes
from framesift.training.optimizer import MuonAdamW
from framesift.training.staged_recipe import StagedRecipe, StageRecipe

LEARNED = "learned.safetensors"
CURVE = "curve.json"
LOSSES = {"loss", "held_out_loss"}
"""What lines of a curve hold one of."""
Curve = list[dict[str, float]]
Measure = Callable[[int], dict[str, float]]
"""Takes the number of steps so far and returns what is to be kept of the network as it is now."""


class Batches(Protocol):
    """A data set of torch whose items are the parts of batches, each always the same."""

    @property
    def steps(self) -> int:
        """Batches in all."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, item: int) -> dict[str, Tensor]: ...


def trained(
    task: nn.Module,
    batches: Batches,
    *,
    folder: Path,
    recipe: StagedRecipe,
    stage: StageRecipe,
    measure: Measure | None,
) -> Curve:
    """Trains what is not frozen of a task, and returns its curve.

    A stage that was broken off goes on from its last checkpoint in `folder`; of one that is done
    the weights are read.

    Args:
        task: what is trained, in place.
        batches: what it sees.
        folder: for checkpoints and the weights.
        recipe: the whole recipe.
        stage: the part about this stage.
        measure: called every `measure_every` steps and at the end.
    """
    if (folder / LEARNED).is_file():
        task.load_state_dict(load_file(folder / LEARNED), strict=False)
        return _read_curve(folder)
    transformers = require("transformers", extra="hf")
    steps = batches.steps
    trainer = transformers.Trainer(
        model=task,
        args=_arguments(folder, recipe, stage, steps),
        train_dataset=batches,
        data_collator=lambda parts: parts[0],
        optimizers=(_optimizer(task, stage), None),
        callbacks=[] if measure is None else [_measuring(measure, recipe.measure_every)],
    )
    # Without a bar the trainer would print its log.
    trainer.remove_callback(transformers.PrinterCallback)
    with processes.main_first():
        whole = _last_whole_checkpoint(folder)
    trainer.train(resume_from_checkpoint=None if whole is None else str(whole))
    curve = [
        {name: value for name, value in line.items() if name != "epoch"}
        for line in trainer.state.log_history
        if LOSSES & line.keys()
    ]
    learned = {name for name, value in task.named_parameters() if value.requires_grad}
    weights = {
        name: value.detach().cpu().contiguous()
        for name, value in task.state_dict().items()
        if name in learned
    }
    _write_curve(folder, curve)
    write_atomically(folder / LEARNED, save(weights))
    return curve


def _optimizer(task: nn.Module, stage: StageRecipe) -> MuonAdamW | None:
    """Returns the optimizer of a stage, None for the trainer's own AdamW."""
    if stage.optimizer == "adamw":
        return None
    return MuonAdamW(task, learning_rate=stage.learning_rate, weight_decay=stage.weight_decay)


def _last_whole_checkpoint(folder: Path) -> Path | None:
    """Returns the last checkpoint of a stage, without those that were cut off; they are removed."""
    found: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*"):
        step = path.name.partition("-")[2]
        if not (path.is_dir() and step.isdecimal()):
            continue
        # The trainer writes its own state when all else is there.
        state = path / "trainer_state.json"
        if state.is_file() and isinstance(json_value(state.read_bytes()), dict):
            found[int(step)] = path
        else:
            shutil.rmtree(path)
    return found[max(found)] if found else None


def _arguments(folder: Path, recipe: StagedRecipe, stage: StageRecipe, steps: int) -> Any:
    transformers = require("transformers", extra="hf")
    on_gpu, together = torch.cuda.is_available(), processes.count()
    if recipe.accumulation % together:
        raise InvalidOptionError(
            f"accumulation={recipe.accumulation} parts of a batch cannot be shared by {together} "
            "processes; pass a multiple of their number"
        )
    precision: str = recipe.precision
    if precision == "auto" and on_gpu:
        precision = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=recipe.accumulation // together,
        train_sampling_strategy="sequential",
        learning_rate=stage.learning_rate,
        weight_decay=stage.weight_decay,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, round(stage.warmup * steps)),
        bf16=precision == "bfloat16",
        fp16=precision == "float16" and on_gpu,
        use_cpu=not on_gpu,
        logging_steps=min(25, max(1, steps // 10)),
        logging_first_step=True,
        save_steps=recipe.measure_every,
        save_total_limit=1,
        report_to=[],
        disable_tqdm=not sys.stderr.isatty(),
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        label_names=["labels"],
        seed=recipe.seed,
    )


def _measuring(measure: Measure, every: int) -> Any:
    """Returns a callback of the trainer that puts measures into its history."""
    callback: Any = require("transformers", extra="hf").TrainerCallback

    class Measuring(callback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step % every == 0 or state.global_step == state.max_steps:
                state.log_history.append({**measure(state.global_step), "step": state.global_step})

    return Measuring()


def _read_curve(folder: Path) -> Curve:
    curve: Curve = json.loads((folder / CURVE).read_text())
    return curve


def _write_curve(folder: Path, curve: Curve) -> None:
    write_atomically(folder / CURVE, json.dumps(curve).encode())
