"""LLaVA-NeXT-Video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from framesift.types.options import Reachable
from framesift.vlms._llava_units import Side, Taps, TokenRows
from framesift.vlms._video import PooledVideo, VideoTower, averaged


@dataclass(frozen=True, kw_only=True)
class LlavaNextVideo(PooledVideo):
    """LLaVA-NeXT-Video: patches are pooled 2x2 and then projected; no newline, no separators."""

    summary: ClassVar[str] = "LLaVA-NeXT-Video; patches pooled 2x2, 144 tokens per frame at 336 px"
    model_types: ClassVar[frozenset[str]] = frozenset({"llava_next_video"})

    model: Reachable = "llava-hf/LLaVA-NeXT-Video-7B-hf"

    def tower(self) -> VideoTower:
        """Returns the tower with the model's own pooling."""
        return _NextVideoTower(vlm=self)


@dataclass(frozen=True, kw_only=True)
class _NextVideoTower(VideoTower):
    usual: ClassVar[dict[str, Any]] = {
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 224, "width": 224},
        "do_center_crop": True,
    }

    def pooled_grid(self, patches: int) -> tuple[int, int]:
        side = patches // self.vlm.config.spatial_pool_stride
        return side, side

    @property
    def taps(self) -> Taps:
        return Taps(side=Side.squares(self._patches, self.vlm.config.spatial_pool_stride))

    def projected(self, before: Tensor, at: TokenRows) -> Tensor:
        model = self.vlm.hf.base_model
        # Each token's patches are a picture of its own for the model's pooling.
        features: Tensor = model.multi_modal_projector(model.vision_resampler(at.gathered(before)))
        return features[:, 0]

    def pooled(self, values: Tensor) -> Tensor:
        return averaged(values, self._patches, self.vlm.config.spatial_pool_stride)
