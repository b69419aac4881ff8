"""The vision tower and projector of a LLaVA-like model, as an encoder."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders._edges import DETAIL_PX, edge_density
from framesift.encoders._probe import watch
from framesift.encoders.base import Encoder
from framesift.errors import ModelError
from framesift.types.frames import Frames
from framesift.types.tokens import Signals, VideoTokens
from framesift.types.video import VideoInfo
from framesift.vlms._pictures import Preparation
from framesift.vlms.base import VLM

SUMMARY: Final = {"clip_vision_model": 0, "siglip_vision_model": None}
"""Place of the summary token in the towers that are understood, None for those without."""


@dataclass(frozen=True, kw_only=True)
class Tower(Encoder):
    """Features in the LLM's space, exactly those that the model would take.

    `attention` and `keys` are those of the layer that gives the features: from the summary token
    where the tower has one, else received on average. `pre_projector` are the layer's features.
    Where patches are pooled into tokens, so are these.
    """

    summary: ClassVar[str] = "vision tower and projector of a vision LLM"
    gives: ClassVar[frozenset[str]] = frozenset(
        {"attention", "keys", "pre_projector", "edge_density"}
    )

    vlm: VLM
    batch_size: int = 8
    """Frames that go through the tower at once."""
    picture_px: tuple[int, int] | None = None
    """Display size `(H, W)` of the video, None where it is not known yet."""

    @property
    def spec(self) -> str:
        """The spec string of the vision LLM that the tower belongs to."""
        return self.vlm.spec

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

    def fitted(self, info: VideoInfo) -> Self:
        """Returns the encoder for a video, so that its proportions are kept when it is decoded."""
        return replace(self, picture_px=(info.height_px, info.width_px))

    def region(self, info: VideoInfo) -> tuple[float, float, float, float]:
        """Returns the part of the picture that the tower sees after cropping or padding."""
        return self.preparation.geometry.region(info.height_px, info.width_px)

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
    def look(self, pixels: Tensor) -> tuple[Tensor, Any]:
        """Returns the features `(T, N, D)` of `(T, 3, H, W)`, and the tower's hidden states."""

    @torch.no_grad()
    def encode(self, frames: Frames) -> VideoTokens:
        """Returns the tokens `(T, N, D)` on the CPU, in the dtype of the model."""
        parts = [
            self._look(frames.data[start : start + self.batch_size])
            for start in range(0, len(frames), self.batch_size)
        ]
        columns = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        density = edge_density(self.preparation.cut(frames.data), self.grid)
        return VideoTokens(
            features=columns.pop("features"),
            grid=self.grid,
            pts_seconds=torch.tensor(frames.pts_seconds),
            signals=Signals(edge_density=torch.from_numpy(density), **columns),
        )

    @property
    def _patches(self) -> int:
        vision = self.vlm.config.vision_config
        if vision.model_type not in SUMMARY:
            raise ModelError(
                f"{self.vlm.model!r} has a vision tower of type {vision.model_type!r}; this family "
                f"reads {' or '.join(SUMMARY)}; pass a checkpoint with such a tower"
            )
        patches: int = vision.image_size // vision.patch_size
        return patches

    def _look(self, images: npt.NDArray[np.uint8]) -> dict[str, Tensor]:
        hf, config = self.vlm.hf, self.vlm.config
        pixels = self.preparation.pixels(images).to(hf.device, hf.dtype)
        summary = SUMMARY[config.vision_config.model_type]
        layer = config.vision_feature_layer
        chosen = [layer] if isinstance(layer, int) else list(layer)
        with watch(_attention_of(hf.base_model.vision_tower, chosen[-1]), summary) as seen:
            features, hidden = self.look(pixels)
        skip = 0 if summary is None else 1
        before = torch.cat([hidden[index][:, skip:] for index in chosen], dim=-1)
        found = {
            "features": features,
            "attention": self.pooled(seen.attention[:, skip:, None])[..., 0],
            "keys": self.pooled(seen.keys[:, skip:]),
            "pre_projector": self.pooled(before),
        }
        return {name: value.cpu() for name, value in found.items()}


def _attention_of(tower: Any, layer: int) -> Any:
    """Returns the attention module of the layer that gives `hidden_states[layer]`."""
    return tower.encoder.layers[layer if layer < 0 else layer - 1].self_attn
