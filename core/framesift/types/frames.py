"""Decoded frames that never travel without their times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """A run of decoded frames in time order."""

    data: npt.NDArray[np.uint8]
    """RGB pixels `(T, H, W, 3)`."""
    pts_seconds: npt.NDArray[np.float64]
    """Presentation times `(T,)` on the container's clock, ascending."""
    indices: npt.NDArray[np.int64]
    """Positions `(T,)` of the frames in the stream, in presentation order."""

    def __post_init__(self) -> None:
        if self.data.dtype != np.uint8 or self.data.ndim != 4 or self.data.shape[-1] != 3:
            raise ValueError(
                f"data must be uint8 (T, H, W, 3), got {self.data.dtype} {self.data.shape}"
            )
        if not len(self.data) == len(self.pts_seconds) == len(self.indices):
            raise ValueError(
                f"data {self.data.shape}, pts_seconds {self.pts_seconds.shape} and indices "
                f"{self.indices.shape} must agree in their first dimension"
            )
        if np.any(np.diff(self.pts_seconds) < 0):
            raise ValueError("pts_seconds must be ascending")

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Returns the frames of all `parts`, which must have one size, as one run."""
        if not parts:
            raise ValueError("parts must hold at least one Frames, got none")
        return cls(
            data=np.concatenate([part.data for part in parts]),
            pts_seconds=np.concatenate([part.pts_seconds for part in parts]),
            indices=np.concatenate([part.indices for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: slice | Sequence[int] | npt.NDArray[np.int64]) -> Frames:
        return Frames(
            data=self.data[index],
            pts_seconds=self.pts_seconds[index],
            indices=self.indices[index],
        )

    def step_seconds(self, step: int) -> npt.NDArray[np.float64]:
        """Returns the times of the frames of each time step, `(ceil(T / step), step)`.

        As encoders do with its picture, the last frame is repeated where the last step lacks some.

        Args:
            step: frames that make one time step.
        """
        repeated = self.pts_seconds[-1:].repeat(-len(self) % step)
        return np.concatenate([self.pts_seconds, repeated]).reshape(-1, step)

    def __repr__(self) -> str:
        if not len(self):
            return "Frames(T=0)"
        _, height, width, _ = self.data.shape
        return (
            f"Frames(T={len(self)}, H={height}, W={width}, "
            f"{self.pts_seconds[0]:.2f}-{self.pts_seconds[-1]:.2f} s)"
        )
