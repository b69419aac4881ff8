"""Which size frames have for Qwen's towers and their like: whole tokens within bounds of pixels."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from framesift.errors import InvalidOptionError
from framesift.types.options import Count
from framesift.vlms._family import FamilyVLM
from framesift.vlms._qwen_patches import fitted_px, whole_px

MOST_STEP_TOKENS: Final = 2**16
"""Most tokens of a time step that may be asked for."""
USUAL_TOKENS: Final = 768
"""Most tokens of a step of a square video of unknown size."""
CONTEXT_TOKENS: Final = 128_000
"""Context for which Qwen's own tools bound all frames together, at most nine tenths of it."""
MARGIN: Final = 1.05
"""How far above the fewest pixels of a frame a bound for all frames lies at least."""


@dataclass(frozen=True, kw_only=True)
class SizedVLM(FamilyVLM):
    """A vision LLM on frames of any size, whose checkpoint bounds the pixels of them all."""

    counts_frames: ClassVar[bool] = True
    """Whether bounds hold for all frames of a video together, else for each of them."""
    usual_size: ClassVar[dict[str, int]]
    """Fewest and most pixels where the checkpoint says nothing."""

    min_step_tokens: Count | None = None
    """Fewest tokens of one time step before compression; None for what the size of frames gives."""
    max_step_tokens: Count | None = None
    """Most tokens of one time step before compression; None for what the size of frames gives."""

    def __post_init__(self) -> None:
        super().__post_init__()
        least, most = self.min_step_tokens, self.max_step_tokens
        for name, given in (("min_step_tokens", least), ("max_step_tokens", most)):
            if given is not None and given > MOST_STEP_TOKENS:
                raise InvalidOptionError(
                    f"{name}={given} must be at most {MOST_STEP_TOKENS}, those of a picture of "
                    "8192x8192 px"
                )
        if least is not None and most is not None and least > most:
            raise InvalidOptionError(
                f"min_step_tokens={least} must be at most max_step_tokens={most}"
            )

    @property
    def token_px(self) -> int:
        """Pixels on each side of a token."""
        vision = self.config.vision_config
        side: int = vision.patch_size * vision.spatial_merge_size
        return side

    @property
    def frames_per_step(self) -> int:
        """Frames that make one time step."""
        frames: int = self.config.vision_config.temporal_patch_size
        return frames

    def size_px(self, picture_px: tuple[int, int] | None, frames: int | None) -> tuple[int, int]:
        """Returns the size `(H, W)` that frames of a video are brought to.

        Args:
            picture_px: display size `(H, W)` of the video, None for a square one.
            frames: how many of its frames become tokens, None for those of one time step.
        """
        least, most = self.min_step_tokens or 1, self.max_step_tokens or sys.maxsize
        if picture_px is None:
            side = math.isqrt(min(most, USUAL_TOKENS)) * self.token_px
            return side, side
        found = self.frame_px(*picture_px, max(frames or 0, self.frames_per_step))
        if least <= found[0] * found[1] // self.token_px**2 <= most:
            return found
        return fitted_px(*picture_px, factor=self.token_px, least=least, most=most)

    def frame_px(self, height: int, width: int, frames: int) -> tuple[int, int]:
        """Returns the size `(H, W)` of frames by the checkpoint's own video processor.

        Args:
            height: of the video in pixels.
            width: of the video in pixels.
            frames: how many of its frames become tokens, at least those of a time step.
        """
        least, most = self.bounds_px(frames)
        counted = {"frames": frames, "together": self.frames_per_step} if self.counts_frames else {}
        return whole_px(
            height, width, factor=self.token_px, least_px=least, most_px=most, **counted
        )

    def bounds_px(self, frames: int) -> tuple[int, int]:
        """Returns the fewest and the most pixels that the checkpoint allows."""
        size = self._size
        return size["shortest_edge"], size["longest_edge"]

    def picture_size_px(self, picture_px: tuple[int, int], **counted: int) -> tuple[int, int]:
        """Returns the size `(H, W)` that the family's image processor gives a picture.

        Args:
            picture_px: size `(H, W)` of the picture.
            counted: for how many frames it counts, as in `whole_px`.
        """
        limits = self.image_processor.size
        return whole_px(
            *picture_px,
            factor=self.token_px,
            least_px=limits["shortest_edge"],
            most_px=limits["longest_edge"],
            **counted,
        )

    @property
    def _size(self) -> dict[str, Any]:
        return {**self.usual_size, **(self.frame_pixels.settings.get("size") or {})}


@dataclass(frozen=True, kw_only=True)
class QwenSizedVLM(SizedVLM):
    """A Qwen-VL model, for which there are two rules: its checkpoint's, and that of Qwen's tools.

    They differ much. A checkpoint may allow a frame of 1920x1080 px its 2,691 tokens, where the
    tools stop at 768, and may leave one of 320x240 px at 99, which the tools scale up to 140.
    """

    usual_cap_tokens: ClassVar[int]
    """`max_video_tokens` where the checkpoint says nothing."""

    frame_size: Literal["checkpoint", "qwen-vl-utils"] = "checkpoint"
    """Whose rule gives frames their size: that of the checkpoint's own video processor, or that of
    the package qwen-vl-utils: 128 to 768 tokens of a step, fewer for more than about 300 frames."""

    def frame_px(self, height: int, width: int, frames: int) -> tuple[int, int]:
        """Returns the size `(H, W)` of frames by the rule of `frame_size`."""
        if self.frame_size == "checkpoint":
            return super().frame_px(height, width, frames)
        area, step = self.token_px**2, self.frames_per_step
        least, share = 128 * area, CONTEXT_TOKENS * area * 0.9 / (-(-frames // step))
        most = max(min(768 * area, share), int(least * MARGIN))
        return whole_px(height, width, factor=self.token_px, least_px=least, most_px=most)

    def bounds_px(self, frames: int) -> tuple[int, int]:
        """Returns the fewest and the most pixels that the checkpoint allows.

        They are those of all frames, or of each where `counts_frames` is false. The checkpoint may
        ask for a cap (`cap_pixels_per_frame`).
        """
        least, most = super().bounds_px(frames)
        settings = self.frame_pixels.settings
        if not settings.get("cap_pixels_per_frame"):
            return least, most
        cap = settings.get("max_video_tokens", self.usual_cap_tokens) * self.token_px**2
        if self.counts_frames:
            return least, max(min(cap, most // frames), int(least * MARGIN)) * frames
        share = int(cap * 0.9) * self.frames_per_step // frames
        return least, max(min(most, share), int(least * MARGIN))

    @property
    def _size(self) -> dict[str, Any]:
        """The names of before hold where a checkpoint still has them, in the first two families."""
        size, settings = super()._size, self.frame_pixels.settings
        earlier = (
            {}
            if self.counts_frames
            else {"min_pixels": "shortest_edge", "max_pixels": "longest_edge"}
        )
        named = {now: settings.get(before) for before, now in earlier.items()}
        return size | {now: given for now, given in named.items() if given is not None}
