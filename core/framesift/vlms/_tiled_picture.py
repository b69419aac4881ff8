"""Pictures of any resolution of the LLaVA models: the whole in one view, then rows of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.types.compressed import CompressedVideo
from framesift.types.video import Region
from framesift.vlms._llava import ImageTower
from framesift.vlms._picture import PictureTower
from framesift.vlms.any_resolution import AnyResolution, TiledPicture
from framesift.vlms.base import VLM, Block


@dataclass(frozen=True, kw_only=True)
class TileTower(ImageTower):
    """A tower on views of pictures, each patch of which becomes one token.

    Tower and projector are called one after the other: the model's own way to features takes all
    views of a picture at once, and puts them together.
    """

    def run(self, pixels: Tensor) -> tuple[Tensor, Any]:
        """Returns the features `(T, N, D)` of `(T, 3, H, W)`, and the tower's hidden states."""
        out = self.tower(pixels, output_hidden_states=True, return_dict=True)
        before = torch.cat([out.hidden_states[layer] for layer in self._chosen], dim=-1)
        projected: Tensor = self.vlm.hf.base_model.multi_modal_projector(before[:, self._skipped :])
        return projected, out.hidden_states


@dataclass(frozen=True, kw_only=True)
class AnyResolutionPicture(PictureTower):
    """A picture as a view of the whole of it and as views of its rows of tiles."""

    @cached_property
    def cut(self) -> TiledPicture:
        """How the picture is cut."""
        return AnyResolution.of(self.tower.vlm.config).cut(*self.picture_px)

    @property
    def views(self) -> list[Region]:
        """The whole picture, and the parts of it that the views of the tiles cover."""
        return self.cut.regions

    @property
    def mask(self) -> Tensor:
        """Cells of the views that are there, bool `(T, N)`."""
        return self.cut.mask

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Returns RGB pixels `(H, W, 3)` as the whole and its tiles, float32 `(P, 3, h, w)`."""
        prepared: Tensor = self.tower.vlm.image_processor(
            images=[image], input_data_format="channels_last", return_tensors="pt"
        )["pixel_values"]
        return prepared[0]

    def arranged(self, values: Tensor) -> Tensor:
        """Returns values of the whole and its tiles, `(P, N, C)`, as those of the views."""
        return self.cut.in_views(values)


def tiled_blocks(vlm: VLM, video: CompressedVideo) -> list[list[Block]]:
    """Returns the item of a picture: the whole of it, then its rows, with a newline behind each."""
    assert video.report.picture_px is not None
    return [[*_rows(AnyResolution.of(vlm.config).cut(*video.report.picture_px))]]


def _rows(cut: TiledPicture) -> Iterator[Block]:
    order = cut.order.tolist()
    whole, width = cut.patches**2, cut.grid[1] + 1
    yield Block(frames=range(1))
    for start in range(whole, len(order), width):
        yield Block(tokens=tuple(order[start : start + width - 1]), extra=1)
