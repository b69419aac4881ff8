"""Frames that look like the last encoded one take its tokens, because encoding costs the most."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders import registry
from framesift.encoders._resize import resized
from framesift.encoders.base import Encoder
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

SIMILARITY: Final = 0.97
"""A gate to start from. A digit that changes into another is seen for certain where it is 5 % of
the frame's height; nine pairs of ten are seen at 3 %, about half of them at 2 %."""
SIDE_PX: Final = 512
"""Frames are compared at this size, in the order of what vision towers see."""
GRID: Final = 32
"""Patches per side that are compared: small ones, so that a small change is a large share."""
LEVELS: Final = 16
"""Most levels of 256 by which a patch may change its mean colour, which the descriptors forgive."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What the frames of one time step look like, patch by patch."""

    descriptors: Tensor
    """Of length 1, `(frames, N, C)`."""
    colors: Tensor
    """Mean levels, `(frames, h, w, 3)`."""

    def like(self, other: _Look, similarity: float) -> bool:
        """Returns whether no patch has changed."""
        # For vectors of length 1 this is the cosine, and exactly 1 where they are the same.
        cosine = 1 - (self.descriptors - other.descriptors).square().sum(-1) / 2
        shift = (self.colors - other.colors).abs().max()
        return bool(cosine.min() >= similarity) and bool(shift <= LEVELS)


@dataclass(slots=True, kw_only=True)
class Gate:
    """Encodes the windows of one video in turn, leaving out steps like the last encoded one.

    It holds the tokens and the look of that one step, across windows, so a slow drift adds up
    against it until it is seen.
    """

    encoder: Encoder
    similarity: float | None
    """Least similarity of all patches at which a step is left out; None encodes every step."""
    signals: frozenset[str] | None = None
    """What the encoder fills besides the features; None for all that it gives."""
    steps_encoded: int = 0
    _look: _Look | None = None
    _tokens: VideoTokens | None = None

    def differing(self, frames: Frames) -> list[bool]:
        """Returns for each time step of a window whether it must be encoded."""
        if self.similarity is None:
            return [True] * -(-len(frames) // self.encoder.frames_per_step)
        looks = _looks(frames, self.encoder.frames_per_step)
        return [self._differs(look, self.similarity) for look in looks]

    def encode(self, frames: Frames, differing: list[bool]) -> VideoTokens:
        """Returns the tokens of all steps of a window, one encoded batch and copies.

        Args:
            frames: a window of whole steps, but for the last one of the video.
            differing: what the method of that name returned for it.
        """
        step = self.encoder.frames_per_step
        wanted = np.flatnonzero(np.repeat(differing, step)[: len(frames)])
        new = self.encoder.encode(frames[wanted], self.signals) if len(wanted) else None
        if new is None or len(wanted) < len(frames):
            parts = [part for part in (self._tokens, new) if part is not None]
            pool = VideoTokens.gather(parts, sum(part.frame_count for part in parts))
            source = np.cumsum(differing) - (self._tokens is None)
            new = pool.frames(source.tolist())
        times = torch.from_numpy(frames.step_seconds(step))
        new = replace(new, pts_seconds=times[:, 0], step_seconds=times if step > 1 else None)
        self.steps_encoded += sum(differing)
        if self.similarity is not None:
            self._tokens = new.frames([-1])
        return new

    def _differs(self, look: _Look, similarity: float) -> bool:
        if self._look is not None and look.like(self._look, similarity):
            return False
        self._look = look
        return True


def _looks(frames: Frames, step: int) -> list[_Look]:
    """Returns what each time step looks like; the last one repeats its frame where one lacks."""
    images = resized(frames.data, (SIDE_PX, SIDE_PX))
    describe = registry.create("handcrafted", grid_size=GRID, patch_px=SIDE_PX // GRID)
    descriptors = describe.encode(replace(frames, data=images), frozenset()).features.float()
    colors = torch.from_numpy(np.stack([_mean_colors(image) for image in images]))
    last = len(frames) - 1
    steps = [[min(i + k, last) for k in range(step)] for i in range(0, len(frames), step)]
    return [_Look(descriptors[places], colors[places]) for places in steps]


def _mean_colors(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.int16]:
    """Returns the mean colour of each patch, `(GRID, GRID, 3)`."""
    small = cv2.resize(image, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return small.astype(np.int16)
