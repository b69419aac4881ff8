"""How a stored picture is turned for display, from the container's display matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """A turn by right angles, with or without a mirror: transpose first, then flip."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False
    degrees: int = 0
    """Clockwise rotation for display: 0, 90, 180 or 270."""

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """Returns the orientation that the display matrix of `frame` asks for."""
        matrix = frame.side_data.get("DISPLAYMATRIX")
        if matrix is None:
            return cls()
        a, b, _, c, d = np.frombuffer(bytes(cast(SideData, matrix)), dtype=np.int32)[:5].tolist()
        transpose = abs(b) > abs(a)
        return cls(
            transpose=transpose,
            flip_rows=(b if transpose else d) < 0,
            flip_columns=(c if transpose else a) < 0,
            degrees=90 * round(math.degrees(math.atan2(b, a)) / 90) % 360,
        )

    @property
    def is_mirrored(self) -> bool:
        """Whether it is more than a turn."""
        return (self.transpose + self.flip_rows + self.flip_columns) % 2 == 1

    def size(self, first: int, second: int) -> tuple[int, int]:
        """Returns a pair of lengths, swapped where display and storage lie across."""
        return (second, first) if self.transpose else (first, second)

    def apply(self, image: Image) -> Image:
        """Returns `image` `(H, W, 3)` as it is to be displayed, as a view."""
        turned = image.transpose(1, 0, 2) if self.transpose else image
        turned = turned[::-1] if self.flip_rows else turned
        return turned[:, ::-1] if self.flip_columns else turned
