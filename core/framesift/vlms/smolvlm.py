"""SmolVLM and Idefics3: frames as single pictures, each after its time where the family has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.hf.borrowing import PackedFrames
from framesift.hf.chat_template import load_chat_template
from framesift.registry import require
from framesift.types.compressed import CompressedVideo
from framesift.types.device import CPU
from framesift.types.options import Reachable
from framesift.types.video import WHOLE, Region
from framesift.vlms._family import FamilyVLM
from framesift.vlms._number_words import in_words
from framesift.vlms._picture import PictureTower, tile_views
from framesift.vlms._shuffled import ShuffledTower
from framesift.vlms.base import Block

TIMED: Final = "smolvlm"
"""The model type that was trained on videos; Idefics3 was trained on pictures."""
MOST_PX: Final = 4096
"""Longest side of a frame before it is squashed, whatever the checkpoint says."""
USUAL_SIZE: Final = {"longest_edge": 4 * 364}
"""The size of frames where the checkpoint names none, that of the family's processor."""


@dataclass(frozen=True, kw_only=True)
class SmolVLMTower(ShuffledTower):
    """A SigLIP tower and connector. A frame is one picture, never split into parts.

    Tower and connector are called one after the other: the model's own way from pixels to features
    takes a frame whose normalized pixels are all zero for padding, and drops it.
    """

    summary_token: ClassVar[int | None] = None

    @property
    def side(self) -> int:
        """Patches on each side of a token."""
        side: int = self.vlm.config.scale_factor
        return side

    @property
    def tower(self) -> Any:
        """The module of the tower, whose `config` names its attention function."""
        return self.vlm.hf.base_model.vision_model

    @property
    def layer(self) -> Any:
        """The attention module of the last layer."""
        return self.tower.encoder.layers[-1].self_attn

    def run(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Returns features `(T, N, D)` of frames `(T, 3, H, W)`, and the tower's `(T, L, Dv)`."""
        before = self.tower(
            pixel_values=pixels, patch_attention_mask=self._everywhere(pixels), return_dict=True
        ).last_hidden_state
        return self.vlm.hf.base_model.connector(before), before

    def run_at(self, pixels: Tensor, packing: PackedFrames) -> Tensor:
        """Returns what `run` gives of the tower, of the packed places alone, `(P, Dv)`."""
        tower = self.tower
        hidden = packing.gather(tower.embeddings(pixels, self._everywhere(pixels)))
        for layer in tower.encoder.layers:
            hidden = layer(hidden, None)
        before: Tensor = tower.post_layernorm(hidden)
        return before[0]

    def joined(self, squares: Tensor) -> Tensor:
        """Returns the features `(U, D)` of the patches of tokens, `(U, side * side, Dv)`."""
        features: Tensor = self.vlm.hf.base_model.connector(squares)
        return features[:, 0]

    def pixels(self, images: npt.NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
        """Returns RGB frames `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`."""
        if self.vlm.item == "video":
            return super().pixels(images, device)
        prepared: Tensor = self.vlm.image_processor(
            images=[list(images)],
            do_image_splitting=False,
            input_data_format="channels_last",
            return_tensors="pt",
        )["pixel_values"]
        return prepared[0].to(device)

    def sizes_px(self, height: int, width: int) -> Sequence[tuple[int, int]]:
        """Returns the sizes `(H, W)` of a frame: its longest side first fitted, then squashed.

        As in the family's processor, `size` goes before the `video_size` of `video_sampling`.
        """
        settings = self.vlm.frame_pixels.settings
        size = settings.get("size") or settings.get("video_sampling", {}).get("video_size")
        longest = (USUAL_SIZE if size is None else size).get("longest_edge")
        if longest is None:
            return [self.size_px]
        # Divided in this order, since another one is a pixel off for some sizes.
        longest, shape = min(longest, MOST_PX), width / height
        short = int(longest / shape if width >= height else longest * shape)
        short = max(1, short + short % 2)
        fitted = (short, longest) if width >= height else (longest, short)
        return [fitted, self.size_px]

    def _everywhere(self, pixels: Tensor) -> Tensor:
        """Returns the mask of patches that are there, all of them, bool `(T, rows, columns)`."""
        shape = len(pixels), *self._patches
        return torch.ones(shape, dtype=torch.bool, device=pixels.device)


@dataclass(frozen=True, kw_only=True)
class SmolVLMPicture(PictureTower):
    """A picture as tiles in raster order and then the whole of it, each squashed to a square."""

    @cached_property
    def tiles(self) -> tuple[int, int]:
        """Rows and columns of tiles, none where the whole picture is the only view."""
        _, rows, columns = self.tower.vlm.image_processor.get_number_of_image_patches(
            *self.picture_px
        )
        return rows, columns

    @property
    def views(self) -> list[Region]:
        """The parts of the picture that the tiles cover, and the whole of it."""
        return [*(tile_views(*self.tiles) if all(self.tiles) else []), WHOLE]

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Returns RGB pixels `(H, W, 3)` as the views of the picture, float32 `(T, 3, h, w)`."""
        prepared: Tensor = self.tower.vlm.image_processor(
            images=[[image]], input_data_format="channels_last", return_tensors="pt"
        )["pixel_values"]
        return prepared[0]


@dataclass(frozen=True, kw_only=True)
class SmolVLM(FamilyVLM):
    """SmolVLM: a line with its time before each frame. Idefics3: frames one after the other.

    A frame that loses all of its tokens loses its line and its marks. What introduces a video, with
    the number of frames that it had, stays. Of several videos each has its own number, where the
    family's processor gives all of them that of the longest. A picture is tiles and then the whole;
    a tile that loses all of its tokens loses its mark.
    """

    summary: ClassVar[str] = "SmolVLM and Idefics3; 64 to 169 tokens per frame, times as text"
    model_types: ClassVar[frozenset[str]] = frozenset({"smolvlm", "idefics3"})
    modality: ClassVar[Literal["image", "video"]] = "image"
    listed: ClassVar[bool] = True
    resample: ClassVar[int] = 1

    model: Reachable = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and connector."""
        return SmolVLMTower(vlm=self)

    @property
    def item(self) -> Literal["image", "video"]:
        """The type of each item of a video in the messages for a chat template."""
        return "video" if self.config.model_type == TIMED else "image"

    @property
    def placeholder(self) -> str:
        """The text that the chat template writes for one item."""
        if self.item == "video":
            return str(getattr(self.tokenizer, "video_token", "<video>"))
        return super().placeholder

    @cached_property
    def chat_template(self) -> str:
        """The template of the checkpoint, or the one that its processor takes for videos instead.

        Raises:
            ModelError: the checkpoint has none.
        """
        own = self._own_template
        if self.item == "image":
            return own
        processing = require("transformers.models.smolvlm.processing_smolvlm", extra="hf")
        return str(processing.DEFAULT_CHAT_TEMPLATE)

    @cached_property
    def _own_template(self) -> str:
        return load_chat_template(self.model, self.tokenizer)

    def template_for(self, videos: Sequence[CompressedVideo]) -> str:
        """Returns the checkpoint's template, or that for videos where there is one among them."""
        has_video = any(not video.report.picture for video in videos)
        return self.chat_template if has_video else self._own_template

    def picture_encoder(self, picture_px: tuple[int, int]) -> SmolVLMPicture:
        """Returns the encoder for the tiles of a picture."""
        return SmolVLMPicture(tower=SmolVLMTower(vlm=self), picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each tile, a line for each row of them."""
        mark, start = self._marks
        assert video.report.picture_px is not None
        rows, columns = self.picture_encoder(video.report.picture_px).tiles
        tiles = [
            Block(
                frames=range(row * columns + column, row * columns + column + 1),
                before=f"{mark}<row_{row + 1}_col_{column + 1}>",
                tail=("\n" if column == columns - 1 else "") + ("\n" if last else ""),
            )
            for row in range(rows)
            for column in range(columns)
            for last in [(row, column) == (rows - 1, columns - 1)]
        ]
        whole = Block(frames=range(len(tiles), len(tiles) + 1), before=start, after=mark)
        return [[*tiles, whole]]

    @property
    def _marks(self) -> tuple[str, str]:
        """What stands around each picture, and what begins a whole one."""
        mark = str(getattr(self.tokenizer, "fake_image_token", "<fake_token_around_image>"))
        return mark, mark + str(getattr(self.tokenizer, "global_image_token", "<global-img>"))

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each frame, or an item for each image."""
        mark, start = self._marks
        seconds = [int(second + 1e-6) for second in video.frame_seconds.tolist()]
        if self.item == "image":
            return [
                [Block(frames=range(frame, frame + 1), before=start, after=mark)]
                for frame in range(len(seconds))
            ]
        length = timedelta(seconds=int(video.report.duration_seconds + 1e-6))
        intro = (
            f"You are provided the following series of {in_words(len(seconds))} frames from a "
            f"{length} [H:MM:SS] video.\n"
        )
        last = len(seconds) - 1
        return [
            [
                Block(
                    frames=range(frame, frame + 1),
                    lead="" if frame else intro,
                    before=f"\nFrame from {second // 60:02d}:{second % 60:02d}:{start}",
                    after=mark,
                    tail="\n\n" if frame == last else "",
                )
                for frame, second in enumerate(seconds)
            ]
        ]
