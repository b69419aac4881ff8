"""Batches of videos with packed questions: what makes each of them follows from the seed alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from framesift.strategies.slow_fast import SlowFast
from framesift.strategies.slow_fast_layout import SlowFastRows
from framesift.synthetic.paraphrases import beside_text
from framesift.synthetic.wordings import worded
from framesift.training.batches import planned_batches
from framesift.training.packing import IGNORED_LABEL, PADDING, seen_columns
from framesift.training.time_perceiver.lessons import Lesson, TaughtVideo
from framesift.training.time_perceiver.prompts import PackedPrompt, PromptPacker
from framesift.training.time_perceiver.recipe import PerceiverRecipe
from framesift.types.tokens import VideoTokens
from framesift.vlms.base import VLM

BESIDE_TEXT = 0.1
"""Share of questions about synthetic videos that stand behind other text."""
ALL_SHOWN = 0.5
"""Share of the videos of a batch all of whose frames are shown, where some show fewer."""
ROWS_KEPT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A video as the task takes it."""

    pooled: Tensor
    """Means of the rows of its plan, `(R, C)`."""
    frames: Tensor
    """Tokens of the segments with temporal rows, `(S, F, N, C)`."""
    live: Tensor
    """Which frames take part, bool `(S, F)`."""
    rows: Tensor
    """Temporal rows, int64 `(V,)`."""
    cells: Tensor
    """Which of the `S * K` outputs each of them is, int64 `(V,)`."""
    cells_each: int
    """Outputs `K` of a segment."""
    prompt: PackedPrompt


class PerceiverBatches(torch.utils.data.Dataset[dict[str, Tensor]]):
    """The parts of batches that go through the network at once; item `i` is always the same."""

    def __init__(
        self,
        videos: Sequence[TaughtVideo],
        vlm: VLM,
        strategy: SlowFast,
        *,
        recipe: PerceiverRecipe,
        epochs: float,
        name: str,
    ) -> None:
        """Takes what is learned from.

        Args:
            videos: at least one.
            vlm: makes the prompts.
            strategy: makes the plans.
            recipe: sizes of batches, seed and number of frames.
            epochs: how often each video comes.
            name: of the stage, so that stages draw differently.
        """
        self.videos = videos
        self.vlm = vlm
        self.strategy = strategy
        self.recipe = recipe
        self.name = name
        self.packer = PromptPacker(vlm)
        self._rows = lru_cache(maxsize=ROWS_KEPT)(self._rows_anew)
        plan = planned_batches(
            list(range(len(videos))),
            size=recipe.batch,
            epochs=epochs,
            length=lambda i: len(videos[i].times_seconds),
            rng=random.Random(f"{recipe.seed} {name}"),
        )
        size = recipe.batch // recipe.accumulation
        self.parts = [
            batch[start : start + size] for batch in plan for start in range(0, len(batch), size)
        ]
        self.steps = len(plan)
        """Batches in all."""

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        rng = random.Random(f"{self.recipe.seed} {self.name} {item}")
        rows = [self.videos[i] for i in self.parts[item]]
        return collated([self.looked(video, self._drawn(video, rng), rng) for video in rows])

    def looked(
        self, video: TaughtVideo, lessons: Sequence[Lesson], rng: random.Random | None = None
    ) -> Looked:
        """Returns a video with some of its lessons; without `rng` all of its frames are shown."""
        features = video.features()
        rows = self._rows(len(features), self._shown(len(features), rng))
        return _looked(features, rows, self.packer.packed(rows.plan, video.times_seconds, lessons))

    def segments(self, item: int) -> dict[str, Tensor]:
        """Returns the segments of a part of a batch alone: `frames` and `live` as in `Looked`."""
        found = []
        for features in (self.videos[i].features() for i in self.parts[item]):
            frame, taken, _ = self._rows(len(features), len(features)).timed()
            found.append((features[frame], taken))
        return _joined(found)

    def _rows_anew(self, frames: int, shown: int) -> SlowFastRows:
        """Returns the rows of a video of some frames, of which a number is shown."""
        grid = self.vlm.encoder.grid
        tokens = VideoTokens(
            features=torch.zeros(frames, grid[0] * grid[1], 1),
            grid=grid,
            pts_seconds=torch.arange(frames, dtype=torch.float64),
        )
        budget = self.strategy.layout_on(grid).count(shown)
        used = self.strategy.plan(tokens, budget).used.view(frames, -1).any(1)
        return self.strategy.rows(tokens, used.nonzero().flatten().tolist())

    def _shown(self, frames: int, rng: random.Random | None) -> int:
        """Returns how many frames are shown: all, or every second time a part of them."""
        if rng is None or self.recipe.fewest == 1 or rng.random() < ALL_SHOWN:
            return frames
        return max(1, round(rng.uniform(self.recipe.fewest, 1) * frames))

    def _drawn(self, video: TaughtVideo, rng: random.Random) -> list[Lesson]:
        chosen = rng.sample(list(video.lessons), min(self.recipe.questions, len(video.lessons)))
        if not video.is_synthetic:
            return chosen
        return [
            Lesson(question=_varied(each.question, rng), answer=each.answer, kind=each.kind)
            for each in chosen
        ]


