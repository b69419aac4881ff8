"""Synthetic clips as the tower of a vision LLM sees them, kept in half precision."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.disk.writing import write_atomically
from framesift.nn.frame_scorer_input import tower_features, tower_signals
from framesift.run import progress_bar
from framesift.synthetic.inventory import Inventory
from framesift.training.clips import LabeledClip, Shard, make_shards, read_shards
from framesift.training.doubts import doubts
from framesift.training.kept_features import mapped
from framesift.training.time_perceiver.lessons import Lesson, TaughtVideo
from framesift.types.frames import Frames
from framesift.vlms.base import VLM

FIRST_SEED = 600_000
FRAMES_AT_ONCE = 256
DOUBTS_EACH = 4
"""Questions of each clip about what is there and what is not."""
Stage = Literal["pre", "post"]


def drawn(folder: Path, count: int, *, processes: int) -> list[Path]:
    """Returns the shards of the first clips of the training split, drawn where they are not there.

    Other models of this package were trained on other clips of it.
    """
    return make_shards(folder, range(FIRST_SEED, FIRST_SEED + count), processes=processes)


@dataclass(frozen=True, kw_only=True)
class KeptClips:
    """The features of shards of clips, one file for each shard, made when they are not there."""

    folder: Path
    vlm: VLM
    stage: Stage
    """Whether features are those before the projector, or behind it."""

    def videos(self, shards: Sequence[Path]) -> list[TaughtVideo]:
        """Returns the clips of some folders of `make_shards`."""
        found: list[TaughtVideo] = []
        with progress_bar("features", total=len(shards), unit="step") as bar:
            for shard in read_shards(shards):
                kept = self._kept(shard)
                for clip in shard.clips:
                    stop = clip.start + len(clip.times_seconds)
                    found.append(
                        TaughtVideo(
                            address=clip.uri,
                            times_seconds=clip.times_seconds,
                            lessons=_lessons(clip),
                            features=partial(_part, kept, clip.start, stop),
                            is_synthetic=True,
                        )
                    )
                bar.update()
        return found

    def _kept(self, shard: Shard) -> npt.NDArray[np.float16]:
        """Returns the features of all frames of a shard, `(F, N, C)`, mapped from the disk."""
        of_what = repr([self.vlm.weights, self.stage, [clip.uri for clip in shard.clips]])
        path = self.folder / f"{hashlib.sha256(of_what.encode()).hexdigest()[:32]}.npy"
        if (kept := mapped(path)) is None:
            content = io.BytesIO()
            np.save(content, self._encoded(shard).numpy(), allow_pickle=False)
            write_atomically(path, content.getvalue())
            kept = np.load(path, mmap_mode="c", allow_pickle=False)
        return kept

    def _encoded(self, shard: Shard) -> Tensor:
        before = self.stage == "pre"
        parts = []
        for start in range(0, len(shard.frames), FRAMES_AT_ONCE):
            data = np.array(shard.frames[start : start + FRAMES_AT_ONCE])
            frames = Frames(
                data=data,
                pts_seconds=np.arange(len(data), dtype=np.float64),
                indices=np.arange(len(data)),
            )
            tokens = self.vlm.encoder.encode(frames, tower_signals(of_vlm=before))
            parts.append(tower_features(tokens, of_vlm=before).half().cpu())
        return torch.cat(parts)


def _part(kept: npt.NDArray[np.float16], start: int, stop: int) -> Tensor:
    return torch.from_numpy(np.array(kept[start:stop]))


def _lessons(clip: LabeledClip) -> list[Lesson]:
    """Returns the questions of a clip, and some about what is there and what is not."""
    video = Inventory.of(clip.truth["events"], clip.times_seconds)
    more = doubts(video, DOUBTS_EACH, random.Random(clip.uri))
    return [
        Lesson(question=each["question"], answer=each["answer"], kind=each["kind"])
        for each in (*clip.truth["questions"], *more)
    ]
