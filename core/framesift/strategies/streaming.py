"""Frames whose end is not known: each gives up what it repeats as soon as it arrives."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from framesift.errors import BudgetError, InvalidTokensError
from framesift.strategies import _ops
from framesift.types.options import number, whole

WINDOW_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedTokens:
    """What is kept of one frame of a stream."""

    features: Tensor
    """Kept tokens `(M, D)`, unchanged; none where the frame repeats what was kept before."""
    patches: Tensor
    """Their places in the frame, int64 `(M,)`, ascending."""
    pts_seconds: float
    frame: int
    """Number of the frame in the stream, from 0."""


class StreamingCompressor:
    """Drops patches that look as they did when they were last kept, one frame at a time.

    What is kept of a whole stream is what the strategy `temporal` keeps of the same frames at the
    same threshold. Memory is that of one frame, however long the stream is. A budget per minute is
    held in every stretch of 60 seconds: a frame takes at most half of what is left of it, so that
    there is room for what happens next, and gives the patches that changed most. One that finds no
    room is still compared with what was kept of its place, and comes later unless it turns back.

    The rule is that of TimeChat-Online, https://arxiv.org/abs/2504.17343, which compares with the
    frame before and so never sees a slow change.
    """

    def __init__(self, *, threshold: float = 0.9, tokens_per_minute: int | None = None) -> None:
        """Takes the rule.

        Args:
            threshold: cosine similarity in [-1, 1] above which a patch is dropped.
            tokens_per_minute: most tokens kept in any 60 seconds; None for no limit.

        Raises:
            InvalidOptionError: `threshold` is out of range.
            BudgetError: `tokens_per_minute` is below 1.
        """
        if tokens_per_minute is not None:
            tokens_per_minute = whole(
                "tokens_per_minute", tokens_per_minute, "token", error=BudgetError
            )
        self.threshold = number("threshold", threshold, low=-1, high=1)
        self.tokens_per_minute = tokens_per_minute
        self.frames_in = 0
        """Frames that were pushed."""
        self.tokens_out = 0
        """Tokens that were kept of them."""
        self._last: Tensor | None = None
        """The last kept token of each place, float32 `(N, D)`."""
        self._seen: Tensor | None = None
        """Places of which a token was kept, bool `(N,)`."""
        self._latest_seconds = float("-inf")
        self._recent: deque[tuple[float, int]] = deque()
        """Times and counts of what was kept within the last minute."""

    def push(
        self, features: Tensor, pts_seconds: float, live: Tensor | None = None
    ) -> StreamedTokens:
        """Returns the kept tokens of the next frame.

        Args:
            features: tokens of the frame `(N, D)`, floating point, all frames alike.
            pts_seconds: its time, not before that of the frame before.
            live: tokens that take part, bool `(N,)`; None for all.

        Raises:
            InvalidTokensError: a frame of another shape or device, a feature that is not finite, or
                a time that goes back.
        """
        last, seen = self._checked(features, pts_seconds, live)
        current = features.detach().float()
        similarity = _ops.similarity(current, last)
        new = ~seen if live is None else live & ~seen
        changed = similarity <= torch.full_like(similarity[0], self.threshold)
        kept = new | (changed if live is None else live & changed)
        if self.tokens_per_minute is not None:
            kept = self._within_minute(kept, new, current, similarity, pts_seconds)
        self._last, self._seen = torch.where(kept[:, None], current, last), seen | kept
        patches = kept.nonzero().flatten()
        number, self.frames_in = self.frames_in, self.frames_in + 1
        self.tokens_out += len(patches)
        self._latest_seconds = pts_seconds
        if self.tokens_per_minute is not None and len(patches):
            self._recent.append((pts_seconds, len(patches)))
        return StreamedTokens(
            features=features[patches], patches=patches, pts_seconds=pts_seconds, frame=number
        )

    def _within_minute(
        self, kept: Tensor, new: Tensor, current: Tensor, similarity: Tensor, pts_seconds: float
    ) -> Tensor:
        """Returns the places of `kept` that changed most, as many as the minute has room for."""
        assert self.tokens_per_minute is not None
        while self._recent and self._recent[0][0] <= pts_seconds - WINDOW_SECONDS:
            self._recent.popleft()
        left = self.tokens_per_minute - sum(count for _, count in self._recent)
        likeness = torch.where(new, _ops.similarity_to_mean(current), similarity)
        return _ops.top(-likeness, kept, -(-left // 2))

    def _checked(
        self, features: Tensor, pts_seconds: float, live: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Returns what was last kept and of which places, once the frame fits to it."""
        if features.ndim != 2 or not features.numel() or not features.is_floating_point():
            raise InvalidTokensError(
                f"features of a frame must be floating point (N, D) with N >= 1 and D >= 1, got "
                f"{features.dtype} {tuple(features.shape)}"
            )
        if self._last is None or self._seen is None:
            last = torch.zeros_like(features, dtype=torch.float32)
            seen = torch.zeros_like(features[:, 0], dtype=torch.bool)
        else:
            last, seen = self._last, self._seen
        if features.shape != last.shape or features.device != last.device:
            raise InvalidTokensError(
                f"frame {self.frames_in} has {tuple(features.shape)} features on {features.device},"
                f" the frames before {tuple(last.shape)} on {last.device}; start another stream"
            )
        fitting = seen.shape, torch.bool, seen.device
        if live is not None and (live.shape, live.dtype, live.device) != fitting:
            raise InvalidTokensError(
                f"live must be {torch.bool} {tuple(seen.shape)} on {seen.device}, got {live.dtype} "
                f"{tuple(live.shape)} on {live.device}"
            )
        if not self._latest_seconds <= pts_seconds < float("inf"):
            raise InvalidTokensError(
                f"frame {self.frames_in} is at {pts_seconds} s, and must not come before "
                f"{self._latest_seconds} s, the frame before it"
            )
        if not bool(torch.stack(features.aminmax()).isfinite().all()):
            place = int((~features.isfinite()).any(1).nonzero()[0])
            raise InvalidTokensError(
                f"features must be finite numbers, and patch {place} of frame {self.frames_in} "
                "holds one that is not; encode in float32 or bfloat16"
            )
        return last, seen
