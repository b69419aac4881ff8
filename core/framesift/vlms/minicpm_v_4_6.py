"""MiniCPM-V 4.6: frames of their own proportions, sixteen patches a token, layers with a state."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.encoders.edges import DETAIL_PX
from framesift.hf.probe import watch
from framesift.types.compressed import CompressedVideo
from framesift.types.device import CPU
from framesift.types.options import Reachable
from framesift.types.video import WHOLE, Region, VideoInfo
from framesift.vlms._family import FamilyVLM
from framesift.vlms._picture import PictureTower, tile_views
from framesift.vlms._tower import Tower, among
from framesift.vlms.base import Block

SCALE_PX: Final = 448
"""Side of a square with as many pixels as a frame is given, where the checkpoint has none."""
MARKS: Final = {
    "image_start": "<image>",
    "image_end": "</image>",
    "slice_start": "<slice>",
    "slice_end": "</slice>",
    "image_id_start": "<image_id>",
    "image_id_end": "</image_id>",
}
"""What stands around pictures, their slices and their numbers, where a tokenizer does not say."""


@dataclass(frozen=True, kw_only=True)
class MiniCPMV46(FamilyVLM):
    """MiniCPM-V 4.6: one item for a video, in which each frame stands between two marks.

    Each frame is one view with about as many pixels as a square of 448, 64 tokens, and not cut into
    slices: keep = 1 is the prompt of the family's processor with `max_slice_nums=1` and
    `use_image_id=False`, as its authors ask about videos. A frame that loses all of its tokens
    loses its marks. A still picture has the slices of the family's image processor, up to nine, and
    its number where the checkpoint wants it (`use_image_id`).

    Most layers of its LLM carry a state from column to column, so fewer tokens are the prompt
    *without* the dropped columns, its positions kept.
    """

    summary: ClassVar[str] = "MiniCPM-V 4.6; about 64 tokens per frame, layers with a state"
    model_types: ClassVar[frozenset[str]] = frozenset({"minicpmv4_6"})
    modality: ClassVar[Literal["image", "video"]] = "video"
    listed: ClassVar[bool] = True
    resample: ClassVar[int] = 3

    model: Reachable = "openbmb/MiniCPM-V-4.6"

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and merger."""
        return _MiniCPMTower(vlm=self)

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each frame."""
        start, end = self._mark("image_start"), self._mark("image_end")
        return [
            [
                Block(frames=range(frame, frame + 1), before=start, after=end)
                for frame in range(len(video.frame_seconds))
            ]
        ]

    def picture_encoder(self, picture_px: tuple[int, int]) -> MiniCPMPicture:
        """Returns the encoder for a picture and its slices."""
        return MiniCPMPicture(tower=_MiniCPMTower(vlm=self), picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item: the whole picture, and a line for each row of its slices."""
        assert video.report.picture_px is not None
        picture = self.picture_encoder(video.report.picture_px)
        cells = torch.arange(picture.mask.numel()).view_as(picture.mask)
        return [
            [
                Block(
                    tokens=tuple(own[there].tolist()),
                    before=self._mark("slice_start" if view else "image_start"),
                    after=self._mark("slice_end" if view else "image_end"),
                    tail="\n" if picture.ends_row(view) else "",
                )
                for view, (own, there) in enumerate(zip(cells, picture.mask, strict=True))
            ]
        ]

    def picture_lead(self, number: int) -> str:
        """Returns the picture's number between its marks, where the checkpoint numbers pictures."""
        if not self.image_processor.use_image_id:
            return ""
        return f"{self._mark('image_id_start')}{number}{self._mark('image_id_end')}"

    def _mark(self, name: str) -> str:
        """Returns a special token that frames pictures, as the tokenizer calls it."""
        return str(getattr(self.tokenizer, f"{name}_token", MARKS[name]))


