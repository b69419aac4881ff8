"""Second stage: projector and language model learn to answer; the tower stays as it is."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from framesift.training.clips import LabeledClip, Shard
from framesift.training.course_labels import COURSE, MEASURED, course_labels
from framesift.training.labels import NOTHING, Labels, frame_labels
from framesift.training.packing import IGNORED_LABEL, seen_columns
from framesift.training.seen import Seen
from framesift.training.tower_stage import TowerTask

FRAMES_AT_ONCE = 256
COURSE_LAYER = 2
"""Layers of the language model after which a visual token must know the course of the clip."""
COURSE_SHARE = 0.3
"""Weight of each of those lessons beside the answers."""


class AnswerTask(nn.Module):
    """A LLaVA model that answers packed questions about videos given as tower features.

    The head that gives the next token shares the weights of the embedding. Heads that the model
    does not keep read from the visual tokens what happened before.
    """

    def __init__(self, model: Any, user_id: int, tokens: Tensor | None = None) -> None:
        """Takes a model and, where batches name visual tokens by number, all of them `(M, D)`."""
        super().__init__()
        self.tokens: Tensor | None
        self.register_buffer("tokens", tokens, persistent=False)
        self.projector = model.model.multi_modal_projector
        self.language_model = model.model.language_model
        self.user_id = user_id
        width = self.language_model.config.hidden_size
        self.course = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, count))
                for name, count in {**COURSE, **dict.fromkeys(MEASURED, 2)}.items()
            }
        )

    def forward(
        self,
        features: Tensor,
        text: Tensor,
        labels: Tensor,
        positions: Tensor,
        parts: Tensor,
        motion: Tensor,
        rank: Tensor,
        before: Tensor,
        where: Tensor,
        shift: Tensor,
    ) -> dict[str, Tensor]:
        """Returns the loss over answers and course, and the best guess at each column of text."""
        embed = self.language_model.get_input_embeddings()
        user = embed(text.new_full((len(text), 1), self.user_id))
        if self.tokens is not None:
            features = self.tokens[features[..., 0]]
        visual = self.projector(features.to(user.dtype)).to(user.dtype)
        prompt = torch.cat([user, visual, embed(text)], dim=1)
        read = self.language_model(
            inputs_embeds=prompt,
            attention_mask=seen_columns(parts),
            position_ids=positions,
            use_cache=False,
            output_hidden_states=True,
        )
        answers = read.last_hidden_state[:, 1 + features.shape[1] : -1]
        logits = functional.linear(answers, embed.weight).float()
        loss = functional.cross_entropy(
            logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED_LABEL
        )
        visual = read.hidden_states[COURSE_LAYER][:, 1 : 1 + features.shape[1]]
        course = {"motion": motion, "rank": rank, "before": before}
        lessons = [_lesson(self.course[name](visual), classes) for name, classes in course.items()]
        measured = {"where": where, "shift": shift}
        lessons += [_measured(self.course[name](visual), truth) for name, truth in measured.items()]
        return {
            "loss": loss + COURSE_SHARE * torch.stack(lessons).sum(),
            "guess": logits.argmax(-1),
        }


def _lesson(guess: Tensor, classes: Tensor) -> Tensor:
    """Returns the mean loss over the tokens `(B, K)` that have a class, 0 of none."""
    missed = functional.cross_entropy(
        guess.float().flatten(0, 1), classes.flatten(), ignore_index=NOTHING, reduction="sum"
    )
    return missed / (classes != NOTHING).sum().clamp(min=1)


def _measured(guess: Tensor, truth: Tensor) -> Tensor:
    """Returns the mean loss over the tokens with a measured truth, 0 of none."""
    known = ~truth.isnan()
    missed = functional.smooth_l1_loss(guess.float(), truth.nan_to_num(), reduction="none")
    return (missed * known).sum() / known.sum().clamp(min=1)


@torch.no_grad()
def seen_clips(task: TowerTask, shards: Sequence[Shard], *, processes: int = 1) -> list[Seen]:
    """Returns the tower's features of all clips, in half precision.

    Args:
        task: the tower; where it is, features are computed.
        shards: the clips.
        processes: how many work out the labels.
    """
    clips = []
    courses = iter(_courses([clip for shard in shards for clip in shard.clips], processes))
    for shard in shards:
        features = _features(task, shard)
        clips += [
            Seen(
                features=features[clip.start : clip.start + len(clip.times_seconds)],
                times_seconds=clip.times_seconds,
                questions=clip.truth["questions"],
                events=clip.truth["events"],
                course={name: torch.from_numpy(values) for name, values in next(courses).items()},
            )
            for clip in shard.clips
        ]
    return clips


@torch.no_grad()
def seen_slides(task: TowerTask, shards: Sequence[Shard]) -> list[Seen]:
    """Returns the tower's features of clips of slides, which it cannot read."""
    return [
        Seen(
            features=features[clip.start : clip.start + len(clip.times_seconds)],
            times_seconds=clip.times_seconds,
            questions=(),
        )
        for shard in shards
        for features in [_features(task, shard)]
        for clip in shard.clips
    ]


def _features(task: TowerTask, shard: Shard) -> Tensor:
    task.eval()
    parts = torch.tensor(shard.frames).split(FRAMES_AT_ONCE)
    return torch.cat([task.patches(part.to(task.mean.device))[0].half().cpu() for part in parts])


def _courses(clips: Sequence[LabeledClip], processes: int) -> list[Labels]:
    if processes == 1:
        return [_course(clip) for clip in clips]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(_course, clips, chunksize=16)


def _course(clip: LabeledClip) -> Labels:
    """Returns the labels of a clip by name of `COURSE` and `MEASURED`."""
    events, times = clip.truth["events"], clip.times_seconds
    seen = [frame_labels(events, seconds) for seconds in times]
    where = np.stack([frame["where"] for frame in seen])
    where[np.stack([frame["kind"] for frame in seen]) == 0] = np.nan
    return {**course_labels(events, times), "where": where}
