"""What the ways to work on a stream share: its frames, and a budget for each minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from torch import Tensor

from framesift.types.streamed import StreamedTokens

WINDOW_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFrame:
    """A frame of a stream that fits to those before."""

    features: Tensor
    """Tokens `(N, D)`."""
    pts_seconds: float
    number: int
    """Which frame of the stream it is, from 0."""
    live: Tensor | None
    """Tokens that take part, bool `(N,)`; None for all."""
    signals: Mapping[str, Tensor]
    """What a strategy reads besides the features, `(N, ...)` each."""


class StreamRule(Protocol):
    """What becomes of the frames of a stream."""

    def push(self, frame: StreamFrame) -> StreamedTokens:
        """Returns what comes out with the next frame."""

    def finish(self) -> StreamedTokens | None:
        """Returns what is left when the stream ends; None where nothing is."""


class MinuteBudget:
    """How many tokens any 60 seconds of a stream may have."""

    def __init__(self, tokens: int) -> None:
        self.tokens: Final = tokens
        self._recent: deque[tuple[float, int]] = deque()
        """Times and counts of what came out within the last minute."""

    def left(self, pts_seconds: float) -> int:
        """Returns how many tokens still fit into the 60 seconds that end at a time."""
        while self._recent and self._recent[0][0] <= pts_seconds - WINDOW_SECONDS:
            self._recent.popleft()
        return self.tokens - sum(count for _, count in self._recent)

    def spend(self, pts_seconds: float, count: int) -> None:
        """Takes note of tokens that came out."""
        if count:
            self._recent.append((pts_seconds, count))
