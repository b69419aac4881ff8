"""InternVL, as transformers has it: numbered frames, each a square of pixel-shuffled patches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.hf.borrowing import PackedFrames
from framesift.registry import require
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.types.video import WHOLE, Region
from framesift.vlms._family import FamilyVLM
from framesift.vlms._picture import PictureTower, tile_views
from framesift.vlms._shuffled import ShuffledTower
from framesift.vlms.base import Block


@dataclass(frozen=True, kw_only=True)
class InternVLTower(ShuffledTower):
    """InternViT and projector; the summary token (CLS) asks, and is dropped from the features."""

    summary_token: ClassVar[int | None] = 0

    @property
    def side(self) -> int:
        """Patches on each side of a token."""
        shrink: float = self.vlm.config.downsample_ratio
        return round(1 / shrink)

    @property
    def tower(self) -> Any:
        """The module of the tower, whose `config` names its attention function."""
        return self.vlm.hf.base_model.vision_tower

    @property
    def layer(self) -> Any:
        """The attention module of the layer that gives the features."""
        index = self.vlm.config.vision_feature_layer
        return self.tower.encoder.layer[index if index < 0 else index - 1].attention

    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features `(T, N, D)` of frames `(T, 3, H, W)`, and the tower's `(T, L, Dv)`."""
        out = self.vlm.hf.base_model.get_image_features(pixel_values=pixels, return_dict=True)
        index = self.vlm.config.vision_feature_layer
        before = out.last_hidden_state if index == -1 else out.hidden_states[index]
        return out.pooler_output, before

    def run_at(self, pixels: Tensor, packing: PackedFrames) -> Tensor:
        """Returns what `run` gives of the tower, of the packed places alone, `(P, Dv)`."""
        tower, index = self.tower, self.vlm.config.vision_feature_layer
        hidden = packing.gather(tower.embeddings(pixels))
        for layer in tower.encoder.layer[: None if index == -1 else index + (index < 0)]:
            hidden = layer(hidden)
        before: Tensor = tower.layernorm(hidden) if index == -1 else hidden
        return before[0]

    def joined(self, squares: Tensor) -> Tensor:
        """Returns the features `(U, D)` of the patches of tokens, `(U, side * side, Dv)`."""
        base = self.vlm.hf.base_model
        alone = squares.unflatten(1, (self.side, self.side))
        shuffled = base.pixel_shuffle(alone, scale_factor=self.vlm.config.downsample_ratio)
        features: Tensor = base.multi_modal_projector(shuffled.flatten(1))
        return features


@dataclass(frozen=True, kw_only=True)
class InternVLPicture(PictureTower):
    """A picture as tiles in raster order, and the whole of it behind them where there are several.

    The family's processor cuts pictures into tiles whatever the image processor's settings say.
    """

    @property
    def tiles(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        own = self.tower.vlm.image_processor
        module = require("transformers.models.got_ocr2.image_processing_pil_got_ocr2", extra="hf")
        if own.max_patches <= 1:
            return 1, 1
        size = own.size["height"], own.size["width"]
        columns, rows = module.get_optimal_tiled_canvas(
            self.picture_px, size, own.min_patches, own.max_patches
        )
        return rows, columns

    @property
    def views(self) -> list[Region]:
        """The parts of the picture that the tiles cover, and the whole of it."""
        tiles = tile_views(*self.tiles)
        return [*tiles, WHOLE] if len(tiles) > 1 else tiles

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Returns RGB pixels `(H, W, 3)` as the views of the picture, float32 `(T, 3, h, w)`."""
        prepared: Tensor = self.tower.vlm.image_processor(
            images=[image],
            crop_to_patches=True,
            input_data_format="channels_last",
            return_tensors="pt",
        )["pixel_values"]
        return prepared


@dataclass(frozen=True, kw_only=True)
class InternVL(FamilyVLM):
    """InternVL: a video is its frames, each after the text `Frame1: ` with its number.

    A frame that loses all of its tokens loses its line; the others keep their numbers.
    """

    summary: ClassVar[str] = "InternVL in transformers' own format; 256 tokens per frame at 448 px"
    model_types: ClassVar[frozenset[str]] = frozenset({"internvl"})
    modality: ClassVar[Literal["image", "video"]] = "image"
    listed: ClassVar[bool] = False
    resample: ClassVar[int] = 3

    model: Reachable = "OpenGVLab/InternVL3-1B-hf"

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and projector."""
        return InternVLTower(vlm=self)

    @property
    def item(self) -> Literal["image", "video"]:
        """The type of a video in messages, although its frames go in as images."""
        return "video"

    @property
    def placeholder(self) -> str:
        """The text that the chat template writes for a video."""
        return str(getattr(self.tokenizer, "video_token", "<video>"))

    def picture_encoder(self, picture_px: tuple[int, int]) -> InternVLPicture:
        """Returns the encoder for the tiles of a picture."""
        return InternVLPicture(tower=InternVLTower(vlm=self), picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with all views in one run."""
        start, end = self._marks
        views = range(video.plan.num_in // video.plan.tokens_per_frame)
        return [[Block(frames=views, lead=start, tail=end)]]

    @property
    def _marks(self) -> tuple[str, str]:
        """What stands before and behind the tokens of each picture."""
        return (
            str(getattr(self.tokenizer, "start_image_token", "<img>")),
            str(getattr(self.tokenizer, "end_image_token", "</img>")),
        )

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each frame."""
        start, end = self._marks
        frames = video.plan.num_in // video.plan.tokens_per_frame
        return [
            [
                Block(
                    frames=range(frame, frame + 1),
                    before=("\n" if frame else "") + f"Frame{frame + 1}: {start}",
                    after=end,
                )
                for frame in range(frames)
            ]
        ]
