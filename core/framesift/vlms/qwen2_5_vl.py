"""Qwen2.5-VL: time in the positions of tokens, a tower that attends in windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.vlms._qwen import QwenVLM
from framesift.vlms._qwen_sizes import QwenSizedVLM
from framesift.vlms._step_times import frame_gap
from framesift.vlms.base import Block


@dataclass(frozen=True, kw_only=True)
class Qwen25VL(QwenSizedVLM, QwenVLM):
    """Qwen2.5-VL: one run of tokens for a video, whose positions count its seconds.

    Frames have no text of their own, so none goes with them. Steps are taken to be as far apart as
    the sampled frames are on average, for the model knows one pace only.
    """

    summary: ClassVar[str] = "Qwen2.5-VL; tokens by the size of frames, 3-D positions by time"
    model_types: ClassVar[frozenset[str]] = frozenset({"qwen2_5_vl"})
    counts_frames: ClassVar[bool] = False
    usual_size: ClassVar[dict[str, int]] = {
        "shortest_edge": 128 * 28**2,
        "longest_edge": 768 * 28**2,
    }
    usual_cap_tokens: ClassVar[int] = 128_000

    model: Reachable = "Qwen/Qwen2.5-VL-3B-Instruct"

    @property
    def watched_layer(self) -> int:
        """The last layer of the tower that attends over whole pictures, not in windows.

        Raises:
            ModelError: all of them attend in windows.
        """
        whole = list(self.config.vision_config.fullatt_block_indexes)
        if not whole:
            raise ModelError(
                f"{self.called!r} has no fullatt_block_indexes in its vision_config, so that no "
                "layer sees a whole picture; pass a checkpoint whose tower has such a layer"
            )
        return int(max(whole))

    def token_order(self, rows: int, columns: int) -> Tensor:
        """Returns the place in the grid of each token, window by window, `(N,)`."""
        return self._window_of_cells(rows, columns).argsort(stable=True)

    def token_windows(self, rows: int, columns: int) -> Tensor:
        """Returns the window of each token, as they go through the tower, int64 `(N,)`."""
        return self._window_of_cells(rows, columns).sort().values

    def attends_in_windows(self, module: Any) -> bool:
        """Returns whether an attention module of the tower sees parts of a picture only."""
        blocks = self.hf.base_model.visual.blocks
        whole = self.config.vision_config.fullatt_block_indexes
        return all(blocks[index].attn is not module for index in whole)

    def of_one_window(self, ends: Tensor, tokens: Tensor) -> dict[str, Tensor]:
        """Returns what says that all patches come in order, as one window.

        Args:
            ends: 0 and the number of patches, on the CPU.
            tokens: numbers of the tokens, on the device of the tower.
        """
        return {"window_index": tokens, "cu_window_seqlens": ends}

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with one run of all tokens."""
        return [[Block(frames=range(len(video.frame_seconds)))]]

    def timing(self, videos: Sequence[CompressedVideo]) -> dict[str, Any]:
        """Returns the seconds between the time steps of each video."""
        per_step = self.config.vision_config.temporal_patch_size
        gaps = [per_step * frame_gap(video, per_step) for video in videos]
        return {"second_per_grid_ts": torch.tensor(gaps)}

    def _window_of_cells(self, rows: int, columns: int) -> Tensor:
        """Returns the window of each cell of the grid, `(N,)`."""
        vision = self.config.vision_config
        side: int = vision.window_size // vision.spatial_merge_size // vision.patch_size
        across = -(-columns // side)
        row, column = torch.arange(rows)[:, None], torch.arange(columns)[None]
        return (row // side * across + column // side).flatten()
