"""LLaVA-NeXT (LLaVA-1.6): frames as single views, pictures of any resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.hf.preparation import Geometry, ImagePreparation, Preparation
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.vlms._llava import FramesAsImages, check_summary
from framesift.vlms._tiled_picture import AnyResolutionPicture, TileTower, tiled_blocks
from framesift.vlms.base import Block


@dataclass(frozen=True, kw_only=True)
class LlavaNext(FramesAsImages):
    """LLaVA-NeXT: each frame is one image in a single view, with a newline token behind it.

    The model was trained on pictures of any resolution: a view of the whole and up to four tiles.
    The frames of a video are shown by the first of these alone, as the model's own code packs a
    picture without tiles: 577 tokens for a frame of 1280x720 px instead of 1,948, so a context of
    4096 holds seven frames and not two. Still pictures have all of their tiles.
    """

    summary: ClassVar[str] = "LLaVA-NeXT (1.6); frames as single views, 577 tokens each at 336 px"
    model_types: ClassVar[frozenset[str]] = frozenset({"llava_next"})

    model: Reachable = "llava-hf/llava-v1.6-mistral-7b-hf"

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and projector."""
        check_summary(self)
        return _NextTower(vlm=self)

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item for each frame, which ends with a newline."""
        frames = video.plan.num_in // video.plan.tokens_per_frame
        return [[Block(frames=range(frame, frame + 1), extra=1)] for frame in range(frames)]

    def picture_encoder(self, picture_px: tuple[int, int]) -> AnyResolutionPicture:
        """Returns the encoder for a picture and its tiles."""
        return AnyResolutionPicture(tower=_NextTower(vlm=self), picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item: the whole picture, and its rows with a newline behind each."""
        return tiled_blocks(self, video)

    def extra_features(self) -> Tensor:
        """Returns the newline that ends a frame or a row of a picture, `(1, D)`."""
        newline: Tensor = self.hf.base_model.image_newline
        return newline.detach()[None]


@dataclass(frozen=True, kw_only=True)
class _NextTower(TileTower):
    @cached_property
    def preparation(self) -> Preparation:
        """How the checkpoint prepares the view of a whole picture: squashed to a square."""
        own = ImagePreparation.of(self.vlm.image_processor)
        least = own.least_px
        geometry = Geometry(padded=False, size_px=(least, least), crop_px=own.geometry.crop_px)
        return replace(own, geometry=geometry, processor=_FirstViews(own.processor))


@dataclass(frozen=True, slots=True)
class _FirstViews:
    """An image processor for any resolution, of which the view of the whole picture is taken."""

    processor: Any

    def __call__(self, **given: Any) -> dict[str, Tensor]:
        # The least canvas, so that hardly anything is prepared in vain.
        canvas = min(self.processor.image_grid_pinpoints, key=lambda size: size[0] * size[1])
        prepared = self.processor(image_grid_pinpoints=[canvas], **given)
        return {"pixel_values": prepared["pixel_values"][:, 0]}
