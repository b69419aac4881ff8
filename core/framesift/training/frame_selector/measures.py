"""How well a network ranks the frames of held-out videos."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from framesift.training.frame_selector.dataset import SelectorBatches
from framesift.training.frame_selector.labeled import LabeledQuestion
from framesift.training.frame_selector.task import SelectorTask

BEST = 4
"""Frames that are picked."""
ROWS_AT_ONCE = 16


@torch.no_grad()
def measured(
    task: SelectorTask, batches: SelectorBatches, questions: Sequence[LabeledQuestion]
) -> dict[str, float]:
    """Returns the loss, and the mean label of the best four frames by different scores.

    `picked` is that of the frames with the highest scores, `any` of all frames, `best` of those
    with the highest labels; `gain` is the share of the way from `any` to `best`.
    """
    was_training = task.training
    task.eval()
    device = task.network.query.device
    losses, picked, any_, best = [], [], [], []
    rows = sorted(questions, key=lambda row: len(row.labels))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        batch = batches.scoring(rows[start : start + ROWS_AT_ONCE], None)
        out = task(**{name: value.to(device) for name, value in batch.items()})
        losses += [float(out["loss"])] * len(batch["labels"])
        hidden = batch["weights"] == 0
        scores = out["logits"].cpu().masked_fill(hidden, -torch.inf)
        labels = batch["labels"]
        for i, keep in enumerate(~hidden):
            real, of = labels[i][keep], scores[i][keep]
            count = min(BEST, len(real))
            picked.append(float(real[of.topk(count).indices].mean()))
            best.append(float(real.topk(count).values.mean()))
            any_.append(float(real.mean()))
    task.train(was_training)
    means = {
        name: sum(values) / len(values)
        for name, values in (("loss", losses), ("picked", picked), ("any", any_), ("best", best))
    }
    way = means["best"] - means["any"]
    return {**means, "gain": (means["picked"] - means["any"]) / way if way > 0 else 0.0}
