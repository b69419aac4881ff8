"""Describes patches by colour, structure and edges, without any weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from typing import Annotated, ClassVar, Final

import cv2
import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from framesift.encoders._contrast import contrast
from framesift.encoders._resize import resized
from framesift.encoders.base import Encoder
from framesift.encoders.edges import DETAIL_PX, edge_density
from framesift.errors import InvalidOptionError
from framesift.types.frames import Frames
from framesift.types.options import Count
from framesift.types.tokens import Signals, VideoTokens

Array = npt.NDArray[np.float32]

CELLS: Final = 4
"""Each patch is measured on 4x4 cells."""
NOISE: Final = 5.0
"""Gradient in gray levels per pixel that noise and compression alone can cause."""
BANDWIDTH: Final = 0.375
"""Distance of two descriptions at which their cosine similarity has fallen to 0.6."""
MOST_SIDE_PX: Final = 4096
"""Longest side of the squashed frame; what a larger one takes fits no memory."""
WAVES: Final = 16
"""Number of (cosine, sine) pairs that carry a description."""


@dataclass(frozen=True, kw_only=True)
class Handcrafted(Encoder):
    """Patches whose cosine similarity is near 1 where nothing changed, and falls where it did.

    A patch is described by its mean lightness (weakly, so that drifting exposure counts little),
    the lightness and colour of its cells, and its edges in four directions above the noise. Random
    Fourier features (Rahimi and Recht, 2007) of a fixed projection turn the Euclidean distance of
    two descriptions into the cosine similarity of two vectors of length 1, so that flat patches
    have a stable direction as well. Frames are squashed to a square; a patch maps to a place.
    """

    summary: ClassVar[str] = "colour, structure and edges of patches, no weights"
    gives: ClassVar[frozenset[str]] = frozenset({"edge_density", "contrast"})

    grid_size: Count = 14
    """Patches per side: 14 gives 196 tokens per frame."""
    patch_px: Annotated[int, Field(ge=CELLS)] = 16
    """Side of a patch in pixels of the squashed frame that is described."""

    def __post_init__(self) -> None:
        if self.grid_size * self.patch_px > MOST_SIDE_PX:
            raise InvalidOptionError(
                f"grid_size={self.grid_size} of patch_px={self.patch_px} makes a side of "
                f"{self.grid_size * self.patch_px} pixels; at most {MOST_SIDE_PX} are looked at"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Patch grid `(h, w)`, square."""
        return self.grid_size, self.grid_size

    @property
    def channels(self) -> int:
        """Channels `D` of the tokens: 32."""
        return 32

    @property
    def input_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`: what the description needs, or the strokes of text."""
        side = max(self.grid_size * self.patch_px, DETAIL_PX)
        return side, side

    def encode(self, frames: Frames, signals: frozenset[str] | None = None) -> VideoTokens:
        """Returns the tokens `(T, N, 32)`, float16, with the wanted `signals`."""
        wanted = self.wanted(signals)
        side = self.grid_size * self.patch_px
        images = resized(frames.data, (side, side))
        cells = [_cells(image, self.grid_size) for image in images]
        described = np.stack([_describe(each) for each in cells])
        phase = described @ _directions(described.shape[-1])
        waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=-1) / np.sqrt(WAVES)
        found: dict[str, Array] = {}
        if "edge_density" in wanted:
            found["edge_density"] = edge_density(frames.data, self.grid)
        if "contrast" in wanted:
            found["contrast"] = np.stack([contrast(each[..., :3]) for each in cells])
        return VideoTokens(
            features=torch.from_numpy(waves.astype(np.float16)),
            grid=self.grid,
            pts_seconds=torch.tensor(frames.pts_seconds),
            signals=Signals(**{name: torch.from_numpy(value) for name, value in found.items()}),
        )


def _cells(image: npt.NDArray[np.uint8], grid_size: int) -> Array:
    """Returns lightness, two colours and four edge strengths of each cell, `(N, 16, 7)`."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    lightness = cv2.extractChannel(lab, 0)
    across, down = (cv2.Sobel(lightness, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0))
    diagonals = (cv2.add(across, down) / sqrt(2), cv2.subtract(across, down) / sqrt(2))
    edges = [np.maximum(np.abs(slope) - NOISE, 0) for slope in (across, down, *diagonals)]
    side = grid_size * CELLS
    cells = [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in (lab, *edges)]
    means = np.dstack(cells)
    split = means.reshape(grid_size, CELLS, grid_size, CELLS, -1).transpose(0, 2, 1, 3, 4)
    return split.reshape(grid_size**2, CELLS**2, -1).astype(np.float32, copy=False)


def _describe(cells: Array) -> Array:
    """Returns descriptions `(N, 41)` whose distances grow with what a viewer would see change."""
    lightness = cells[..., 0] / 255
    mean = lightness.mean(-1, keepdims=True)
    quarters = (
        cells.reshape(-1, 2, 2, 2, 2, cells.shape[-1]).mean((2, 4)).reshape(len(cells), 4, -1)
    )
    colour = (quarters[..., 1:3] / 128 - 1) / 2
    edges = np.sqrt(quarters[..., 3:] / 10 + 0.01)
    rows = [0.3 * mean, (lightness - mean) / 4, colour, 0.3 * edges]
    return np.concatenate([row.reshape(len(cells), -1) for row in rows], axis=-1)


@lru_cache
def _directions(channels: int) -> Array:
    """Returns the fixed orthogonal projection `(channels, WAVES)`, scaled to the bandwidth."""
    square = np.random.default_rng(3).normal(size=(channels, channels))
    orthogonal = np.linalg.qr(square)[0][:, :WAVES]
    scaled: Array = (orthogonal * np.sqrt(channels) / BANDWIDTH).astype(np.float32)
    return scaled
