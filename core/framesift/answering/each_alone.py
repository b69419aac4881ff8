"""An encoder that sees each frame alone, also where a model joins several to a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from framesift.encoders.base import Encoder
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens
from framesift.types.video import VideoInfo


@dataclass(frozen=True, kw_only=True)
class EachAlone(Encoder):
    """The tower of a vision LLM, to which each frame is a video of its own: a step is one frame."""

    inner: Encoder
    """The tower."""

    @property
    def grid(self) -> tuple[int, int]:
        """Patch grid `(h, w)` of every frame."""
        return self.inner.grid

    @property
    def input_px(self) -> tuple[int, int]:
        """Largest frame size `(H, W)` worth decoding."""
        return self.inner.input_px

    @property
    def takes_display_size(self) -> bool:  # type: ignore[override]
        """Whether frames should come at display size."""
        return self.inner.takes_display_size

    @property
    def weights(self) -> str | None:
        """Fingerprint of the vision LLM that reads the tokens."""
        return self.inner.weights

    def fitted(self, info: VideoInfo, frames: int | None = None) -> Self:
        """Returns the encoder for one video."""
        return replace(self, inner=self.inner.fitted(replace(info, picture=False), frames))

    def encode(self, frames: Frames, signals: frozenset[str] | None = None) -> VideoTokens:
        """Returns the tokens `(T, N, D)` of frames, each repeated where several make a step."""
        self.wanted(signals)
        places = np.repeat(np.arange(len(frames)), self.inner.frames_per_step)
        return self.inner.encode(frames[places], frozenset())
