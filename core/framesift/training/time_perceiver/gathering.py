"""All videos that a training of the TimePerceiver learns from: of files, and synthetic ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framesift.fetching.limits import FetchLimits
from framesift.training.kept_features import KeptFeatures
from framesift.training.time_perceiver.lessons import TaughtVideo
from framesift.training.time_perceiver.recipe import PerceiverRecipe
from framesift.training.time_perceiver.synthetic_videos import KeptClips, drawn
from framesift.training.time_perceiver.taught_files import TaughtFiles
from framesift.vlms.base import VLM


@dataclass(frozen=True, kw_only=True)
class Gathering:
    """Where videos come from, and where their features are kept."""

    vlm: VLM
    recipe: PerceiverRecipe
    features: Path
    """Folder of features, which runs may share."""
    clips: Path
    """Folder of drawn synthetic clips, likewise."""
    keep_features: bool = True
    """Whether features of files are kept; else videos are encoded for each batch anew."""
    processes: int = 1
    """Processes that draw clips."""
    limits: FetchLimits

    def videos(self, files: Sequence[Path], synthetic: int) -> list[TaughtVideo]:
        """Returns the videos of some files, and a number of synthetic clips.

        Raises:
            InvalidOptionError: a file holds a line that teaches nothing.
        """
        stage = self.recipe.stage
        kept = KeptFeatures(
            folder=self.features if self.keep_features else None,
            encoder=self.vlm.encoder,
            of_vlm=stage == "pre",
            fingerprint=f"{self.vlm.weights} {stage}",
            limits=self.limits,
        )
        taught = TaughtFiles(kept=kept, fps=self.recipe.fps, max_frames=self.recipe.max_frames)
        found = taught.videos(files)
        if synthetic:
            shards = drawn(self.clips, synthetic, processes=self.processes)
            found += KeptClips(folder=self.features, vlm=self.vlm, stage=stage).videos(shards)
        return found