@dataclass(frozen=True, kw_only=True)
class _MiniCPMTower(Tower):
    """A tower that joins windows of patches half way, so that it encodes whole frames only."""

    vlm: MiniCPMV46
    picture_px: tuple[int, int] | None = None
    """Display size `(H, W)` of the video, None for a square one."""
    view_px: tuple[int, int] | None = None
    """Size `(H, W)` of the views of a picture, None for videos."""

    @property
    def size_px(self) -> tuple[int, int]:
        if self.view_px is not None:
            return self.view_px
        scale = self.vlm.frame_pixels.settings.get("scale_resolution", SCALE_PX)
        height, width = self.picture_px or (1, 1)
        # The width follows from the rounded height, as the family's processor has it.
        tall = int(scale / math.sqrt(width / height))
        return self._rounded(tall), self._rounded(int(tall * (width / height)))

    @property
    def grid(self) -> tuple[int, int]:
        return self.size_px[0] // self._unit_px, self.size_px[1] // self._unit_px

    @property
    def input_px(self) -> tuple[int, int]:
        times = -(-DETAIL_PX // max(self.size_px))
        return self.size_px[0] * times, self.size_px[1] * times

    def for_video(self, info: VideoInfo, frames: int | None = None) -> Self:
        return replace(self, picture_px=(info.height_px, info.width_px))

    def pixels(self, images: npt.NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
        return self.vlm.frame_pixels.pixels(images, [self.size_px], device)

    @property
    def tower(self) -> Any:
        return self.vlm.hf.base_model.vision_tower

    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        model, frames = self.vlm.hf.base_model, len(pixels)
        patch: int = self.vlm.config.vision_config.patch_size
        cut = pixels.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))
        sizes = torch.tensor([[*cut.shape[2:5:2]]] * frames, device=pixels.device)
        # All patches of all frames side by side, each as high as a patch.
        strip = cut.permute(1, 3, 0, 2, 4, 5).reshape(1, pixels.shape[1], patch, -1)
        with watch(self.tower.encoder.layers[-1].self_attn, signals=signals) as seen:
            out = model.get_image_features(strip, sizes.int())
        return {"features": torch.stack(list(out.pooler_output))} | among(
            signals,
            attention=lambda: self._pooled(seen.attention[..., None])[..., 0],
            keys=lambda: self._pooled(seen.keys),
            pre_projector=lambda: self._pooled(out.last_hidden_state.unflatten(1, (frames, -1))[0]),
        )

    def _pooled(self, values: Tensor) -> Tensor:
        """Returns values of what the tower ends with, `(T, L, C)`, as means by token."""
        (rows, columns), side = self.grid, self.vlm.config.merge_kernel_size[0]
        squares = values.reshape(len(values), rows, side, columns, side, -1)
        return squares.mean((2, 4)).flatten(1, 2)

    def _rounded(self, length_px: int) -> int:
        unit = self._unit_px
        return max(round(length_px / unit), 1) * unit

    @property
    def _unit_px(self) -> int:
        """Pixels on each side of a token."""
        patch: int = self.vlm.config.vision_config.patch_size
        return patch * (2 if self.vlm.config.downsample_mode == "4x" else 4)


