"""Trains a frame selector from files of labels: features, two stages, the folder that scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from framesift.disk.writing import write_atomically, writing_to
from framesift.errors import InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.nn.frame_scorer_files import FRAME_SCORERS, FrameScorerCard, save_frame_scorer
from framesift.training.batches import is_held_out
from framesift.training.frame_selector.dataset import SelectorBatches
from framesift.training.frame_selector.labeled import LabeledQuestion, read_labels
from framesift.training.frame_selector.measures import measured
from framesift.training.frame_selector.recipe import SelectorRecipe
from framesift.training.frame_selector.start import SelectorStart
from framesift.training.frame_selector.task import (
    SelectorTask,
    adapt_for_stage_2,
    freeze_for_stage_1,
    merged,
)
from framesift.training.kept_features import KeptFeatures
from framesift.training.staged_training import Curve, Measure, trained
from framesift.training.work_folder import claim

METRICS = "training.json"
WAIT_SECONDS = 1.0
"""How long another run in the same work folder is waited for."""


@dataclass(frozen=True, kw_only=True)
class SelectorTraining:
    """One training run of a frame selector."""

    start: SelectorStart
    recipe: SelectorRecipe
    work: Path
    """Folder of checkpoints; a run that was broken off goes on from there."""
    features: Path | None = None
    """Folder of tower features, which runs may share; `features` in `work` by default."""
    keep_features: bool = True
    """Whether features are kept; else videos are opened and encoded for each batch anew, which
    many long videos leave no other way than."""
    limits: FetchLimits
    """For videos that are fetched."""
    announce: Callable[[str], None]
    """Takes a line about each stage when it begins."""

    def run(self, labels: Sequence[Path], out: Path) -> Path:
        """Trains and returns the folder `out` with weights, configuration, tokenizer and metrics.

        Args:
            labels: files that `framesift label` wrote.
            out: where the trained selector goes.

        Raises:
            InvalidOptionError: labels that do not fit, or `work` holds a run of another recipe.
            StorageError: another process trains in `work`, or a folder cannot be written to.
        """
        questions = read_labels(labels, self.recipe.target)
        FRAME_SCORERS.check_place(out)
        with writing_to(self.work, wait_seconds=WAIT_SECONDS):
            return self._run(questions, out)

    def _run(self, questions: Sequence[LabeledQuestion], out: Path) -> Path:
        recipe, start = self.recipe, self.start
        teaching, held_out = _split(questions, recipe)
        self._claim(questions)
        features = KeptFeatures(
            folder=(self.features or self.work / "features") if self.keep_features else None,
            encoder=start.encoder,
            of_vlm=start.tower.of_vlm,
            fingerprint=start.tower.fingerprint,
            limits=self.limits,
        )
        self.announce(f"looking at the videos of {len(questions)} labeled questions")
        features.prepare((each.video, each.times_seconds) for each in questions)
        task = SelectorTask(start.network, start.last_block, start.vocabulary)
        task.to("cuda" if torch.cuda.is_available() else "cpu")
        curves = self._stages(task, features, teaching, held_out)
        network = merged(task)
        card = FrameScorerCard(
            network=network.config, tower=start.tower, trained_on=start.trained_on
        )
        save_frame_scorer(network, card, start.tokenizer, out)
        counts = {"taught": len(teaching), "held_out": len(held_out)}
        report = {"recipe": asdict(recipe), "questions": counts, **curves}
        write_atomically(out / METRICS, json.dumps(report, indent=1).encode())
        return out

    def _stages(
        self,
        task: SelectorTask,
        features: KeptFeatures,
        teaching: Sequence[LabeledQuestion],
        held_out: Sequence[LabeledQuestion],
    ) -> dict[str, Curve]:
        """Trains a task in both stages and returns their curves by name."""
        recipe, start = self.recipe, self.start
        curves: dict[str, Curve] = {}
        freeze_for_stage_1(task)
        for name, stage in recipe.stages.items():
            if name == "stage_2":
                adapt_for_stage_2(task, recipe)
            if not stage.epochs:
                continue
            batches = SelectorBatches(
                teaching,
                features,
                start.tokenizer,
                start.network.config,
                recipe=recipe,
                end_id=start.end_id,
                epochs=stage.epochs,
                answering=name == "stage_1" and recipe.answering,
            )
            self.announce(f"{name.replace('_', ' ')}: {batches.steps} steps")
            curves[name] = trained(
                task,
                batches,
                folder=self.work / name,
                recipe=recipe,
                stage=stage,
                measure=self._measuring(task, batches, held_out) if held_out else None,
            )
        return curves

    def _measuring(
        self, task: SelectorTask, batches: SelectorBatches, questions: Sequence[LabeledQuestion]
    ) -> Measure:
        def measure(step: int) -> dict[str, float]:
            now = measured(task, batches, questions)
            self.announce(
                f"step {step}: held-out loss {now['loss']:.3f}, worth of the best 4 frames "
                f"{now['picked']:.3f} (any {now['any']:.3f}, possible {now['best']:.3f})"
            )
            return {f"held_out_{name}": value for name, value in now.items()}

        return measure

    def _claim(self, questions: Sequence[LabeledQuestion]) -> None:
        """Notes in `work` what is trained there, whose checkpoints are of no use to other runs."""
        labels = hashlib.sha256(repr(questions).encode(errors="surrogatepass")).hexdigest()[:16]
        claim(
            self.work,
            {
                **asdict(self.recipe),
                "tower": self.start.tower.fingerprint,
                "llm": self.start.llm,
                "labels_file": labels,
            },
        )


def _split(
    questions: Sequence[LabeledQuestion], recipe: SelectorRecipe
) -> tuple[list[LabeledQuestion], list[LabeledQuestion]]:
    """Returns questions that teach and ones that measure, of different videos."""
    teaching: list[LabeledQuestion] = []
    held_out: list[LabeledQuestion] = []
    for each in questions:
        out = is_held_out(each.video, recipe.held_out, recipe.seed)
        (held_out if out else teaching).append(each)
    if not teaching:
        raise InvalidOptionError(
            f"held_out={recipe.held_out} leaves none of {len(questions)} questions to learn from; "
            "pass a smaller share or more labels"
        )
    return teaching, held_out
