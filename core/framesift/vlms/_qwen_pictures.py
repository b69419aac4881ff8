"""Pictures of the Qwen-VL families: one view, whose size follows the picture's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from torch import Tensor

from framesift.errors import ModelError
from framesift.types.video import WHOLE, Region
from framesift.vlms._picture import PictureTower

if TYPE_CHECKING:
    from framesift.vlms.base import VLM

LONGEST: Final = 200
"""How many times as long as wide a picture may be."""


@dataclass(frozen=True, kw_only=True)
class QwenPicture(PictureTower):
    """A picture as one time step, both frames of which are the picture."""

    @property
    def views(self) -> list[Region]:
        """The whole picture."""
        return [WHOLE]

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Returns RGB pixels `(H, W, 3)` as two equal frames, float32 `(2, 3, h, w)`."""
        given = self.tower.vlm.image_processor(
            images=[image], input_data_format="channels_last", return_tensors="pt"
        )
        vision = self.tower.vlm.config.vision_config
        patch, merge = vision.patch_size, vision.spatial_merge_size
        _, rows, columns = given["image_grid_thw"][0].tolist()
        squares = given["pixel_values"].reshape(
            *(rows // merge, columns // merge, merge, merge),
            *(3, vision.temporal_patch_size, patch, patch),
        )
        frames: Tensor = squares.permute(5, 4, 0, 2, 6, 1, 3, 7)
        return frames.reshape(vision.temporal_patch_size, 3, rows * patch, columns * patch)


def check_shape(vlm: VLM, height: int, width: int) -> None:
    """Refuses frames and pictures that the processors of these families refuse.

    Raises:
        ModelError: they are too long and narrow.
    """
    if max(height, width) > LONGEST * min(height, width):
        raise ModelError(
            f"{vlm.called!r} takes pictures up to {LONGEST} times as long as wide, not of "
            f"{width}x{height} pixels; crop the video or the picture"
        )