@dataclass(frozen=True, kw_only=True)
class MiniCPMPicture(PictureTower):
    """A picture as a view of the whole and, if it is large, slices of one size in raster order.

    Both sizes differ, so all views have a grid that holds either; the cells of the smaller one
    begin at its upper left corner.
    """

    tower: _MiniCPMTower

    @cached_property
    def slices(self) -> tuple[int, int]:
        """Rows and columns of slices, none where the whole picture is the only view."""
        own = self._processor
        if not own.slice_mode:
            return 0, 0
        grid = own.get_sliced_grid(self.picture_px, own.max_slice_nums, own.scale_resolution)
        return (grid[0], grid[1]) if grid else (0, 0)

    @cached_property
    def towers(self) -> list[_MiniCPMTower]:
        """The tower for the size of the whole picture, and that for the size of its slices."""
        own, grid = self._processor, self.slices
        given = own.scale_resolution, own.patch_size, own.downsample_mode
        whole = own.find_best_resize(self.picture_px, *given, allow_upscale=not all(grid))
        sizes = [whole]
        if all(grid):
            height, width = own.get_refine_size(self.picture_px, grid, *given, allow_upscale=True)
            sizes.append((height // grid[0], width // grid[1]))
        return [replace(self.tower, view_px=size) for size in sizes]

    @property
    def grid(self) -> tuple[int, int]:
        """Grid `(h, w)` that holds the tokens of every view."""
        rows, columns = zip(*(tower.grid for tower in self.towers), strict=True)
        return max(rows), max(columns)

    @property
    def views(self) -> list[Region]:
        """The whole picture and its slices, each with the cells of the grid that it lacks."""
        parts = [WHOLE, *(tile_views(*self.slices) if all(self.slices) else [])]
        regions = []
        for number, (x0, y0, x1, y1) in enumerate(parts):
            rows, columns = self._tower_of(number).grid
            wide, tall = self.grid[1] / columns, self.grid[0] / rows
            regions.append((x0, y0, x0 + (x1 - x0) * wide, y0 + (y1 - y0) * tall))
        return regions

    @property
    def mask(self) -> Tensor:
        """Cells of the views that are there, bool `(T, N)`."""
        count = 1 + self.slices[0] * self.slices[1]
        ones = [torch.ones(1, math.prod(self._tower_of(view).grid), 1) for view in range(count)]
        filled = [self._filled(each, self._tower_of(view)) for view, each in enumerate(ones)]
        return torch.cat(filled)[..., 0] > 0

    def ends_row(self, view: int) -> bool:
        """Returns whether a line break stands behind a view: the last slice of a row but one."""
        rows, columns = self.slices
        return 0 < view < rows * columns and view % columns == 0

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Returns RGB pixels `(H, W, 3)` as the views, float32 `(P, 3, h, w)`, zeros around them.

        `h` and `w` are the larger ones of both sizes.
        """
        given = self._processor(
            images=[image], input_data_format="channels_last", return_tensors="pt"
        )
        strip, patch = given["pixel_values"][0], self._processor.patch_size
        sizes = given["target_sizes"].tolist()
        views = strip.split([rows * columns * patch for rows, columns in sizes], dim=-1)
        largest = [max(size[axis] for size in sizes) * patch for axis in (0, 1)]
        pixels: Tensor = strip.new_zeros(len(views), len(strip), *largest)
        for number, ((rows, columns), view) in enumerate(zip(sizes, views, strict=True)):
            cut = view.view(len(strip), patch, rows, columns, patch).permute(0, 2, 1, 3, 4)
            whole = cut.reshape(len(strip), rows * patch, columns * patch)
            pixels[number, :, : rows * patch, : columns * patch] = whole
        return pixels

    def looked(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns what the tower gives for the views, by name, `(T, N, ...)` each."""
        found = []
        for tower, views in zip(self.towers, (pixels[:1], pixels[1:]), strict=False):
            height, width = tower.size_px
            own = views[:, :, :height, :width]
            columns = tower.columns(len(own), own.__getitem__, self.picture_px, signals)
            found.append({name: self._filled(value, tower) for name, value in columns.items()})
        return {name: torch.cat([each[name] for each in found]) for name in found[0]}

    def _filled(self, values: Tensor, tower: _MiniCPMTower) -> Tensor:
        """Returns values `(P, n, ...)` of views of one size on the grid of all, `(P, N, ...)`."""
        (rows, columns), shape = tower.grid, values.shape[2:]
        filled = values.new_zeros(len(values), *self.grid, *shape)
        filled[:, :rows, :columns] = values.unflatten(1, (rows, columns))
        together: Tensor = filled.flatten(1, 2)
        return together

    def _tower_of(self, view: int) -> _MiniCPMTower:
        return self.towers[min(view, 1)]

    @property
    def _processor(self) -> Any:
        return self.tower.vlm.image_processor
