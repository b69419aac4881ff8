"""MiniCPM-V 4.6: frames of their own proportions, sixteen patches a token, layers with a state."""

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
from framesift.encoders.edges import DETAIL_PX
from framesift.hf.probe import watch
from framesift.types.compressed import CompressedVideo
from framesift.types.device import CPU
from framesift.types.options import Reachable
from framesift.types.video import VideoInfo
from framesift.vlms._family import FamilyVLM
from framesift.vlms._tower import Tower, among
from framesift.vlms.base import Block

SCALE_PX: Final = 448
"""Side of a square with as many pixels as a frame is given, where the checkpoint has none."""


@dataclass(frozen=True, kw_only=True)
class MiniCPMV46(FamilyVLM):
    """MiniCPM-V 4.6: one item for a video, in which each frame stands between two marks.

    Each frame is one view with about as many pixels as a square of 448, 64 tokens, and not cut into
    slices: keep = 1 is the prompt of the family's processor with `max_slice_nums=1` and
    `use_image_id=False`, as its authors ask about videos. A frame that loses all of its tokens
    loses its marks. Most layers of its LLM carry a state from column to column, so fewer tokens are
    the prompt *without* the dropped columns, its positions kept.
    """

    summary: ClassVar[str] = "MiniCPM-V 4.6; about 64 tokens per frame, layers with a state"
    model_types: ClassVar[frozenset[str]] = frozenset({"minicpmv4_6"})
    modality: ClassVar[Literal["image", "video"]] = "video"
    listed: ClassVar[bool] = True
    resample: ClassVar[int] = 3

    model: Reachable = "openbmb/MiniCPM-V-4.6"

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and merger."""
        return _MiniCPMTower(vlm=self)

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each frame."""
        start = str(getattr(self.tokenizer, "image_start_token", "<image>"))
        end = str(getattr(self.tokenizer, "image_end_token", "</image>"))
        return [
            [
                Block(frames=range(frame, frame + 1), before=start, after=end)
                for frame in range(len(video.frame_seconds))
            ]
        ]


@dataclass(frozen=True, kw_only=True)
class _MiniCPMTower(Tower):
    """A tower that joins windows of patches half way, so that it encodes whole frames only."""

    vlm: MiniCPMV46
    picture_px: tuple[int, int] | None = None
    """Display size `(H, W)` of the video, None for a square one."""

    @property
    def size_px(self) -> tuple[int, int]:
        scale = self.vlm.frame_pixels.settings.get("scale_resolution", SCALE_PX)
        height, width = self.picture_px or (1, 1)
        # The width follows from the rounded height, as the family's processor has it.
        tall = int(scale / math.sqrt(width / height))
        return self._rounded(tall), self._rounded(int(tall * (width / height)))

    @property
    def grid(self) -> tuple[int, int]:
        return self.size_px[0] // self._unit_px, self.size_px[1] // self._unit_px

    @property
    def input_px(self) -> tuple[int, int]:
        times = -(-DETAIL_PX // max(self.size_px))
        return self.size_px[0] * times, self.size_px[1] * times

    def for_video(self, info: VideoInfo, frames: int | None = None) -> Self:
        return replace(self, picture_px=(info.height_px, info.width_px))

    def pixels(self, images: npt.NDArray[np.uint8], device: torch.device = CPU) -> Tensor:
        return self.vlm.frame_pixels.pixels(images, [self.size_px], device)

    @property
    def tower(self) -> Any:
        return self.vlm.hf.base_model.vision_tower

    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        model, frames = self.vlm.hf.base_model, len(pixels)
        patch: int = self.vlm.config.vision_config.patch_size
        cut = pixels.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))
        sizes = torch.tensor([[*cut.shape[2:5:2]]] * frames, device=pixels.device)
        # All patches of all frames side by side, each as high as a patch.
        strip = cut.permute(1, 3, 0, 2, 4, 5).reshape(1, pixels.shape[1], patch, -1)
        with watch(self.tower.encoder.layers[-1].self_attn, signals=signals) as seen:
            out = model.get_image_features(strip, sizes.int())
        return {"features": torch.stack(list(out.pooler_output))} | among(
            signals,
            attention=lambda: self._pooled(seen.attention[..., None])[..., 0],
            keys=lambda: self._pooled(seen.keys),
            pre_projector=lambda: self._pooled(out.last_hidden_state.unflatten(1, (frames, -1))[0]),
        )

    def _pooled(self, values: Tensor) -> Tensor:
        """Returns values of what the tower ends with, `(T, L, C)`, as means by token."""
        (rows, columns), side = self.grid, self.vlm.config.merge_kernel_size[0]
        squares = values.reshape(len(values), rows, side, columns, side, -1)
        return squares.mean((2, 4)).flatten(1, 2)

    def _rounded(self, length_px: int) -> int:
        unit = self._unit_px
        return max(round(length_px / unit), 1) * unit

    @property
    def _unit_px(self) -> int:
        """Pixels on each side of a token."""
        patch: int = self.vlm.config.vision_config.patch_size
        return patch * (2 if self.vlm.config.downsample_mode == "4x" else 4)
