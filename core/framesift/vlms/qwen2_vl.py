"""Qwen2-VL: one run of tokens for a video, whose positions count its time steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.vlms._qwen import QwenVLM
from framesift.vlms._qwen_sizes import QwenSizedVLM
from framesift.vlms.base import Block


@dataclass(frozen=True, kw_only=True)
class Qwen2VL(QwenSizedVLM, QwenVLM):
    """Qwen2-VL: one run of tokens for a video; each time step is one position behind the last.

    Neither text nor positions tell the model how many seconds a step takes. All layers of its tower
    attend over whole pictures.
    """

    summary: ClassVar[str] = "Qwen2-VL; tokens by the size of frames, 3-D positions by step"
    model_types: ClassVar[frozenset[str]] = frozenset({"qwen2_vl"})
    counts_frames: ClassVar[bool] = False
    usual_size: ClassVar[dict[str, int]] = {
        "shortest_edge": 128 * 28**2,
        "longest_edge": 768 * 28**2,
    }
    usual_cap_tokens: ClassVar[int] = 128_000

    model: Reachable = "Qwen/Qwen2-VL-2B-Instruct"

    @property
    def watched_layer(self) -> int:
        """The last layer of the tower."""
        return -1

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with one run of all tokens."""
        return [[Block(frames=range(len(video.frame_seconds)))]]
