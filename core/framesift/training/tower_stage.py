"""First stage: the vision tower learns what each patch shows, and its summary token what is there.

A language loss alone teaches a small tower little about places and digits; labels of patches do so
in minutes. They also keep what a patch token says local, so that dropping tokens has a price.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from framesift.training.clips import Shard
from framesift.training.labels import CLASSES, NOTHING, frame_labels
from framesift.training.stills import Arrays, stacked

SUMMARY: Final = {name: CLASSES[name] for name in ("kind", "color", "shape", "tens", "ones")}
"""Classes that the summary token must know the presence of, in the whole frame."""
SMALL: Final = frozenset({"number", "code", "event", "text"})


class LabeledFrames(torch.utils.data.Dataset[dict[str, Tensor]]):
    """Frames in memory with the labels of their patches."""

    def __init__(self, *parts: Arrays) -> None:
        self.columns = {
            name: torch.from_numpy(np.concatenate([part[name] for part in parts]))
            for name in parts[0]
        }

    def __len__(self) -> int:
        return len(self.columns["pixels"])

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        return {name: column[item] for name, column in self.columns.items()}


def frames_of(shards: Sequence[Shard]) -> Arrays:
    """Returns the frames of clips in which something small is shown, and every fourth other."""
    return stacked([(pixels, labels) for shard in shards for pixels, labels in _telling(shard)])


def _telling(shard: Shard) -> Iterator[tuple[Any, Any]]:
    for clip in shard.clips:
        events = clip.truth["events"]
        for number, seconds in enumerate(clip.times_seconds):
            now = (e for e in events if e["start_seconds"] <= seconds < e["end_seconds"])
            if number % 4 == 0 or any(event["kind"] in SMALL for event in now):
                yield np.array(shard.frames[clip.start + number]), frame_labels(events, seconds)


class TowerTask(nn.Module):
    """The tower under linear heads that read its patches and its summary token."""

    def __init__(self, tower: Any, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.tower = tower
        width = tower.config.hidden_size
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width, count) for name, count in CLASSES.items()}
        )
        self.where = nn.Linear(width, 2)
        self.summary = nn.Linear(width, sum(SUMMARY.values()))
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean)[:, None, None] * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None] * 255, persistent=False)

    def patches(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns penultimate patch features `(B, 64, D)` and the last summary token `(B, D)`."""
        normal = (pixels.permute(0, 3, 1, 2).float() - self.mean) / self.std
        seen = self.tower(normal, output_hidden_states=True)
        return seen.hidden_states[-2][:, 1:].float(), seen.last_hidden_state[:, 0].float()

    def forward(self, pixels: Tensor, **labels: Tensor) -> dict[str, Tensor]:
        """Returns the loss, and of each label the share of patches that are read right."""
        patches, summary = self.patches(pixels)
        losses, right = [], {}
        for name, head in self.heads.items():
            answer, truth = head(patches), labels[name]
            labelled = (truth != NOTHING).sum().clamp(min=1)
            missed = functional.cross_entropy(
                answer.flatten(0, 1), truth.flatten(), ignore_index=NOTHING, reduction="sum"
            )
            losses.append(missed / labelled)
            right[name] = (answer.argmax(-1) == truth).sum() / labelled
        away = functional.smooth_l1_loss(self.where(patches), labels["where"], reduction="none")
        of_things = labels["kind"] > 0
        losses += [_mean(away[~of_things]), _mean(away[of_things])]
        there = torch.cat([_there(labels[name], count) for name, count in SUMMARY.items()], dim=1)
        of_summary = functional.binary_cross_entropy_with_logits(self.summary(summary), there)
        return {"loss": torch.stack([*losses, 3 * of_summary]).sum(), **right}


def _mean(values: Tensor) -> Tensor:
    """Returns the mean, 0 of none."""
    return values.sum() / max(1, values.numel())


def _there(truth: Tensor, count: int) -> Tensor:
    """Returns which classes some patch of a frame shows, float `(B, count)`."""
    return torch.stack([(truth == answer).any(1) for answer in range(count)], dim=1).float()
