"""Features of the frozen vision tower for candidate frames, made once for each video and kept."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.compression.frame_tokens import encode_frames
from framesift.compression.opening import Opener
from framesift.decoders import registry as decoders
from framesift.decoders.sampling import at_times
from framesift.decoders.stills import WithStills
from framesift.disk.writing import write_atomically
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.nn.frame_scorer_input import tower_features, tower_signals
from framesift.run import Run, progress_bar


def mapped(path: Path) -> npt.NDArray[Any] | None:
    """Returns the array of a file, read where it is used; None where there is no whole one."""
    try:
        kept: npt.NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return kept


@dataclass(frozen=True, kw_only=True)
class KeptFeatures:
    """The features of videos as files of half precision, or made anew where there is no folder."""

    folder: Path | None
    encoder: Encoder
    of_vlm: bool
    """Whether the encoder is that of a vision LLM, whose features before its projector count."""
    fingerprint: str
    """Of the tower's weights: features of another one are not mistaken for these."""
    limits: FetchLimits

    def of(self, video: str, times_seconds: Sequence[float]) -> Tensor:
        """Returns the features `(T, N, C)` of the frames of a video at some times, on the CPU.

        Raises:
            InvalidOptionError: the video has not a frame of its own at each of these times.
        """
        path = self._path(video, times_seconds)
        if path is not None and (kept := mapped(path)) is not None:
            return torch.from_numpy(kept)
        features = self._encoded(video, times_seconds)
        if path is not None:
            content = io.BytesIO()
            np.save(content, features.numpy(), allow_pickle=False)
            write_atomically(path, content.getvalue())
        return features

    def prepare(self, videos: Iterable[tuple[str, Sequence[float]]]) -> None:
        """Makes the features of all videos that are not there yet."""
        if self.folder is None:
            return
        missing = {
            path: given
            for given in videos
            if (path := self._path(*given)) is not None and not path.is_file()
        }
        with progress_bar("features", total=len(missing), unit="step") as bar:
            for video, times_seconds in missing.values():
                self.of(video, times_seconds)
                bar.update()

    def _path(self, video: str, times_seconds: Sequence[float]) -> Path | None:
        if self.folder is None:
            return None
        named = json.dumps([self.fingerprint, video, [round(time, 6) for time in times_seconds]])
        return self.folder / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.npy"

    def _encoded(self, video: str, times_seconds: Sequence[float]) -> Tensor:
        opener = Opener(decoder=WithStills(videos=decoders.create("pyav")), limits=self.limits)
        signals = tower_signals(of_vlm=self.of_vlm)
        with opener.open(video, Run()) as reader:
            indices = at_times(reader.index, times_seconds)
            if len(set(indices)) == len(times_seconds):
                made = encode_frames(reader, indices, self.encoder, signals=signals)
                if len(made.indices) == len(times_seconds):
                    return tower_features(made.tokens, of_vlm=self.of_vlm).half().cpu()
        raise InvalidOptionError(
            f"{video!r} has no {len(times_seconds)} frames of its own at the times of its labels; "
            "label the video again as it is now"
        )
