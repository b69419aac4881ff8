"""The training loop, which is that of transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from framesift.registry import require
from framesift.training.optimizer import MuonAdamW

WEIGHT_DECAY = 0.05


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
) -> list[dict[str, float]]:
    """Trains in place, in bfloat16 autocast, and returns the curve: step and loss.

    A run that was broken off goes on from its last checkpoint in `folder`.
    """
    transformers = require("transformers", extra="hf")
    settings = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=batch_size,
        learning_rate=learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, steps // 20),
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        logging_steps=25,
        logging_first_step=True,
        save_steps=250,
        save_total_limit=1,
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        seed=seed,
    )
    trainer = transformers.Trainer(
        model=task,
        args=settings,
        train_dataset=dataset,
        data_collator=collate,
        optimizers=(MuonAdamW(task, learning_rate=learning_rate, weight_decay=WEIGHT_DECAY), None),
    )
    trainer.train(resume_from_checkpoint=any(folder.glob("checkpoint-*")))
    return [
        {"step": line["step"], "loss": line["loss"]}
        for line in trainer.state.log_history
        if "loss" in line
    ]
