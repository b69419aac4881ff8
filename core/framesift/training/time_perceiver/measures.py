"""How many answers about held-out videos are foretold, by kind of question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from framesift.training.packing import IGNORED_LABEL
from framesift.training.time_perceiver.dataset import PerceiverBatches, collated
from framesift.training.time_perceiver.lessons import TaughtVideo
from framesift.training.time_perceiver.task import PerceiverTask

VIDEOS_AT_ONCE = 8


@torch.no_grad()
def measured(
    task: PerceiverTask, batches: PerceiverBatches, videos: Sequence[TaughtVideo]
) -> dict[str, float]:
    """Returns the loss, and the shares of answers of which every token is foretold.

    `right` is that of all questions, `right_KIND` of those of a kind.
    """
    was_training = task.training
    task.eval()
    device = task.extra.device
    loss, labels = 0.0, 0
    asked: Counter[str] = Counter()
    right: Counter[str] = Counter()
    ordered = sorted(videos, key=lambda video: len(video.times_seconds))
    for start in range(0, len(ordered), VIDEOS_AT_ONCE):
        some = ordered[start : start + VIDEOS_AT_ONCE]
        looked = [batches.looked(video, video.lessons) for video in some]
        batch = collated(looked)
        out = task(**{name: value.to(device) for name, value in batch.items()})
        wanted = batch["labels"][:, 1:] != IGNORED_LABEL
        wrong = torch.zeros_like(wanted)
        wrong[wanted] = out["guess"].cpu() != batch["labels"][:, 1:][wanted]
        loss, labels = loss + float(out["loss"]) * int(wanted.sum()), labels + int(wanted.sum())
        for row, video in enumerate(some):
            parts = looked[row].prompt.parts
            for number, lesson in enumerate(video.lessons, start=1):
                own = (parts == number).nonzero().flatten() - 1
                for name in ("", lesson.kind):
                    asked[name] += 1
                    right[name] += not bool(wrong[row, own].any())
    task.train(was_training)
    shares = {f"right_{name}" if name else "right": right[name] / asked[name] for name in asked}
    return {"loss": loss / labels, **shares}
