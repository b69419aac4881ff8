"""What the Qwen families share that write the time of each step into the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from framesift.types.compressed import CompressedVideo
from framesift.vlms._qwen import QwenVLM, vision_functions
from framesift.vlms._qwen_sizes import QwenSizedVLM
from framesift.vlms._step_times import step_middles
from framesift.vlms.base import Block


@dataclass(frozen=True, kw_only=True)
class TimedQwenVLM(QwenSizedVLM, QwenVLM):
    """A Qwen-VL model with a run of tokens for each time step, after the text `<1.5 seconds>`.

    A step that loses all of its tokens loses its text and its marks of begin and end; the marks
    around the whole video stay.
    """

    usual_size: ClassVar[dict[str, int]] = {
        "shortest_edge": 128 * 32**2,
        "longest_edge": 768 * 32**2,
    }
    usual_cap_tokens: ClassVar[int] = 768

    @property
    def watched_layer(self) -> int:
        """The last layer of the tower."""
        return -1

    def of_patches(self, grid_thw: Tensor) -> dict[str, Tensor]:
        """Returns what the tower takes of each patch besides its pixels, `(P, ...)` by name.

        Args:
            grid_thw: rows and columns of patches behind the number of steps, `(1, 3)`.
        """
        tower = self.hf.base_model.visual
        indices, weights = vision_functions().get_vision_interpolation_indices_and_weights(
            grid_thw,
            num_grid_per_side=tower.num_grid_per_side,
            mode=tower.interpolation_mode,
            align_corners=tower.interpolation_align_corners,
            spatial_merge_size=tower.spatial_merge_size,
        )
        places = {"interp_indices": indices, "interp_weights": weights}
        return super().of_patches(grid_thw) | places

    def blocks(self, video: CompressedVideo) -> list[list[Block]]:
        """Returns one item with a block for each time step."""
        together = self.config.vision_config.temporal_patch_size
        start, end = (
            self.tokenizer.convert_ids_to_tokens(getattr(self.config, f"vision_{name}_token_id"))
            for name in ("start", "end")
        )
        return [
            [
                Block(
                    frames=range(step, step + 1),
                    before=f"<{seconds:.1f} seconds>{start}",
                    after=end,
                )
                for step, seconds in enumerate(step_middles(video, together))
            ]
        ]
