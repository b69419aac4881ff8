"""What the Qwen-VL families share: patches over space and time, grids by video, 3-D positions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.encoders.still import Units
from framesift.hf.attention import parts_at_once
from framesift.hf.borrowing import PackedFrames
from framesift.hf.probe import watch
from framesift.registry import require
from framesift.types.compressed import CompressedVideo
from framesift.types.device import CPU
from framesift.types.video import VideoInfo
from framesift.vlms._family import FamilyTower
from framesift.vlms._qwen_patches import patchify
from framesift.vlms._qwen_pictures import QwenPicture, check_shape
from framesift.vlms._qwen_sizes import SizedVLM
from framesift.vlms._tower import among
from framesift.vlms.layout import TEXT, Block, Layout


@dataclass(frozen=True, kw_only=True)
class QwenTower(FamilyTower):
    """A tower on pictures of any size, in which two frames make one time step.

    The grid follows the size of the video and, in some families, how many frames become tokens.
    """

    vlm: QwenVLM
    usual_batch: ClassVar[int] = 4
    picture_px: tuple[int, int] | None = None
    """Display size `(H, W)` of the video, None for a square one."""
    frames: int | None = None
    """How many frames of the video become tokens, None where it is not known yet."""
    exact_px: tuple[int, int] | None = None
    """Size `(H, W)` of whole tokens that a picture is brought to; None for the rule of videos."""

    @property
    def frames_per_step(self) -> int:
        """How many sampled frames make one time step: two."""
        return self.vlm.frames_per_step

    @property
    def size_px(self) -> tuple[int, int]:
        """Frame size `(H, W)`: whole tokens in the proportions of the video."""
        if self.exact_px is not None:
            return self.exact_px
        return self.vlm.size_px(self.picture_px, self.frames)

    @property
    def grid(self) -> tuple[int, int]:
        """Grid `(h, w)` of the tokens of one time step."""
        return self.size_px[0] // self._factor, self.size_px[1] // self._factor

    def for_video(self, info: VideoInfo, frames: int | None = None) -> Self:
        """Returns the encoder whose grid has the proportions of a video of so many frames."""
        return replace(self, picture_px=(info.height_px, info.width_px), frames=frames)

    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns what the tower gives for frames `(T, 3, H, W)`, a row for every two of them."""
        patches, shape = self._patchified(pixels)
        with (
            parts_at_once(self.tower.config, pixels.device),
            watch(self._watched, signals=signals) as seen,
        ):
            out = self.vlm.hf.base_model.get_video_features(
                pixel_values_videos=patches,
                video_grid_thw=torch.tensor([shape], device=pixels.device),
                return_dict=True,
            )
        steps = shape[0]
        features = torch.cat(list(out.pooler_output)).unflatten(0, (steps, -1))
        found = {"features": features} | among(
            signals,
            attention=lambda: self._pooled(seen.attention[..., None])[..., 0],
            keys=lambda: self._pooled(seen.keys),
            pre_projector=lambda: self._pooled(out.last_hidden_state.unflatten(0, (steps, -1))),
        )
        if deep := getattr(out, "deepstack_features", None):
            layers = torch.stack([torch.cat(list(layer)) for layer in deep], dim=1)
            found["layers"] = layers.unflatten(0, (steps, -1))
        return found

    def look_at(
        self, pixels: Tensor, encoded: Tensor, packing: PackedFrames, signals: frozenset[str]
    ) -> dict[str, Tensor]:
        """Returns what `look` does for the encoded units alone, each `(U, ...)`, step by step."""
        patches, (steps, *shape) = self._patchified(pixels)

        def packed(values: Tensor) -> Tensor:
            """Returns values of the patches of all steps, `(T, L, ...)`, at the packed places."""
            tokens = values.unflatten(1, (-1, self._merged))
            ordered = tokens.index_select(1, self._order.to(values.device))
            return packing.gather(ordered.flatten(1, 2))[0]

        rows = packed(patches.unflatten(0, (steps, -1)))
        # Each layer reads the ends on the CPU; on a device it would have to wait for them.
        where = rows.device if self.vlm.counts_on_device else CPU
        ends = torch.tensor([0, len(rows)], dtype=torch.int32, device=where)
        arguments = {
            name: packed(value.to(rows.device).expand(steps, *value.shape))
            for name, value in self.vlm.of_patches(torch.tensor([[1, *shape]])).items()
        }
        with watch(self._watched, signals=signals) as seen:
            out = self.tower(
                rows,
                grid_thw=torch.tensor([[steps, *shape]], device=where),
                cu_seqlens=ends,
                return_dict=True,
                **arguments,
                **self.vlm.of_one_window(
                    ends, torch.arange(len(rows) // self._merged).to(rows.device)
                ),
            )
        units = encoded.flatten().nonzero().flatten().to(rows.device)
        row = self._rows_of_units(encoded).to(rows.device)
        found = {"features": out.pooler_output[row]} | among(
            signals,
            attention=lambda: self._pooled(seen.attention[..., None]).flatten(0, 1)[units, 0],
            keys=lambda: self._pooled(seen.keys).flatten(0, 1)[units],
            pre_projector=lambda: out.last_hidden_state.unflatten(
                0, (len(out.pooler_output), -1)
            ).mean(1)[row],
        )
        if deep := getattr(out, "deepstack_features", None):
            found["layers"] = torch.stack(list(deep), dim=1)[row]
        return found

    @property
    def tower(self) -> Any:
        """The module of the tower, whose `config` names its attention function."""
        return self.vlm.hf.base_model.visual

    def units(self, size_px: tuple[int, int]) -> Units:
        """Returns how frames are cut into the squares of patches that make a token."""
        return Units.even(self.grid, self.grid, (self._factor, self._factor))

    def places(self, encoded: Tensor, units: Units) -> Tensor:
        """Returns the places of the tower, bool `(T, L)`, that units `(T, N)` need, on the CPU."""
        return encoded[:, self._order].repeat_interleave(self._merged, 1)

    def windows(self, module: Any) -> Tensor | None:
        """Returns the window of each place; None in layers that attend over whole pictures."""
        return self._windows if self.vlm.attends_in_windows(module) else None

    def _patchified(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
        vision = self.vlm.config.vision_config
        return patchify(
            pixels,
            patch=vision.patch_size,
            merge=vision.spatial_merge_size,
            together=vision.temporal_patch_size,
        )

    def _pooled(self, values: Tensor) -> Tensor:
        """Returns values of the tower's patches or tokens `(T, L, C)` by token, `(T, N, C)`."""
        order = self._order.to(values.device)
        tokens = values.reshape(len(values), len(order), -1, values.shape[-1]).mean(2)
        return torch.empty_like(tokens).index_copy_(1, order, tokens)

    def _rows_of_units(self, encoded: Tensor) -> Tensor:
        """Returns where each encoded unit is among those that the tower gives, int64 `(U,)`."""
        in_order = encoded[:, self._order]
        number = (in_order.flatten().cumsum(0) - 1).view_as(in_order)
        return torch.empty_like(number).index_copy_(1, self._order, number)[encoded]

    @property
    def _watched(self) -> Any:
        return self.tower.blocks[self.vlm.watched_layer].attn

    @cached_property
    def _order(self) -> Tensor:
        return self.vlm.token_order(*self.grid)

    @cached_property
    def _windows(self) -> Tensor:
        return self.vlm.token_windows(*self.grid).repeat_interleave(self._merged)

    @property
    def _merged(self) -> int:
        """Patches that make a token."""
        side: int = self.vlm.config.vision_config.spatial_merge_size
        return side**2

    @property
    def _factor(self) -> int:
        return self.vlm.token_px


@dataclass(frozen=True, kw_only=True)
class QwenVLM(SizedVLM):
    """A Qwen-VL model; two sampled frames make one time step of tokens.

    Every token holds the time, row and column that the whole video gives it (M-RoPE).
    """

    modality: ClassVar[Literal["image", "video"]] = "video"
    listed: ClassVar[bool] = True
    resample: ClassVar[int] = 3
    counts_on_device: ClassVar[bool] = False
    """Whether the tower computes with the grid where its pixels are, not on the CPU."""

    @cached_property
    def encoder(self) -> Encoder:
        """The model's own vision tower and merger."""
        _ = self.watched_layer
        return QwenTower(vlm=self)

    def picture_encoder(self, picture_px: tuple[int, int]) -> Encoder | None:
        """Returns the encoder for a picture, of the size that the image processor gives it.

        Raises:
            ModelError: the family takes no picture so long and narrow.
        """
        check_shape(self, *picture_px)
        tower = QwenTower(vlm=self, exact_px=self.picture_size_px(picture_px))
        return QwenPicture(tower=tower, picture_px=picture_px)

    def picture_blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with all tokens in one run, between the marks of the template."""
        return [[Block(frames=range(1))]]

    @property
    @abstractmethod
    def watched_layer(self) -> int:
        """The last layer of the tower that attends over whole pictures."""

    def token_order(self, rows: int, columns: int) -> Tensor:
        """Returns the place in the grid of each token, as they go through the tower, `(N,)`."""
        return torch.arange(rows * columns)

    def token_windows(self, rows: int, columns: int) -> Tensor:
        """Returns the window of each token, as they go through the tower, int64 `(N,)`."""
        return torch.zeros(rows * columns, dtype=torch.int64)

    def attends_in_windows(self, module: Any) -> bool:
        """Returns whether an attention module of the tower sees parts of a picture only."""
        return False

    def of_patches(self, grid_thw: Tensor) -> dict[str, Tensor]:
        """Returns what the tower takes of each patch besides its pixels, `(P, ...)` by name.

        Args:
            grid_thw: rows and columns of patches behind the number of steps, `(1, 3)`.
        """
        merge = self.config.vision_config.spatial_merge_size
        return {"position_ids": vision_functions().get_vision_position_ids(grid_thw, merge)}

    def of_one_window(self, ends: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """Returns what says that all patches come in order, as one window, if need be.

        Args:
            ends: 0 and the number of patches, on the CPU.
            tokens: numbers of the tokens, on the device of the tower.
        """
        return {}

    def timing(self, videos: Sequence[CompressedVideo]) -> dict[str, Any]:
        """Returns the arguments that give the model the times of its videos, besides their text."""
        return {}

    def original_positions(self, layout: Layout, videos: Sequence[CompressedVideo]) -> Tensor:
        """Returns (time, row, column) of each column of the whole prompt, int64 `(3, L)`."""
        if not videos:
            return torch.arange(len(layout.ids)).repeat(3, 1)
        merge = self.config.vision_config.spatial_merge_size
        grids: dict[bool, list[list[int]]] = {False: [], True: []}
        for video in videos:
            sides = [side * merge for side in video.report.grid]
            grids[video.report.picture].append([len(video.frame_seconds), *sides])
        still = torch.tensor([video.report.picture for video in videos])[layout.video]
        given = {
            name: torch.tensor(grids[picture])
            for name, picture in (("video_grid_thw", False), ("image_grid_thw", True))
            if grids[picture]
        }
        positions: Tensor = self.hf.base_model.get_rope_index(
            layout.ids[None],
            mm_token_type_ids=torch.where(layout.source == TEXT, 0, torch.where(still, 1, 2))[None],
            **given,
            **self.timing([video for video in videos if not video.report.picture]),
        )[0]
        return positions[:, 0]


def vision_functions() -> Any:
    """Returns the module of transformers that computes what its towers take of a grid."""
    return require("transformers.vision_utils", extra="hf")
