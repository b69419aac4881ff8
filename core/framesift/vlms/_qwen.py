"""What the Qwen-VL families share: patches over space and time, grids by video, 3-D positions."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError
from framesift.hf.probe import watch
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Count
from framesift.types.video import VideoInfo
from framesift.vlms._family import FamilyTower, FamilyVLM
from framesift.vlms._qwen_patches import fitted_px, patchify
from framesift.vlms._tower import among
from framesift.vlms.layout import TEXT, Layout


@dataclass(frozen=True, kw_only=True)
class QwenTower(FamilyTower):
    """A tower on pictures of any size, in which two frames make one time step.

    The grid follows the proportions of the video, within the limits of the vision LLM's options.
    """

    vlm: QwenVLM
    usual_batch: ClassVar[int] = 4
    picture_px: tuple[int, int] | None = None
    """Display size `(H, W)` of the video, None for a square one."""

    @property
    def frames_per_step(self) -> int:
        """How many sampled frames make one time step: two."""
        frames: int = self.vlm.config.vision_config.temporal_patch_size
        return frames

    @property
    def size_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`: whole tokens in the proportions of the video."""
        factor, most = self._factor, self.vlm.max_step_tokens
        side = math.isqrt(most) * factor
        height, width = self.picture_px or (side, side)
        return fitted_px(height, width, factor=factor, least=self.vlm.min_step_tokens, most=most)

    @property
    def grid(self) -> tuple[int, int]:
        """Grid `(h, w)` of the tokens of one time step."""
        return self.size_px[0] // self._factor, self.size_px[1] // self._factor

    def fitted(self, info: VideoInfo) -> Self:
        """Returns the encoder whose grid has the proportions of a video."""
        return replace(self, picture_px=(info.height_px, info.width_px))

    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns what the tower gives for frames `(T, 3, H, W)`, a row for every two of them."""
        vision, base = self.vlm.config.vision_config, self.vlm.hf.base_model
        merge = vision.spatial_merge_size
        patches, shape = patchify(
            pixels, patch=vision.patch_size, merge=merge, together=vision.temporal_patch_size
        )
        steps, rows, columns = shape
        with watch(base.visual.blocks[self.vlm.watched_layer].attn, signals=signals) as seen:
            out = base.get_video_features(
                pixel_values_videos=patches,
                video_grid_thw=torch.tensor([shape], device=pixels.device),
                return_dict=True,
            )

        def pooled(values: Tensor) -> Tensor:
            order = self.vlm.token_order(rows // merge, columns // merge).to(pixels.device)
            tokens = values.reshape(steps, len(order), merge**2, -1).mean(2)
            return torch.empty_like(tokens).index_copy_(1, order, tokens)

        features = torch.cat(list(out.pooler_output)).unflatten(0, (steps, -1))
        found = {"features": features} | among(
            signals,
            attention=lambda: pooled(seen.attention)[..., 0],
            keys=lambda: pooled(seen.keys),
            pre_projector=lambda: pooled(out.last_hidden_state),
        )
        if deep := getattr(out, "deepstack_features", None):
            layers = torch.stack([torch.cat(list(layer)) for layer in deep], dim=1)
            found["layers"] = layers.unflatten(0, (steps, -1))
        return found

    @property
    def _factor(self) -> int:
        vision = self.vlm.config.vision_config
        factor: int = vision.patch_size * vision.spatial_merge_size
        return factor


@dataclass(frozen=True, kw_only=True)
class QwenVLM(FamilyVLM):
    """A Qwen-VL model; two sampled frames make one time step of tokens.

    Every token holds the time, row and column that the whole video gives it (M-RoPE).
    """

    modality: ClassVar[Literal["image", "video"]] = "video"
    listed: ClassVar[bool] = True
    resample: ClassVar[int] = 3

    min_step_tokens: Count = 128
    """Fewest tokens of one time step before compression; smaller videos are scaled up to it."""
    max_step_tokens: Count = 768
    """Most tokens of one time step before compression: the pixel cap of both its frames, as in
    Qwen's own video tools. 768 are frames of 1008x560 px at 28 px a token, 1152x640 at 32."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_step_tokens > self.max_step_tokens:
            raise InvalidOptionError(
                f"min_step_tokens={self.min_step_tokens} must be at most "
                f"max_step_tokens={self.max_step_tokens}"
            )

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and merger."""
        _ = self.watched_layer
        return QwenTower(vlm=self)

    @property
    @abstractmethod
    def watched_layer(self) -> int:
        """The last layer of the tower that attends over whole pictures."""

    def token_order(self, rows: int, columns: int) -> Tensor:
        """Returns the place in the grid of each token, as they go through the tower, `(N,)`."""
        return torch.arange(rows * columns)

    def timing(self, videos: Sequence[CompressedVideo]) -> dict[str, Any]:
        """Returns the arguments that give the model the times of its videos, besides their text."""
        return {}

    def original_positions(self, layout: Layout, videos: Sequence[CompressedVideo]) -> Tensor:
        """Returns (time, row, column) of each column of the whole prompt, int64 `(3, L)`."""
        if not videos:
            return torch.arange(len(layout.ids)).repeat(3, 1)
        merge = self.config.vision_config.spatial_merge_size
        shapes = [
            [len(video.frame_seconds), *(side * merge for side in video.report.grid)]
            for video in videos
        ]
        positions: Tensor = self.hf.base_model.get_rope_index(
            layout.ids[None],
            mm_token_type_ids=torch.where(layout.source == TEXT, 0, 2)[None],
            video_grid_thw=torch.tensor(shapes),
            **self.timing(videos),
        )[0]
        return positions[:, 0]
