"""Towers whose patches go into the projector in squares: a square of patches makes one token."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from framesift.encoders.still import Units
from framesift.errors import ModelError
from framesift.hf.borrowing import PackedFrames
from framesift.hf.probe import watch
from framesift.hf.tower_checkpoint import pair
from framesift.vlms._family import FamilyTower
from framesift.vlms._tower import among


@dataclass(frozen=True, kw_only=True)
class ShuffledTower(FamilyTower):
    """A tower on square frames, whose projector takes `side` by `side` patches as one token."""

    summary_token: ClassVar[int | None]
    """Position of the token that sums up the frame, which the LLM never gets, or None."""

    @property
    @abstractmethod
    def side(self) -> int:
        """Patches on each side of a token."""

    @property
    @abstractmethod
    def layer(self) -> Any:
        """The attention module of the layer that gives the features."""

    @abstractmethod
    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features `(T, N, D)` of frames `(T, 3, H, W)`, and the tower's `(T, L, Dv)`."""

    @abstractmethod
    def run_at(self, pixels: Tensor, packing: PackedFrames) -> Tensor:
        """Returns what `run` gives of the tower, of the packed places alone, `(P, Dv)`."""

    @abstractmethod
    def joined(self, squares: Tensor) -> Tensor:
        """Returns the features `(U, D)` of the patches of tokens, `(U, side * side, Dv)`."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`, read from the configuration."""
        return pair(self.vlm.config.vision_config.image_size)

    @property
    def grid(self) -> tuple[int, int]:
        """Grid `(h, w)` of the tokens, read from the configuration.

        Raises:
            ModelError: the patches of a frame do not make whole tokens.
        """
        rows, columns = self._patches
        if rows != columns or rows % self.side:
            raise ModelError(
                f"{self.vlm.called!r} cuts frames into {rows}x{columns} patches and joins "
                f"{self.side}x{self.side}; a square number of whole tokens is supported, so pass a "
                "checkpoint with such a tower"
            )
        return rows // self.side, columns // self.side

    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns what the tower gives for frames `(T, 3, H, W)`, of the signals what is wanted."""
        with watch(self.layer, self.summary_token, signals=signals) as seen:
            features, before = self.run(pixels)
        return {"features": features} | among(
            signals,
            attention=lambda: self._pooled(seen.attention[..., None])[..., 0],
            keys=lambda: self._pooled(seen.keys),
            pre_projector=lambda: self._pooled(before),
        )

    def look_at(
        self, pixels: Tensor, encoded: Tensor, packing: PackedFrames, signals: frozenset[str]
    ) -> dict[str, Tensor]:
        """Returns what `look` does for the encoded units alone, each `(U, ...)`, frame by frame."""
        with watch(self.layer, self.summary_token, signals=signals) as seen:
            before = self.run_at(pixels, packing)
        units = encoded.flatten().nonzero().flatten()
        rows = self._squares(packing.row[..., None]).transpose(2, 3).reshape(encoded.numel(), -1)
        squares = before[rows[units].to(before.device)]
        units = units.to(before.device)
        return {"features": self.joined(squares)} | among(
            signals,
            attention=lambda: self._pooled(seen.attention[..., None]).flatten(0, 1)[units, 0],
            keys=lambda: self._pooled(seen.keys).flatten(0, 1)[units],
            pre_projector=lambda: squares.unflatten(1, (self.side, self.side)).mean((1, 2)),
        )

    def units(self, size_px: tuple[int, int]) -> Units:
        """Returns how frames are cut into the squares of patches that make a token."""
        return Units.even(self.grid, self._patches, pair(self.vlm.config.vision_config.patch_size))

    def places(self, encoded: Tensor, units: Units) -> Tensor:
        """Returns the places of the tower, bool `(T, L)`, that units `(T, N)` need, on the CPU."""
        patches = units.patches(encoded)
        if self.summary_token is None:
            return patches
        return torch.cat([patches.any(1, keepdim=True), patches], dim=1)

    @property
    def _patches(self) -> tuple[int, int]:
        patch_px = pair(self.vlm.config.vision_config.patch_size)
        return self.size_px[0] // patch_px[0], self.size_px[1] // patch_px[1]

    def _pooled(self, values: Tensor) -> Tensor:
        """Returns values of all the tower's tokens `(T, L, C)` as means of squares, `(T, N, C)`."""
        return self._squares(values).mean((2, 4)).flatten(1, 2)

    def _squares(self, values: Tensor) -> Tensor:
        """Returns values of all the tower's tokens `(T, L, C)` as `(T, h, side, w, side, C)`."""
        patches = values if self.summary_token is None else values[:, 1:]
        rows, columns = self.grid
        return patches.reshape(len(values), rows, self.side, columns, self.side, -1)
