"""Qwen3-VL: the time of each step as text, and tokens that deeper layers take as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from framesift.errors import ModelError
from framesift.types.compressed import CompressedVideo
from framesift.types.options import Reachable
from framesift.vlms._qwen_timed import TimedQwenVLM
from framesift.vlms.base import Block


@dataclass(frozen=True, kw_only=True)
class Qwen3VL(TimedQwenVLM):
    """Qwen3-VL, dense or of experts: each time step is a run after the text `<1.5 seconds>`.

    The first layers of the LLM add further features of the tower to the same tokens (DeepStack);
    the plan applies to these too.
    """

    summary: ClassVar[str] = "Qwen3-VL; tokens by the size of frames, times as text, DeepStack"
    model_types: ClassVar[frozenset[str]] = frozenset({"qwen3_vl", "qwen3_vl_moe"})

    model: Reachable = "Qwen/Qwen3-VL-2B-Instruct"

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each time step.

        Raises:
            ModelError: the tokens lack what deeper layers take.
        """
        if video.layers is None:
            raise ModelError(
                f"{self.called!r} takes features in deeper layers as well, which these tokens "
                "lack; compress with its own encoder: VideoCompressor(encoder=vlm.encoder)"
            )
        return super().blocks(video)
