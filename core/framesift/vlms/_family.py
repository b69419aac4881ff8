"""Families that have a way of their own with frames, and their towers as encoders."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders._edges import DETAIL_PX, edge_density
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError
from framesift.types.frames import Frames
from framesift.types.tokens import Signals, VideoTokens
from framesift.vlms._frame_pixels import FramePixels
from framesift.vlms.base import VLM


@dataclass(frozen=True, kw_only=True)
class FamilyVLM(VLM):
    """A vision LLM whose frames are prepared as the video processors of transformers do it."""

    resample: ClassVar[int]
    """Filter of pillow by which frames are resized where the checkpoint names none."""

    @cached_property
    def frame_pixels(self) -> FramePixels:
        """How the checkpoint prepares frames.

        Raises:
            ModelError: it does not say.
        """
        return FramePixels.of(self.model, resample=self.resample)


@dataclass(frozen=True, kw_only=True)
class FamilyTower(Encoder):
    """Features in the LLM's space, exactly those that the model would take.

    Several patches make one token. `attention` (received in the tower's last layer over whole
    pictures), `keys` (of the same layer) and `pre_projector` are the means of a token's patches.
    Frames are squashed to the tower's size, not cropped.
    """

    summary: ClassVar[str] = "vision tower and projector of a vision LLM"
    gives: ClassVar[frozenset[str]] = frozenset(
        {"attention", "keys", "pre_projector", "edge_density"}
    )

    vlm: FamilyVLM
    batch_size: int = 8
    """Time steps that go through the tower at once."""

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InvalidOptionError(f"batch_size={self.batch_size!r} must be at least 1 time step")
        _ = self.vlm.frame_pixels, self.grid

    @property
    def spec(self) -> str:
        """The spec string of the vision LLM that the tower belongs to."""
        return self.vlm.spec

    @property
    @abstractmethod
    def size_px(self) -> tuple[int, int]:
        """Frame size `(H, W)` that the tower takes."""

    @property
    def input_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`: a multiple of the tower's that shows the strokes of text."""
        times = -(-DETAIL_PX // max(self.size_px))
        return self.size_px[0] * times, self.size_px[1] * times

    @abstractmethod
    def look(self, pixels: Tensor) -> dict[str, Tensor]:
        """Returns what the tower gives for frames `(T, 3, H, W)`, a row for each time step.

        These are `features`, `attention`, `keys`, `pre_projector`, and `layers` where deeper layers
        of the LLM take tokens.
        """

    def sizes_px(self, height: int, width: int) -> Sequence[tuple[int, int]]:
        """Returns the sizes `(H, W)` that frames are brought to, one after the other."""
        return [self.size_px]

    def pixels(self, images: npt.NDArray[np.uint8]) -> Tensor:
        """Returns RGB frames `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`."""
        return self.vlm.frame_pixels.pixels(images, self.sizes_px(*images.shape[1:3]))

    @torch.no_grad()
    def encode(self, frames: Frames) -> VideoTokens:
        """Returns the tokens `(T, N, D)` on the CPU, in the dtype of the model."""
        step, times = self.frames_per_step, torch.tensor(frames.pts_seconds)
        missing = -len(frames) % step
        images = np.concatenate([frames.data, frames.data[-1:].repeat(missing, axis=0)])
        parts = []
        for start in range(0, len(images), step * self.batch_size):
            pixels = self.pixels(images[start : start + step * self.batch_size])
            parts.append(self.look(pixels.to(self.vlm.hf.device)))
        columns = {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}
        density = edge_density(images, self.grid).reshape(len(images) // step, step, -1).mean(1)
        return VideoTokens(
            features=columns.pop("features"),
            grid=self.grid,
            pts_seconds=times[::step],
            layers=columns.pop("layers", None),
            signals=Signals(edge_density=torch.from_numpy(density), **columns),
        )
