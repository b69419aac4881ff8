"""LLaVA-OneVision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import interpolate

from framesift.encoders.base import Encoder
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.types.video import Region
from framesift.vlms._llava_units import Side, Taps, TokenRows
from framesift.vlms._picture import PictureTower
from framesift.vlms._tiled_picture import TileTower
from framesift.vlms._video import PooledVideo, VideoTower, in_raster, on_grid
from framesift.vlms.base import Block


@dataclass(frozen=True, kw_only=True)
class LlavaOnevision(PooledVideo):
    """LLaVA-OneVision: patches are projected, then pooled 2x2 by interpolation.

    The model ends every video with one learned token, its `image_newline`. No frame owns it: it is
    none of the video's tokens, no budget counts it, and it always stays at the video's end. It also
    ends each row of a picture, and goes when all tokens of the row go.

    LLaVA-Video is of this build, and its checkpoints are of this type once they are converted for
    transformers. There a video has that one newline, also where the original code was told to write
    one behind each row (`mm_newline_position`).
    """

    summary: ClassVar[str] = (
        "LLaVA-OneVision, LLaVA-Video; patches pooled 2x2, 196 tokens per frame at 384 px"
    )
    model_types: ClassVar[frozenset[str]] = frozenset({"llava_onevision"})
    extra: ClassVar[int] = 1

    model: Reachable = "llava-hf/llava-onevision-qwen2-0.5b-ov-hf"
    picture_tiles: bool = True
    """Whether a picture has tiles, as the only one of a prompt; False for its whole in a square, as
    the family's processor shows several pictures."""

    def tower(self) -> VideoTower:
        """Returns the tower with the model's own pooling."""
        return _OneVisionTower(vlm=self)

    def picture_encoder(self, picture_px: tuple[int, int]) -> Encoder | None:
        """Returns the encoder for a picture, with its tiles or without."""
        if self.picture_tiles:
            return super().picture_encoder(picture_px)
        return _PaddedPicture(tower=TileTower(vlm=self), picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item: the rows of a picture with tiles, or a whole with a newline behind."""
        if self.picture_tiles or len(video.report.views or ()) > 1:
            return super().picture_blocks(video)
        return [[Block(frames=range(1), extra=1)]]

    def extra_features(self) -> Tensor:
        """Returns the newline that ends a video, `(1, D)`."""
        return self.added_features()


@dataclass(frozen=True, kw_only=True)
class _PaddedPicture(PictureTower):
    @property
    def views(self) -> list[Region]:
        """The square around the picture."""
        height, width = self.picture_px
        across, down = (max(height, width) / side for side in (width, height))
        return [((1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2)]

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        # The processor leaves out the tiles where it gets several pictures.
        prepared: Tensor = self.tower.vlm.image_processor(
            images=[[image, image]], input_data_format="channels_last", return_tensors="pt"
        )["pixel_values"]
        return prepared[0]


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
