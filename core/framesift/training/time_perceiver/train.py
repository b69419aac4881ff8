"""Trains a TimePerceiver: features, stages, and the folder that the strategy reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from framesift.disk.writing import write_atomically, writing_to
from framesift.errors import InvalidOptionError
from framesift.nn.time_perceiver_files import FILLINGS, save_filling
from framesift.training.batches import is_held_out
from framesift.training.staged_training import Curve, Measure, trained
from framesift.training.time_perceiver.dataset import PerceiverBatches
from framesift.training.time_perceiver.lessons import TaughtVideo
from framesift.training.time_perceiver.measures import measured
from framesift.training.time_perceiver.recipe import PerceiverRecipe
from framesift.training.time_perceiver.start import PerceiverStart
from framesift.training.time_perceiver.task import freeze_for_stage_1
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
        FILLINGS.check_place(out)
        with writing_to(self.work, wait_seconds=WAIT_SECONDS):
            self._claim(videos)
            return self._run(teaching, held_out, out)

    def _run(
        self, teaching: Sequence[TaughtVideo], held_out: Sequence[TaughtVideo], out: Path
    ) -> Path:
        recipe, start = self.recipe, self.start
        start.task.to("cuda" if torch.cuda.is_available() else "cpu")
        curves: dict[str, Curve] = {}
        freeze_for_stage_1(start.task)
        for name, stage in recipe.stages.items():
            if not stage.epochs:
                continue
            batches = PerceiverBatches(
                teaching,
                start.vlm,
                start.strategy,
                recipe=recipe,
                epochs=stage.epochs,
                name=name,
            )
            self.announce(f"{name.replace('_', ' ')}: {batches.steps} steps")
            curves[name] = trained(
                start.task,
                batches,
                folder=self.work / name,
                recipe=recipe,
                stage=stage,
                measure=self._measuring(batches, held_out) if held_out else None,
            )
        save_filling(start.task.filling, out)
        counts = {"taught": len(teaching), "held_out": len(held_out)}
        report = {"recipe": asdict(recipe), "videos": counts, **curves}
        write_atomically(out / METRICS, json.dumps(report, indent=1).encode())
        return out

    def _measuring(self, batches: PerceiverBatches, videos: Sequence[TaughtVideo]) -> Measure:
        def measure(step: int) -> dict[str, float]:
            now = measured(self.start.task, batches, videos)
            self.announce(f"step {step}: held-out loss {now['loss']:.3f}, right {now['right']:.3f}")
            return {f"held_out_{name}": value for name, value in now.items()}

        return measure

    def _claim(self, videos: Sequence[TaughtVideo]) -> None:
        data = repr([(each.address, each.times_seconds, each.lessons) for each in videos])
        digest = hashlib.sha256(data.encode(errors="surrogatepass")).hexdigest()[:16]
        claim(self.work, {**asdict(self.recipe), "vlm": self.start.vlm.weights, "data": digest})

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
        return teaching, held_out
