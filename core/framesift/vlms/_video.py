"""LLaVA models that take a video as one run of pooled tokens."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Literal

import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.hf.preparation import Preparation, VideoPreparation
from framesift.types.compressed import CompressedVideo
from framesift.vlms._llava import check_summary
from framesift.vlms._llava_tower import LlavaTower
from framesift.vlms._tiled_picture import AnyResolutionPicture, TileTower, tiled_blocks
from framesift.vlms.base import VLM, Block

BICUBIC: Final = 3
"""Pillow's number of the filter that these families resize with."""


@dataclass(frozen=True, kw_only=True)
class VideoTower(LlavaTower):
    """A tower whose patches are pooled before they become tokens."""

    usual: ClassVar[dict[str, Any]]
    """Sizes of frames where the checkpoint has none."""

    @cached_property
    def preparation(self) -> Preparation:
        """How the checkpoint prepares frames."""
        return VideoPreparation.of(self.vlm.model, self.usual, BICUBIC)

    def run(self, pixels: Tensor) -> tuple[Tensor, Any]:
        """Returns the features `(T, N, D)` of `(T, 3, H, W)`, and the tower's hidden states."""
        out = self.vlm.hf.base_model.get_video_features(
            pixel_values_videos=pixels[None], return_dict=True
        )
        height, width = self.grid
        own = out.pooler_output[0, : len(pixels) * height * width]
        return own.unflatten(0, (len(pixels), -1)), out.hidden_states


@dataclass(frozen=True, kw_only=True)
class PooledVideo(VLM):
    """A LLaVA model for which a video is one item, without text between its frames.

    The checkpoint's video settings prepare the frames.
    """

    modality: ClassVar[Literal["image", "video"]] = "video"
    listed: ClassVar[bool] = False
    extra: ClassVar[int] = 0
    """Visual tokens that the family adds to the end of a video."""

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and projector, with the pooling of videos."""
        check_summary(self)
        return self.tower()

    @abstractmethod
    def tower(self) -> VideoTower:
        """Returns the encoder of this family."""

    def picture_encoder(self, picture_px: tuple[int, int]) -> Encoder | None:
        """Returns the encoder for a picture and its tiles, whose patches are not pooled."""
        check_summary(self)
        return AnyResolutionPicture(tower=TileTower(vlm=self), picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item: the whole picture, and its rows with a newline behind each."""
        return tiled_blocks(self, video)

    def added_features(self) -> Tensor:
        """Returns the newline that ends a row of a picture, `(1, D)`."""
        newline: Tensor = self.hf.base_model.image_newline
        return newline.detach()[None]

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with all frames in one run."""
        frames = video.plan.num_in // video.plan.tokens_per_frame
        return [[Block(frames=range(frames), extra=self.extra)]]


def on_grid(values: Tensor, patches: int) -> Tensor:
    """Returns values of patches `(T, patches * patches, C)` as pictures `(T, C, h, w)`."""
    return values.reshape(len(values), patches, patches, -1).permute(0, 3, 1, 2).contiguous()


def in_raster(pictures: Tensor) -> Tensor:
    """Returns pictures `(T, C, h, w)` as rows of values, `(T, h * w, C)`."""
    return pictures.flatten(2).transpose(1, 2).contiguous()


def averaged(values: Tensor, patches: int, stride: int) -> Tensor:
    """Returns values of patches `(T, patches * patches, C)`, averaged over squares of `stride`."""
    pooled: Tensor = torch.nn.functional.avg_pool2d(on_grid(values, patches), stride)
    return in_raster(pooled)
