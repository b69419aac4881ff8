"""A still picture in the views that a vision LLM's own image processor makes of it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.encoders.edges import edge_density_on, shrunk
from framesift.hf.checkpoint_reading import in_one_line
from framesift.types.frames import Frames
from framesift.types.tokens import Signals, VideoTokens
from framesift.types.video import Region
from framesift.vlms._tower import Tower


@dataclass(frozen=True, kw_only=True)
class PictureTower(Encoder):
    """The tower of a vision LLM on one picture, whose views take the place of frames.

    A family writes `views` and `prepared`; where the views are not what goes through the tower, it
    also writes `arranged` and `mask`.
    """

    summary: ClassVar[str] = "vision tower and projector of a vision LLM, on a picture"
    gives: ClassVar[frozenset[str]] = Tower.gives

    tower: Tower
    """Makes tokens of what the image processor prepares."""
    picture_px: tuple[int, int]
    """Size `(H, W)` of the picture."""

    @property
    @abstractmethod
    def views(self) -> list[Region]:
        """The part of the picture that the grid of each view covers, in order."""

    @abstractmethod
    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Returns what goes through the tower for RGB pixels `(H, W, 3)`, float32 `(P, 3, h, w)`.

        They are on the CPU, `frames_per_step` of the tower for each view.
        """

    def arranged(self, values: Tensor) -> Tensor:
        """Returns values of what went through the tower, `(P, N, C)`, as those of the views."""
        return values

    @property
    def mask(self) -> Tensor | None:
        """Cells of the views that are there, bool `(T, N)`; None for all of them."""
        return None

    @property
    def spec(self) -> str:
        """The spec string of the vision LLM that the tower belongs to."""
        return self.tower.spec

    @property
    def grid(self) -> tuple[int, int]:
        """Grid `(h, w)` of the tokens of every view."""
        return self.tower.grid

    @property
    def input_px(self) -> tuple[int, int]:
        """Size `(H, W)` of the picture: the image processor gets all of it."""
        return self.picture_px

    @property
    def channels(self) -> int | None:
        """Channels `D` of the tokens: the width of the LLM."""
        return self.tower.channels

    @property
    def weights(self) -> str | None:
        """Fingerprint of the checkpoint that the tower belongs to."""
        return self.tower.weights

    @property
    def reads_question(self) -> bool:
        """Whether `asked` can fill `question_similarity`, as the tower can."""
        return self.tower.reads_question

    def question_similarity(self, tokens: VideoTokens, question: str) -> Tensor:
        """Returns how near each token lies to the words of a question, float32 `(T, N)`."""
        return self.tower.question_similarity(tokens, question)

    @property
    def has_projector(self) -> bool:
        """Whether `project` can be called, as on the tower."""
        return self.tower.has_projector

    def project(self, values: Tensor) -> Tensor:
        """Returns what the projector makes of rows of `pre_projector`, `(P, D)`."""
        return self.tower.project(values)

    @torch.no_grad()
    def encode(self, frames: Frames, signals: frozenset[str] | None = None) -> VideoTokens:
        """Returns the tokens `(T, N, D)` of the views of the first frame, all at its time."""
        wanted, image = self.wanted(signals), frames.data[0]
        with in_one_line(self.tower.vlm.model, doing="run"):
            pixels = self.prepared(image)
        columns = self.looked(pixels, wanted)
        features, layers = columns.pop("features"), columns.pop("layers", None)
        if "edge_density" in wanted:
            views = (shrunk(_cut(image, view)[None], self.tower.input_px) for view in self.views)
            columns["edge_density"] = torch.cat(
                [edge_density_on(features.device, view, self.grid) for view in views]
            )
        return VideoTokens(
            features=features,
            grid=self.grid,
            pts_seconds=torch.full((len(features),), float(frames.pts_seconds[0])).double(),
            mask=None if self.mask is None else self.mask.to(features.device),
            layers=layers,
            signals=Signals(**columns),
        )

    def looked(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns what the tower gives for the views, by name, `(T, N, ...)` each.

        Args:
            pixels: what `prepared` gives.
            signals: what is wanted besides the features.
        """
        steps = len(pixels) // self.tower.frames_per_step
        found = self.tower.columns(steps, pixels.__getitem__, self.picture_px, signals)
        return {name: self._of_views(value) for name, value in found.items()}

    def _of_views(self, values: Tensor) -> Tensor:
        """Returns values `(P, N, ...)` as those of the views, `(T, N, ...)`."""
        arranged = self.arranged(values.reshape(*values.shape[:2], -1))
        return arranged.reshape(*arranged.shape[:2], *values.shape[2:])


def tile_views(rows: int, columns: int) -> list[Region]:
    """Returns the parts of a picture that tiles of equal size cover, in raster order."""
    return [
        (column / columns, row / rows, (column + 1) / columns, (row + 1) / rows)
        for row in range(rows)
        for column in range(columns)
    ]


def _cut(image: npt.NDArray[np.uint8], view: Region) -> npt.NDArray[np.uint8]:
    """Returns the pixels of a picture that a view covers, at least one, black beyond its edges."""
    height, width = image.shape[:2]
    (left, right), (top, bottom) = (
        (start := round(low * size), max(start + 1, round(high * size)))
        for low, high, size in ((view[0], view[2], width), (view[1], view[3], height))
    )
    inside = image[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    around = [(max(0, -top), max(0, bottom - height)), (max(0, -left), max(0, right - width))]
    return np.pad(inside, [*around, (0, 0)]) if any(map(any, around)) else inside
