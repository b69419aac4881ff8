"""Towers whose patches go into the projector in squares: a square of patches makes one token."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from framesift.errors import ModelError
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

    @property
    def _patches(self) -> tuple[int, int]:
        patch_px = pair(self.vlm.config.vision_config.patch_size)
        return self.size_px[0] // patch_px[0], self.size_px[1] // patch_px[1]

    def _pooled(self, values: Tensor) -> Tensor:
        """Returns values of all the tower's tokens `(T, L, C)` as means of squares, `(T, N, C)`."""
        patches = values if self.summary_token is None else values[:, 1:]
        rows, columns = self.grid
        squares = patches.reshape(len(values), rows, self.side, columns, self.side, -1)
        return squares.mean((2, 4)).flatten(1, 2)