class SegmentBatches(torch.utils.data.Dataset[dict[str, Tensor]]):
    """The segments of the videos of batches, for a task without an LLM."""

    def __init__(self, batches: PerceiverBatches) -> None:
        self.batches = batches
        self.steps = batches.steps

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        return self.batches.segments(item)


def collated(videos: Sequence[Looked]) -> dict[str, Tensor]:
    """Returns the arguments of `PerceiverTask.forward` for some videos."""
    most = max(len(video.pooled) for video in videos)
    length = max(len(video.prompt.ids) for video in videos)
    filled: dict[str, list[Tensor]] = {}
    first = 0
    for number, video in enumerate(videos):
        prompt, missing = video.prompt, length - len(video.prompt.ids)
        added = prompt.rows < 0
        columns = {
            "pooled": pad(video.pooled, (0, 0, 0, most - len(video.pooled))),
            "rows_at": video.rows + number * most,
            "cells_at": video.cells + first,
            "ids": pad(prompt.ids, (0, missing)),
            "positions": pad(prompt.positions, (0, missing)),
            "labels": pad(prompt.labels, (0, missing), value=IGNORED_LABEL),
            "parts": pad(prompt.parts, (0, missing), value=PADDING),
            "columns_at": prompt.columns + number * length,
            "shown": torch.where(
                added, len(videos) * most + added.cumsum(0) - 1, prompt.rows + number * most
            ),
        }
        for name, value in columns.items():
            filled.setdefault(name, []).append(value)
        first += len(video.frames) * video.cells_each
    flat = {"rows_at", "cells_at", "columns_at", "shown"}
    batch = {
        name: torch.cat(values) if name in flat else torch.stack(values)
        for name, values in filled.items()
    }
    parts = batch.pop("parts")
    if int(parts.max()) > 1:
        batch["mask"] = seen_columns(parts)
    else:
        # Never none at all: transformers would take places that are left out for ends of texts.
        batch["mask"] = (parts != PADDING).long()
    return batch | _joined([(video.frames, video.live) for video in videos])


def _joined(segments: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Returns the segments of several videos together, as long as the longest of them."""
    longest = max(frames.shape[1] for frames, _ in segments)
    missing = [longest - frames.shape[1] for frames, _ in segments]
    frames = [
        pad(frames, (0, 0, 0, 0, 0, count))
        for (frames, _), count in zip(segments, missing, strict=True)
    ]
    live = [pad(live, (0, count)) for (_, live), count in zip(segments, missing, strict=True)]
    return {"frames": torch.cat(frames), "live": torch.cat(live)}


def _looked(features: Tensor, rows: SlowFastRows, prompt: PackedPrompt) -> Looked:
    """Returns the parts of a video that the task takes, in the precision in which it is kept."""
    frame, live, place = rows.timed()
    temporal = (~rows.is_key).nonzero().flatten()
    each = int(rows.cell[temporal].max()) + 1 if len(temporal) else 0
    return Looked(
        pooled=rows.plan.apply(features),
        frames=features[frame],
        live=live,
        rows=temporal,
        cells=place[rows.segment[temporal]] * each + rows.cell[temporal],
        cells_each=each,
        prompt=prompt,
    )


def _varied(question: str, rng: random.Random) -> str:
    """Returns a question in other words, some behind other text."""
    words = worded(question, rng)
    return beside_text(words, rng) if rng.random() < BESIDE_TEXT else words
