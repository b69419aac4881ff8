"""Trains a TimePerceiver: features, stages, and the folder that the strategy reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from framesift.disk.writing import write_atomically, writing_to
from framesift.errors import InvalidOptionError
from framesift.nn.time_perceiver_files import FILLINGS, save_filling
from framesift.training import processes
from framesift.training.batches import is_held_out
from framesift.training.staged_recipe import StageRecipe
from framesift.training.staged_training import Curve, Measure, trained
from framesift.training.time_perceiver.adapting import (
    FOLDER,
    adapt_for_stage_2,
    freeze_for_stage_1,
    save_adapted,
)
from framesift.training.time_perceiver.dataset import PerceiverBatches, SegmentBatches
from framesift.training.time_perceiver.distillation import DistillationTask
from framesift.training.time_perceiver.lessons import TaughtVideo
from framesift.training.time_perceiver.measures import measured
from framesift.training.time_perceiver.recipe import PerceiverRecipe
from framesift.training.time_perceiver.start import PerceiverStart
from framesift.training.work_folder import claim

METRICS = "training.json"
WAIT_SECONDS = 1.0
"""How long another run in the same work folder is waited for."""


@dataclass(frozen=True, kw_only=True)
class PerceiverTraining:
    """One training run of a TimePerceiver."""

    start: PerceiverStart
    recipe: PerceiverRecipe
    work: Path
    """Folder of checkpoints; a run that was broken off goes on from there."""
    announce: Callable[[str], None]
    """Takes a line about each stage when it begins."""

    def run(self, videos: Sequence[TaughtVideo], out: Path) -> Path:
        """Trains and returns the folder `out` with weights, configuration and metrics.

        Args:
            videos: what is learned from.
            out: where the trained network goes.

        Raises:
            InvalidOptionError: too few videos, or `work` holds a run of another recipe.
            StorageError: another process trains in `work`, or a folder cannot be written to.
        """
        teaching, held_out = self._split(videos)
        if not processes.is_main():
            return self._run(teaching, held_out, out)
        FILLINGS.check_place(out)
        with writing_to(self.work, wait_seconds=WAIT_SECONDS):
            self._claim(videos)
            return self._run(teaching, held_out, out)

    def _run(
        self, teaching: Sequence[TaughtVideo], held_out: Sequence[TaughtVideo], out: Path
    ) -> Path:
        self.start.task.to(processes.device())
        if not self.start.is_trained:
            self._set_apart(teaching[0].features())
        curves: dict[str, Curve] = {}
        for name, stage in self.recipe.stages.items():
            if stage.epochs:
                curves[name] = self._stage(name, stage, teaching, held_out)
        if processes.is_main():
            self._save(curves, {"taught": len(teaching), "held_out": len(held_out)}, out)
        processes.wait_for_all()
        return out

    def _set_apart(self, features: Tensor) -> None:
        """Draws the embeddings of frames, as far apart as the recipe says for such tokens."""
        generator = torch.Generator().manual_seed(self.recipe.seed)
        places = self.start.task.filling.perceiver.places
        drawn = torch.randn(places.shape, generator=generator) * features.float().std()
        with torch.no_grad():
            places.copy_(self.recipe.places * drawn)

    def _save(self, curves: dict[str, Curve], counts: dict[str, int], out: Path) -> None:
        start, task = self.start, self.start.task
        if self.recipe.stage_2.epochs:
            named = save_adapted(task, start.vlm, out / FOLDER)
            task.filling.card = replace(task.filling.card, trained_for=named)
        save_filling(task.filling, out)
        report = {"recipe": asdict(self.recipe), "videos": counts, **curves}
        write_atomically(out / METRICS, json.dumps(report, indent=1).encode())

    def _stage(
        self,
        name: str,
        stage: StageRecipe,
        teaching: Sequence[TaughtVideo],
        held_out: Sequence[TaughtVideo],
    ) -> Curve:
        """Trains in one stage and returns its curve."""
        start, task = self.start, self.start.task
        batches = PerceiverBatches(
            teaching, start.vlm, start.strategy, recipe=self.recipe, epochs=stage.epochs, name=name
        )
        self.announce(f"{name.replace('_', ' ')}: {batches.steps} steps")
        run = partial(trained, folder=self.work / name, recipe=self.recipe, stage=stage)
        if name == "warm_start":
            torch.manual_seed(self.recipe.seed)
            distilling = DistillationTask(task.filling.perceiver).to(task.extra.device)
            return run(distilling, SegmentBatches(batches), measure=None)
        (adapt_for_stage_2 if name == "stage_2" else freeze_for_stage_1)(task, self.recipe)
        return run(task, batches, measure=self._measuring(batches, held_out) if held_out else None)

    def _measuring(self, batches: PerceiverBatches, videos: Sequence[TaughtVideo]) -> Measure:
        def measure(step: int) -> dict[str, float]:
            now = measured(self.start.task, batches, videos)
            self.announce(f"step {step}: held-out loss {now['loss']:.3f}, right {now['right']:.3f}")
            return {f"held_out_{name}": value for name, value in now.items()}

        return measure

    def _claim(self, videos: Sequence[TaughtVideo]) -> None:
        data = repr([(each.address, each.times_seconds, each.lessons) for each in videos])
        digest = hashlib.sha256(data.encode(errors="surrogatepass")).hexdigest()[:16]
        begun = hashlib.sha256()
        for value in self.start.task.filling.state_dict().values():
            begun.update(value.cpu().numpy().tobytes())
        run = {
            "vlm": self.start.vlm.weights,
            "videos_and_questions": digest,
            "begun": begun.hexdigest()[:16],
        }
        claim(self.work, {**asdict(self.recipe), **run})

    def _split(self, videos: Sequence[TaughtVideo]) -> tuple[list[TaughtVideo], list[TaughtVideo]]:
        """Returns videos that teach and ones that measure."""
        teaching: list[TaughtVideo] = []
        held_out: list[TaughtVideo] = []
        for each in videos:
            out = is_held_out(each.address, self.recipe.held_out, self.recipe.seed)
            (held_out if out else teaching).append(each)
        if not teaching:
            raise InvalidOptionError(
                f"held_out={self.recipe.held_out} leaves none of {len(videos)} videos to learn "
                "from; pass a smaller share or more videos"
            )
        if self.recipe.remainder != "repeat" and all(len(v.times_seconds) < 2 for v in teaching):
            raise InvalidOptionError(
                f"none of {len(teaching)} videos to learn from has two frames, and the network "
                "condenses the frames of a segment; give longer videos, or a higher fps"
            )
        return teaching, held_out
