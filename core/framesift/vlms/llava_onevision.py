"""LLaVA-OneVision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor
from torch.nn.functional import interpolate

from framesift.types.options import Reachable
from framesift.vlms._llava_units import Side, Taps, TokenRows
from framesift.vlms._video import PooledVideo, VideoTower, in_raster, on_grid


@dataclass(frozen=True, kw_only=True)
class LlavaOnevision(PooledVideo):
    """LLaVA-OneVision: patches are projected, then pooled 2x2 by interpolation.

    The model ends every video with one learned token, its `image_newline`. No frame owns it: it is
    none of the video's tokens, no budget counts it, and it always stays at the video's end.
    """

    summary: ClassVar[str] = "LLaVA-OneVision; patches pooled 2x2, 196 tokens per frame at 384 px"
    model_types: ClassVar[frozenset[str]] = frozenset({"llava_onevision"})
    extra: ClassVar[int] = 1

    model: Reachable = "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"

    def tower(self) -> VideoTower:
        """Returns the tower with the model's own pooling."""
        return _OneVisionTower(vlm=self)

    def extra_features(self) -> Tensor:
        """Returns the newline that ends a video, `(1, D)`."""
        newline: Tensor = self.hf.base_model.image_newline
        return newline.detach()[None]


@dataclass(frozen=True, kw_only=True)
class _OneVisionTower(VideoTower):
    usual: ClassVar[dict[str, Any]] = {"size": {"height": 384, "width": 384}}

    def pooled_grid(self, patches: int) -> tuple[int, int]:
        side = -(-patches // 2)
        return side, side

    @property
    def taps(self) -> Taps:
        return Taps(side=Side.interpolated(self._patches, self.grid[0]))

    def projected(self, before: Tensor, at: TokenRows) -> Tensor:
        return at.mixed(self.vlm.hf.base_model.multi_modal_projector(before))

    def pooled(self, values: Tensor) -> Tensor:
        pictures = on_grid(values.float(), self._patches)
        smaller = interpolate(pictures, size=self.grid, mode="bilinear")
        return in_raster(smaller).to(values.dtype)
