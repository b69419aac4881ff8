"""VideoLLaMA3: frames of any size after their times, 2x2 patches averaged into one token."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.encoders.still import Units
from framesift.hf.attention import parts_at_once
from framesift.hf.borrowing import PackedFrames
from framesift.hf.probe import watch
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.types.video import WHOLE, Region, VideoInfo
from framesift.vlms._family import FamilyTower, FamilyVLM
from framesift.vlms._picture import PictureTower
from framesift.vlms._qwen import vision_functions
from framesift.vlms._qwen_patches import patchify, whole_px
from framesift.vlms._tower import among, projected_rows
from framesift.vlms.base import Block

USUAL: Final = {"shortest_edge": 128 * 28 * 28, "longest_edge": 768 * 28 * 28}
"""Fewest pixels of a frame and most of all frames of a video, where a checkpoint has none."""


@dataclass(frozen=True, kw_only=True)
class VideoLlama3(FamilyVLM):
    """VideoLLaMA3: `Time 1.0s:` before the tokens of each frame, and a comma between frames.

    All frames of a video share the pixels that the checkpoint allows, so more frames are smaller
    ones. A frame that loses all of its tokens loses its time too. The family's processor may itself
    drop tokens whose pixels are those of the frame before (`use_token_compression`); here that is
    left to the strategy, so keep = 1 is the prompt of all tokens. A plan of those that the
    processor keeps, with compact positions, is its own prompt with dropping.
    """

    summary: ClassVar[str] = "VideoLLaMA3; frames share the pixels of a video, times as text"
    model_types: ClassVar[frozenset[str]] = frozenset({"video_llama_3"})
    modality: ClassVar[Literal["image", "video"]] = "video"
    listed: ClassVar[bool] = True
    resample: ClassVar[int] = 3

    model: Reachable = "lkhl/VideoLLaMA3-2B-Image-HF"

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and projector."""
        return _VideoLlama3Tower(vlm=self)

    def picture_encoder(self, picture_px: tuple[int, int]) -> PictureTower:
        """Returns the encoder for a picture, whose patches are tokens one by one."""
        tower = _VideoLlama3Tower(vlm=self, picture_px=picture_px, still=True)
        return _VideoLlama3Picture(tower=tower, picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with all tokens of the picture."""
        return [[Block(frames=range(1))]]

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each frame."""
        return [
            [
                Block(
                    frames=range(frame, frame + 1),
                    before=f"{',' if frame else ''}Time {second:.1f}s:",
                )
                for frame, second in enumerate(video.frame_seconds.tolist())
            ]
        ]


@dataclass(frozen=True, kw_only=True)
class _VideoLlama3Tower(FamilyTower):
    """A tower on frames of any size, in which each frame is a time step of its own."""

    vlm: VideoLlama3
    usual_batch: ClassVar[int] = 4
    picture_px: tuple[int, int] | None = None
    """Display size `(H, W)` of the video, None for a square one."""
    frame_count: int = 1
    """Frames that share the pixels of the video."""
    still: bool = False
    """Whether it is for a still picture, which the checkpoint has settings of its own for."""

    @property
    def size_px(self) -> tuple[int, int]:
        settings = self._settings
        size = {**USUAL, **(settings.get("size") or {})}
        most = settings.get("max_pixels") or size["longest_edge"]
        most //= self.frame_count
        side = math.isqrt(most)
        return whole_px(
            *(self.picture_px or (side, side)),
            factor=self._factor,
            least_px=settings.get("min_pixels") or size["shortest_edge"],
            most_px=most,
        )

    @property
    def grid(self) -> tuple[int, int]:
        return self.size_px[0] // self._factor, self.size_px[1] // self._factor

    def for_video(self, info: VideoInfo, frames: int | None = None) -> Self:
        shape = info.height_px, info.width_px
        return replace(self, picture_px=shape, frame_count=frames or 1)

    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        patches, shape = self._patchified(pixels)
        with (
            parts_at_once(self.tower.config, pixels.device),
            watch(self._watched, signals=signals) as seen,
        ):
            out = self.vlm.hf.base_model.get_video_features(
                pixel_values_videos=patches,
                video_grid_thw=torch.tensor([shape], device=pixels.device),
                video_merge_sizes=torch.tensor([self._side], device=pixels.device),
                return_dict=True,
            )
        frames = shape[0]
        return {"features": torch.cat(list(out.pooler_output)).unflatten(0, (frames, -1))} | among(
            signals,
            attention=lambda: self._pooled(seen.attention[..., None])[..., 0],
            keys=lambda: self._pooled(seen.keys),
            pre_projector=lambda: out.last_hidden_state.unflatten(0, (frames, -1)),
        )

    def look_at(
        self, pixels: Tensor, encoded: Tensor, packing: PackedFrames, signals: frozenset[str]
    ) -> dict[str, Tensor]:
        patches, (frames, *shape) = self._patchified(pixels)
        rows = packing.gather(patches.unflatten(0, (frames, -1)))[0]
        place = vision_functions().get_vision_position_ids(torch.tensor([[1, *shape]]), self._side)
        places = packing.gather(place.to(rows.device).expand(frames, *place.shape))[0]
        # Each layer reads the ends on the CPU; on a device it would have to wait for them.
        ends = torch.tensor([0, len(rows)], dtype=torch.int32)
        tower = self.tower
        with watch(self._watched, signals=signals) as seen:
            hidden = tower.embeddings(rows)
            hidden = tower.encoder(
                hidden,
                cu_seqlens=ends,
                position_embeddings=tower.rotary_pos_emb(hidden, places),
                return_dict=True,
            ).last_hidden_state
        before = tower.post_layernorm(hidden).unflatten(0, (-1, self._side**2)).mean(1)
        units = encoded.flatten().nonzero().flatten().to(rows.device)
        return {"features": self.vlm.hf.base_model.projector(before)} | among(
            signals,
            attention=lambda: self._pooled(seen.attention[..., None]).flatten(0, 1)[units, 0],
            keys=lambda: self._pooled(seen.keys).flatten(0, 1)[units],
            pre_projector=lambda: before,
        )

    @property
    def has_projector(self) -> bool:
        return True

    def project(self, values: Tensor) -> Tensor:
        return projected_rows(self.vlm, self.vlm.hf.base_model.projector, values)

    @property
    def tower(self) -> Any:
        return self.vlm.hf.base_model.vision_model

    def units(self, size_px: tuple[int, int]) -> Units:
        return Units.even(self.grid, self.grid, (self._factor, self._factor))

    def places(self, encoded: Tensor, units: Units) -> Tensor:
        return encoded.repeat_interleave(self._side**2, 1)

    def _patchified(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        patch = self.vlm.config.vision_config.patch_size
        return patchify(pixels, patch=patch, merge=self._side, together=1)

    def _pooled(self, values: Tensor) -> Tensor:
        """Returns values of the tower's patches `(T, L, C)` as means by token, `(T, N, C)`."""
        tokens: Tensor = values.unflatten(1, (-1, self._side**2)).flatten(3)
        return tokens.mean(2)

    @property
    def _watched(self) -> Any:
        return self.tower.encoder.layers[-1].self_attn

    @property
    def _side(self) -> int:
        """Patches on each side of a token."""
        side: int = self._settings.get("merge_size", 1 if self.still else 2)
        return side

    @property
    def _settings(self) -> dict[str, Any]:
        if self.still:
            settings: dict[str, Any] = self.vlm.image_processor.to_dict()
            return settings
        return self.vlm.frame_pixels.settings

    @property
    def _factor(self) -> int:
        patch: int = self.vlm.config.vision_config.patch_size
        return patch * self._side


@dataclass(frozen=True, kw_only=True)
class _VideoLlama3Picture(PictureTower):
    """A picture in one view, whose size follows the picture's."""

    @property
    def views(self) -> list[Region]:
        return [WHOLE]

    def prepared(self, image: npt.NDArray[np.uint8]) -> Tensor:
        processor = self.tower.vlm.image_processor
        given = processor(images=[image], input_data_format="channels_last", return_tensors="pt")
        _, rows, columns = given["image_grid_thw"][0].tolist()
        side, patch = processor.merge_size, processor.patch_size
        cut = given["pixel_values"].reshape(
            rows // side, columns // side, side, side, 3, patch, patch
        )
        pixels: Tensor = cut.permute(4, 0, 2, 5, 1, 3, 6)
        return pixels.reshape(1, 3, rows * patch, columns * patch)
