"""The geometry of pictures of any resolution: one view of the whole, and tiles of a larger one.

A picture twice as wide as high, where tiles have 4x4 tokens and the best canvas is 2x2 tiles. The
rows of tokens that are padding alone are left out, and a newline ends each row that is there:

    whole picture    canvas of 2x2 tiles    what the LLM reads behind the whole picture
      ■ ■ ■ ■          · · · · · · · ·        ■ ■ ■ ■ ■ ■ ■ ■ newline
      ■ ■ ■ ■          · · · · · · · ·        ■ ■ ■ ■ ■ ■ ■ ■ newline
      ■ ■ ■ ■          ■ ■ ■ ■ ■ ■ ■ ■        ■ ■ ■ ■ ■ ■ ■ ■ newline
      ■ ■ ■ ■          ■ ■ ■ ■ ■ ■ ■ ■        ■ ■ ■ ■ ■ ■ ■ ■ newline
                       ■ ■ ■ ■ ■ ■ ■ ■
                       ■ ■ ■ ■ ■ ■ ■ ■
                       · · · · · · · ·
                       · · · · · · · ·

Those rows are cut anew into views of 4x4 tokens from their upper left corner, so that all views
have one shape; the last ones of a row or column may have cells that are not there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from framesift.errors import ModelError

NEWLINE: Final = -1
"""Stands in `TiledPicture.order` for the learned token that ends a row."""
SHRUNK_FROM: Final = 1.1
"""From which ratio of its sides to those of the most tiles a canvas is made smaller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyResolution:
    """How a checkpoint cuts its pictures: canvases to choose from, and tiles of one size."""

    canvases_px: tuple[tuple[int, int], ...]
    """Sizes `(H, W)` that a picture may be brought to, each of whole tiles."""
    tile_px: int
    """Pixels on each side of a tile."""
    patches: int
    """Tokens on each side of a tile."""
    most_tiles: int | None = None
    """Tiles whose tokens a picture may have besides its whole; None for as many as there are."""

    @classmethod
    def of(cls, config: Any) -> Self:
        """Returns what the configuration of a LLaVA model says.

        Raises:
            ModelError: a canvas is not made of whole tiles.
        """
        vision = config.vision_config
        tile, aspect = vision.image_size, getattr(config, "vision_aspect_ratio", None)
        canvases = tuple((height, width) for height, width in config.image_grid_pinpoints)
        for canvas in canvases:
            if canvas[0] % tile or canvas[1] % tile:
                raise ModelError(
                    f"image_grid_pinpoints of {config.model_type!r} has {canvas}, which is not "
                    f"made of tiles of {tile} px; correct the config.json of the checkpoint"
                )
        return cls(
            canvases_px=canvases,
            tile_px=tile,
            patches=tile // vision.patch_size,
            most_tiles=None if aspect is None else int(aspect.removeprefix("anyres_max_")),
        )

    def cut(self, height: int, width: int) -> TiledPicture:
        """Returns how a picture of a size in pixels is cut."""
        canvas = self.canvas_px(height, width)
        tiles = canvas[0] // self.tile_px, canvas[1] // self.tile_px
        rows, columns = (count * self.patches for count in tiles)
        above, beside = _padding(height, width, rows, columns)
        shown = rows - 2 * above, columns - 2 * beside
        return TiledPicture(
            size_px=(height, width),
            canvas_px=canvas,
            tiles=tiles,
            patches=self.patches,
            padding=(above, beside),
            grid=self._shrunk(*shown),
        )

    def canvas_px(self, height: int, width: int) -> tuple[int, int]:
        """Returns the canvas `(H, W)` that shows the most of a picture, and wastes the least."""

        def worth(canvas: tuple[int, int]) -> tuple[int, int]:
            rows, columns = canvas
            scale = min(columns / width, rows / height)
            shown = min(int(width * scale) * int(height * scale), width * height)
            return shown, shown - rows * columns

        return max(self.canvases_px, key=worth)

    def _shrunk(self, rows: int, columns: int) -> tuple[int, int]:
        """Returns the grid of the tokens, a smaller one if `rows` by `columns` are too many."""
        if self.most_tiles is None:
            return rows, columns
        ratio = math.sqrt(rows * columns / (self.most_tiles * self.patches**2))
        if ratio <= SHRUNK_FROM:
            return rows, columns
        return int(rows // ratio), int(columns // ratio)


@dataclass(frozen=True, kw_only=True)
class TiledPicture:
    """One picture on its canvas: which tokens it has, and where each of them lies."""

    size_px: tuple[int, int]
    """Size `(H, W)` of the picture."""
    canvas_px: tuple[int, int]
    """Size `(H, W)` of the canvas in whose middle it is put, as large as fits."""
    tiles: tuple[int, int]
    """Tiles of the canvas, `(rows, columns)`."""
    patches: int
    """Tokens on each side of a tile, and of a view."""
    padding: tuple[int, int]
    """Rows of tokens left out above and below, and columns left out on either side."""
    grid: tuple[int, int]
    """Tokens `(rows, columns)` of the tiles that the LLM reads, newlines left out."""

    @property
    def tile_count(self) -> int:
        """How many tiles go through the tower behind the view of the whole picture."""
        return self.tiles[0] * self.tiles[1]

    @property
    def views(self) -> tuple[int, int]:
        """Views `(rows, columns)` of the tokens of the tiles; the whole picture is one more."""
        rows, columns = self.grid
        return -(-rows // self.patches), -(-columns // self.patches)

    @property
    def view_count(self) -> int:
        """How many views there are, with that of the whole picture, which is the first."""
        return 1 + self.views[0] * self.views[1]

    @property
    def count(self) -> int:
        """How many tokens the LLM reads, newlines included."""
        return self.patches**2 + self.grid[0] * (self.grid[1] + 1)

    @cached_property
    def mask(self) -> Tensor:
        """Cells of the views that are there, bool `(V, patches * patches)`."""
        whole = torch.ones(1, self.patches**2, dtype=torch.bool)
        return torch.cat([whole, self._in_views(torch.ones(*self.grid, 1))[..., 0] > 0])

    @cached_property
    def order(self) -> Tensor:
        """Cells of the views, counted through them, in the order of the LLM, int64 `(count,)`.

        `NEWLINE` stands behind each row of the tiles.
        """
        side, across = self.patches, self.views[1]
        row, column = torch.arange(self.grid[0])[:, None], torch.arange(self.grid[1])[None]
        view = 1 + row // side * across + column // side
        cell = view * side**2 + row % side * side + column % side
        return torch.cat([torch.arange(side**2), pad(cell, (0, 1), value=NEWLINE).flatten()])

    @property
    def regions(self) -> list[tuple[float, float, float, float]]:
        """Part `(x0, y0, x1, y1)` of the picture that each view covers, relative to it.

        What is padding, or a cell that is not there, lies outside of 0 and 1.
        """
        tall, wide = (self._edges(axis) for axis in (0, 1))
        parts = [(x0, y0, x1, y1) for y0, y1 in tall for x0, x1 in wide]
        return [(0.0, 0.0, 1.0, 1.0), *parts]

    def joined(self, tiles: Tensor) -> Tensor:
        """Returns values of the patches of tiles as rows of tokens, `(rows, columns, C)`.

        Args:
            tiles: those of each tile in raster order, `(tiles, patches * patches, C)`.
        """
        side, (down, across) = self.patches, self.tiles
        squares = tiles.reshape(down, across, side, side, -1).transpose(1, 2)
        canvas = squares.reshape(down * side, across * side, -1)
        above, beside = self.padding
        shown = canvas[above : len(canvas) - above, beside : canvas.shape[1] - beside]
        if shown.shape[:2] == self.grid:
            return shown
        # In memory as the models have it, so that it is equal to the bit.
        picture = shown.permute(2, 0, 1).contiguous()[None]
        return interpolate(picture, self.grid, mode="bilinear")[0].permute(1, 2, 0)

    def in_views(self, values: Tensor) -> Tensor:
        """Returns values of the whole picture and its tiles as those of the views, `(V, N, C)`.

        Cells that are not there hold zeros.

        Args:
            values: of the patches, `(1 + tiles, N, C)`; those of the whole picture come first.
        """
        return torch.cat([values[:1], self._in_views(self.joined(values[1:]))])

    def _in_views(self, rows: Tensor) -> Tensor:
        """Returns values `(rows, columns, C)` cut into views, `(V - 1, N, C)`."""
        side, (down, across) = self.patches, self.views
        missing = down * side - rows.shape[0], across * side - rows.shape[1]
        filled = pad(rows, (0, 0, 0, missing[1], 0, missing[0]))
        squares = filled.reshape(down, side, across, side, rows.shape[2]).transpose(1, 2)
        return squares.reshape(down * across, side * side, rows.shape[2])

    def _edges(self, axis: int) -> list[tuple[float, float]]:
        """Returns where views begin and end along the picture's height (0) or width (1)."""
        canvas, own = self.canvas_px[axis], self.size_px[axis]
        scale = min(self.canvas_px[side] / self.size_px[side] for side in (0, 1))
        inside = min(math.ceil(own * scale), canvas)
        tokens = self.tiles[axis] * self.patches
        first = self.padding[axis]
        step = (tokens - 2 * first) / max(self.grid[axis], 1) * self.patches
        before = (canvas - inside) // 2

        def place(token: float) -> float:
            return (token * canvas / tokens - before) / inside

        return [
            (place(first + view * step), place(first + (view + 1) * step))
            for view in range(self.views[axis])
        ]


def _padding(height: int, width: int, rows: int, columns: int) -> tuple[int, int]:
    """Returns the rows of tokens above a picture and the columns beside it that are left out.

    One of both is 0. Where what is left over is odd, one more of them stays.
    """
    # The rounding is that of the models: a product of floats may miss a whole number by a hair.
    if width / height > columns / rows:
        return (rows - int(round(height * (columns / width), 7))) // 2, 0
    return 0, (columns - int(round(width * (rows / height), 7))) // 2
