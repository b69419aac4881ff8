"""LLaVA, where each frame of a video is one image; shared by the models that are built so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.errors import ModelError
from framesift.hf.preparation import ImagePreparation, Preparation
from framesift.types.compressed import CompressedVideo
from framesift.types.video import Region
from framesift.vlms._llava_tower import LlavaTower
from framesift.vlms._llava_units import Side, Taps, TokenRows
from framesift.vlms._picture import PictureTower
from framesift.vlms.base import VLM, Block


@dataclass(frozen=True, kw_only=True)
class ImageTower(LlavaTower):
    """A tower whose patches become the tokens one by one."""

    @cached_property
    def preparation(self) -> Preparation:
        """How the checkpoint prepares images."""
        return ImagePreparation.of(self.vlm.image_processor)

    def pooled_grid(self, patches: int) -> tuple[int, int]:
        """Returns the grid of the patches."""
        return patches, patches

    def pooled(self, values: Tensor) -> Tensor:
        """Returns `values` as they are."""
        return values

    @property
    def taps(self) -> Taps:
        """Every patch is a token."""
        return Taps(side=Side.squares(self._patches, 1))

    def projected(self, before: Tensor, at: TokenRows) -> Tensor:
        """Returns the features `(U, D)` of patches."""
        features: Tensor = self.vlm.hf.base_model.multi_modal_projector(at.mixed(before))
        return features

    def run(self, pixels: Tensor) -> tuple[Tensor, Any]:
        """Returns the features `(T, N, D)` of `(T, 3, H, W)`, and the tower's hidden states."""
        out = self.vlm.hf.base_model.get_image_features(pixel_values=pixels, return_dict=True)
        return torch.stack(list(out.pooler_output)), out.hidden_states


@dataclass(frozen=True, kw_only=True)
class SquarePicture(PictureTower):
    """A picture as one view, squashed, cropped or padded to a square as frames are."""

    tower: LlavaTower

    @property
    def views(self) -> list[Region]:
        """The part of the picture that is left after cropping or padding."""
        return [self.tower.preparation.geometry.region(*self.picture_px)]

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Returns RGB pixels `(H, W, 3)` as the tower takes them, float32 `(1, 3, h, w)`."""
        return self.tower.pixels(image[None])


@dataclass(frozen=True, kw_only=True)
class FramesAsImages(VLM):
    """A LLaVA model: every frame is an image, and the chat template says what stands between them.

    A frame that loses all of its tokens loses the text that the template writes behind it, such as
    a line break.
    """

    modality: ClassVar[Literal["image", "video"]] = "image"
    listed: ClassVar[bool] = True

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and projector."""
        check_summary(self)
        return ImageTower(vlm=self)

    def picture_encoder(self, picture_px: tuple[int, int]) -> Encoder | None:
        """Returns the encoder for a picture, which goes in as one frame does."""
        return SquarePicture(tower=ImageTower(vlm=self), picture_px=picture_px)

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item for each frame, with nothing around it."""
        frames = video.plan.num_in // video.plan.tokens_per_frame
        return [[Block(frames=range(frame, frame + 1))] for frame in range(frames)]


def check_summary(vlm: VLM) -> None:
    """Raises where the model would keep the tower's summary token among the patches.

    Raises:
        ModelError: it would; a token without a place cannot be in a grid.
    """
    vision, strategy = vlm.config.vision_config, vlm.config.vision_feature_select_strategy
    if (vision.model_type == "clip_vision_model") != (strategy == "default"):
        raise ModelError(
            f"{vlm.called!r} takes {strategy!r} of the outputs of a {vision.model_type!r}; the "
            "patches alone are supported: 'default' with clip_vision_model, 'full' with others"
        )
