"""Base classes of families with their own frame preparation, and of their towers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.edges import DETAIL_PX
from framesift.encoders.units import UnitEncoder
from framesift.hf.frame_pixels import FramePixels
from framesift.types.device import CPU
from framesift.vlms._tower import Tower
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
class FamilyTower(Tower, UnitEncoder):
    """A tower of which several patches make one token, on frames that are squashed, not cropped.

    It is watched in its last layer over whole pictures; signals are the means of a token's patches.
    """

    vlm: FamilyVLM

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.vlm.frame_pixels, self.grid

    @property
    def input_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`: a multiple of the tower's that shows the strokes of text."""
        times = -(-DETAIL_PX // max(self.size_px))
        return self.size_px[0] * times, self.size_px[1] * times

    def sizes_px(self, height: int, width: int) -> Sequence[tuple[int, int]]:
        """Returns the sizes `(H, W)` that frames are brought to, one after the other."""
        return [self.size_px]

    def pixels(self, images: npt.NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
        """Returns RGB frames `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`."""
        return self.vlm.frame_pixels.pixels(images, self.sizes_px(*images.shape[1:3]), device)

    @property
    def levels(self) -> tuple[float, ...]:
        """How many levels of 256 make 1 in normalized pixels, for each colour."""
        return self.vlm.frame_pixels.levels
