"""The towers of LLaVA and its like: CLIP or SigLIP, whose chosen layers are projected."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.edges import DETAIL_PX
from framesift.encoders.still import Units
from framesift.encoders.units import UnitEncoder, picked
from framesift.errors import ModelError
from framesift.hf.borrowing import PackedFrames
from framesift.hf.packed_tower import packed_states
from framesift.hf.preparation import Preparation
from framesift.hf.probe import WatchedLayer, watch
from framesift.hf.tower_checkpoint import pair
from framesift.types.device import CPU
from framesift.types.video import VideoInfo
from framesift.vlms._llava_units import Taps, TokenRows
from framesift.vlms._tower import Tower, among, projected_rows

SUMMARY: Final = {"clip_vision_model": 0, "siglip_vision_model": None}
"""Place of the summary token in the towers that are understood, None for those without."""


@dataclass(frozen=True, kw_only=True)
class LlavaTower(Tower, UnitEncoder):
    """A tower that is watched in the layer that gives the features.

    `attention` comes from the summary token where the tower has one, else it is received on
    average. Where patches are pooled into tokens, so are the signals.
    """

    picture_px: tuple[int, int] | None = None
    """Display size `(H, W)` of the video, None where it is not known yet."""

    @property
    def grid(self) -> tuple[int, int]:
        """Patch grid `(h, w)` after pooling, read from the configuration."""
        return self.pooled_grid(self._patches)

    @property
    def input_px(self) -> tuple[int, int]:
        """Frame size `(H, W)` in the proportions of the video that shows the strokes of text."""
        least = max(self.preparation.least_px, DETAIL_PX)
        height, width = self.picture_px or (1, 1)
        return round(least * max(1, height / width)), round(least * max(1, width / height))

    def for_video(self, info: VideoInfo, frames: int | None = None) -> Self:
        """Returns the encoder for a video, so that its proportions are kept when it is decoded."""
        return replace(self, picture_px=(info.height_px, info.width_px))

    def region(self, info: VideoInfo) -> tuple[float, float, float, float]:
        """Returns the part of the picture that the tower sees after cropping or padding."""
        return self.preparation.geometry.region(info.height_px, info.width_px)

    @property
    def size_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`, read from the configuration."""
        return pair(self.vlm.config.vision_config.image_size)

    @property
    @abstractmethod
    def preparation(self) -> Preparation:
        """How the checkpoint prepares frames."""

    @abstractmethod
    def pooled_grid(self, patches: int) -> tuple[int, int]:
        """Returns the grid of the tokens, from the number of patches on each side."""

    @abstractmethod
    def pooled(self, values: Tensor) -> Tensor:
        """Returns values of patches `(T, patches, C)` on the grid of the tokens, `(T, N, C)`."""

    @abstractmethod
    def run(self, pixels: Tensor) -> tuple[Tensor, Any]:
        """Returns the features `(T, N, D)` of `(T, 3, H, W)`, and the tower's hidden states."""

    def pixels(self, images: npt.NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
        """Returns RGB frames `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`."""
        pixels = self.preparation.pixels(images, device)
        if (made := tuple(pixels.shape[2:])) != self.size_px:
            (height, width), (rows, columns) = images.shape[1:3], self.size_px
            raise ModelError(
                f"{self.vlm.called!r} brings frames of {height}x{width} px to {made[0]}x{made[1]}, "
                f"and its vision tower takes {rows}x{columns}; its preprocessor file must resize "
                "or crop to that: take the one that came with the model"
            )
        return pixels

    def covered(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Returns the part of frames `(T, H, W, 3)` that is left after cropping or padding."""
        return self.preparation.cut(images)

    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns what the tower gives for frames `(T, 3, H, W)`, of the signals what is wanted."""
        with self._watched(signals) as seen:
            features, hidden = self.run(pixels)
        skip = self._skipped

        def before() -> Tensor:
            return torch.cat([hidden[index][:, skip:] for index in self._chosen], dim=-1)

        return {"features": features} | among(
            signals,
            attention=lambda: self.pooled(seen.attention[:, skip:, None])[..., 0],
            keys=lambda: self.pooled(seen.keys[:, skip:]),
            pre_projector=lambda: self.pooled(before()),
        )

    @property
    @abstractmethod
    def taps(self) -> Taps:
        """Of which patches each token is made."""

    @abstractmethod
    def projected(self, before: Tensor, at: TokenRows) -> Tensor:
        """Returns the features `(U, D)` of tokens.

        Args:
            before: what is projected, of encoded places of the tower, `(P, C)`.
            at: which of them make each token.
        """

    @property
    def has_projector(self) -> bool:
        """The model's own, which takes each token alone."""
        return True

    def project(self, values: Tensor) -> Tensor:
        """Returns what the model's projector makes of rows `(P, Dv)`, `(P, D)` in their dtype."""
        return projected_rows(self.vlm, self.vlm.hf.base_model.multi_modal_projector, values)

    @property
    def tower(self) -> Any:
        """The vision tower in transformers."""
        return self.vlm.hf.base_model.vision_tower

    @property
    def levels(self) -> tuple[float, ...]:
        """How many levels of 256 make 1 in normalized pixels, for each colour."""
        return self.preparation.levels

    def units(self, size_px: tuple[int, int]) -> Units:
        """Returns which patches, of frames of the tower's size, become which token."""
        return self.taps.units(self._patches, self.vlm.config.vision_config.patch_size)

    def places(self, encoded: Tensor, units: Units) -> Tensor:
        """Returns the places of the tower that tokens need, with that of the summary token."""
        patches = units.patches(encoded)
        return torch.nn.functional.pad(patches, (self._skipped, 0), value=True)

    def look_at(
        self, pixels: Tensor, encoded: Tensor, packing: PackedFrames, signals: frozenset[str]
    ) -> dict[str, Tensor]:
        """Returns what `look` does, of the encoded tokens alone."""
        skip, chosen = self._skipped, self._chosen
        with self._watched(signals) as seen:
            hidden = packed_states(self.tower, pixels, packing, chosen)
        before = torch.cat([hidden[layer] for layer in chosen], dim=-1)
        at = self.taps.at(packing.row[:, skip:], encoded, before.device)
        return {"features": self.projected(before, at)} | among(
            signals,
            attention=lambda: picked(self.pooled(seen.attention[:, skip:, None]), encoded)[:, 0],
            keys=lambda: picked(self.pooled(seen.keys[:, skip:]), encoded),
            pre_projector=lambda: at.mixed(before),
        )

    def _watched(self, signals: frozenset[str]) -> AbstractContextManager[WatchedLayer]:
        layer = self._chosen[-1]
        source = self.tower.encoder.layers[layer if layer < 0 else layer - 1].self_attn
        summary = SUMMARY[self.vlm.config.vision_config.model_type]
        return watch(source, summary, signals=signals)

    @property
    def _chosen(self) -> list[int]:
        """Whose hidden states are projected, side by side; the attention is that of the last."""
        layer = self.vlm.config.vision_feature_layer
        return [layer] if isinstance(layer, int) else list(layer)

    @property
    def _skipped(self) -> int:
        """Places before the first patch: one for a summary token."""
        return 0 if SUMMARY[self.vlm.config.vision_config.model_type] is None else 1

    @property
    def _patches(self) -> int:
        vision = self.vlm.config.vision_config
        if vision.model_type not in SUMMARY:
            raise ModelError(
                f"{self.vlm.called!r} has a vision tower of type {vision.model_type!r}; this "
                f"family reads {' or '.join(SUMMARY)}; pass a checkpoint with such a tower"
            )
        patches: int = vision.image_size // vision.patch_size
        return patches
