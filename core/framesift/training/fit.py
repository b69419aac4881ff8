"""The training loop, which is that of transformers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from framesift.registry import require
from framesift.training.optimizer import MuonAdamW

WEIGHT_DECAY = 0.05
WARMUP = 0.05
"""Share of a run at which the learning rate rises."""


def fit(
    task: nn.Module,
    dataset: Any,
    *,
    folder: Path,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    collate: Callable[[list[Any]], dict[str, Any]] | None = None,
    seconds: float = 0.0,
    loaders: int = 0,
) -> list[dict[str, float]]:
    """Trains in place, in bfloat16 autocast, and returns the curve: step and loss.

    A run that was broken off goes on from its last checkpoint in `folder`.

    Args:
        task: what is trained; on a GPU where there is one, and left there.
        dataset: what it sees.
        folder: for checkpoints.
        steps: how many there are, or at most where `seconds` is given.
        batch_size: items of the dataset that `collate` joins.
        learning_rate: the largest one.
        seed: of the order.
        collate: joins items; by name of their tensors if None.
        seconds: how long the run takes at most; the learning rate then falls by the clock, so that
            it is done when the time is up. 0 leaves it at `steps`.
        loaders: processes that make batches ahead; 0 makes them between steps.
    """
    transformers = require("transformers", extra="hf")
    if loaders:
        # Else each tensor costs a talk with the process that made it, which is busy with the next.
        torch.multiprocessing.set_sharing_strategy("file_system")
    on_gpu = torch.cuda.is_available()
    settings = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=batch_size,
        learning_rate=learning_rate,
        bf16=True,
        use_cpu=not on_gpu,
        logging_steps=25,
        logging_first_step=True,
        save_steps=250,
        save_total_limit=1,
        report_to=[],
        remove_unused_columns=False,
        dataloader_num_workers=loaders,
        dataloader_pin_memory=False,
        accelerator_config={"dispatch_batches": False},
        seed=seed,
    )
    optimizer = MuonAdamW(task, learning_rate=learning_rate, weight_decay=WEIGHT_DECAY)
    pace = TrainingPace(steps, seconds)
    trainer = transformers.Trainer(
        model=task,
        args=settings,
        train_dataset=dataset,
        data_collator=collate,
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, pace)),
        callbacks=[_ending(pace)],
    )
    trainer.train(resume_from_checkpoint=any(folder.glob("checkpoint-*")))
    log = trainer.state.log_history
    return [{"step": line["step"], "loss": line["loss"]} for line in log if "loss" in line]


class TrainingPace:
    """The learning rate as a share of the largest: it rises, then falls along a cosine.

    The scheduler keeps its attributes in checkpoints, so a run that goes on has spent what it had.
    """

    def __init__(self, steps: int, seconds: float) -> None:
        self.steps = steps
        self.seconds = seconds
        self.spent_seconds = 0.0

    def __call__(self, step: int) -> float:
        """Returns the share at a step."""
        done = self.done(step)
        if done < WARMUP:
            return max(done, 1 / max(1, self.steps)) / WARMUP
        return 0.5 * (1 + math.cos(math.pi * (done - WARMUP) / (1 - WARMUP)))

    def done(self, step: int) -> float:
        """Returns the share of the run that is done, 0 to 1, by its steps or by the clock."""
        by_clock = self.spent_seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(step / self.steps, by_clock))


def _ending(pace: TrainingPace) -> Any:
    """Returns a callback of the trainer that counts time and ends a run when it is up."""
    callback: Any = require("transformers", extra="hf").TrainerCallback

    class Ending(callback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.before = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            now = time.monotonic()
            pace.spent_seconds += now - self.before
            self.before = now
            if pace.done(state.global_step) >= 1:
                control.should_training_stop = True

    return Ending()
