"""Clips with questions, and what the batches that training makes of them hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from framesift.training.dialogs import Dialogs
from framesift.training.packing import seen_columns
from framesift.training.seen import Seen

FACTS = [("What is it?", "a red star"), ("Where?", "left"), ("How many of them?", "12")]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a batch without its padding."""

    features: Tensor
    """What is kept of the clip, `(K, D)`."""
    places: Tensor
    """Where it stands, `(K,)`."""
    text: Tensor
    labels: Tensor
    positions: Tensor
    """Where each of its columns stands, `(1 + K + Lt,)`."""
    columns: Tensor
    """Its columns in the whole prompt."""


def dialogs_of(
    clips: Sequence[Seen],
    tokenizer: Any,
    special: dict[str, int],
    *,
    size: int = 2,
    seed: int = 0,
    glimpses: int = 0,
    **options: float,
) -> Dialogs:
    """Returns batches of two clips without glimpses at first."""
    return Dialogs(
        clips, tokenizer, special, size=size, seed=seed, glimpses_first=glimpses, **options
    )


def seen(features: Tensor, facts: Sequence[tuple[str, str]] = FACTS) -> Seen:
    """Returns a clip of one frame a second whose questions are about all of it."""
    questions = [
        {
            "question": question,
            "answer": answer,
            "kind": "text",
            "start_seconds": 0.0,
            "end_seconds": float(len(features)),
        }
        for question, answer in facts
    ]
    times = tuple(map(float, range(len(features))))
    return Seen(features=features, times_seconds=times, questions=questions)


def noise(frames: int, *, patches: int = 9, seed: int = 0) -> Tensor:
    """Returns features `(frames, patches, 32)`."""
    return torch.randn(frames, patches, 32, generator=torch.Generator().manual_seed(seed))


def row_of(batch: dict[str, Tensor], row: int, special: dict[str, int]) -> Row:
    """Returns one row; padding is what no other column sees."""
    kept, length = batch["features"].shape[1], batch["text"].shape[1]
    text = int((batch["text"][row] != special["pad"]).sum())
    used = int(seen_columns(batch["parts"])[row, 0, kept + 1, : 1 + kept].sum()) - 1
    columns = torch.cat([torch.arange(1 + used), 1 + kept + torch.arange(text)])
    assert batch["positions"].shape[1] == 1 + kept + length
    return Row(
        features=batch["features"][row, :used],
        places=batch["positions"][row, 1 : 1 + used],
        text=batch["text"][row, :text],
        labels=batch["labels"][row, :text],
        positions=batch["positions"][row, columns],
        columns=columns,
    )
