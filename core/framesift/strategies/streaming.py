"""Frames whose end is not known: each frame, or each segment of them, gives its tokens at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor

from framesift.encoders.base import Encoder
from framesift.errors import BudgetError, InvalidOptionError, InvalidTokensError
from framesift.strategies._stream import MinuteBudget, StreamFrame, StreamRule
from framesift.strategies._streamed_frames import ChangedPatches
from framesift.strategies._streamed_segments import ClosedSegments
from framesift.strategies.base import Strategy, create_strategy
from framesift.strategies.slow_fast import SlowFast
from framesift.strategies.temporal import Temporal
from framesift.types.options import number, shown, whole
from framesift.types.streamed import StreamedTokens

THRESHOLD: Final = 0.9


class StreamingCompressor:
    """Keeps tokens of a stream, one frame at a time.

    With the strategy `temporal`, each frame gives the patches that look different than when they
    were last kept, at once. What is kept of a whole stream is what the strategy keeps of the same
    frames at the same threshold, and memory is that of one frame, however long the stream is. A
    budget per minute is held in every stretch of 60 seconds: a frame takes at most half of what is
    left of it, so that there is room for what happens next, and gives the patches that changed
    most. One that finds no room is still compared with what was kept of its place, and comes later
    unless it turns back.

    With `slow-fast`, the tokens of a segment come out with the frame that closes it, and `finish`
    gives those of the last one. Together they are what the strategy makes of all these frames with
    room enough; memory is that of one segment. A budget per minute spreads as many frames as have
    room evenly over it, and leaves the others out.

        stream = StreamingCompressor(strategy="slow-fast", encoder=vlm.encoder)
        for frame in frames:
            streamed = stream.push(frame.features, frame.seconds)
            ...  # streamed.features is (M, D), and M is 0 until a segment is closed
        rest = stream.finish()

    A stream belongs to one thread at a time; those of several threads may share a strategy.
    """

    def __init__(
        self,
        *,
        threshold: float | None = None,
        tokens_per_minute: int | None = None,
        strategy: str | Strategy = "temporal",
        grid: tuple[int, int] | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        """Takes the rule.

        Args:
            threshold: cosine similarity in [-1, 1] above which `temporal` drops a patch; None for
                that of the strategy, or 0.9.
            tokens_per_minute: most tokens kept in any 60 seconds; None for no limit.
            strategy: spec string of `temporal` or `slow-fast`.
            grid: patch grid `(h, w)` of a frame, for segments; None for that of `encoder`.
            encoder: what makes the tokens, for segments that a network fills or that are made
                before the projector of a vision LLM.

        Raises:
            InvalidOptionError: a strategy that needs the whole video, an option that it does not
                have, one that is missing, or a network for tokens of another encoder.
            BudgetError: `tokens_per_minute` is below 1, or has no room for a segment.
        """
        if tokens_per_minute is not None:
            tokens_per_minute = whole(
                "tokens_per_minute", tokens_per_minute, "token", error=BudgetError
            )
        if encoder is not None and not hasattr(encoder, "project"):
            raise InvalidOptionError(
                f"encoder={shown(encoder)} must be an Encoder, such as vlm.encoder of a vision LLM"
            )
        minute = None if tokens_per_minute is None else MinuteBudget(tokens_per_minute)
        self.strategy: Final = create_strategy(strategy)
        self.tokens_per_minute = tokens_per_minute
        self.threshold: float | None = None
        self._rule: StreamRule
        if isinstance(self.strategy, Temporal):
            if threshold is None:
                threshold = THRESHOLD if (own := self.strategy.threshold) is None else own
            self.threshold = number("threshold", threshold, low=-1, high=1)
            self._rule = ChangedPatches(self.threshold, minute)
        elif isinstance(self.strategy, SlowFast):
            _check_segments(self.strategy, threshold, encoder)
            grid = _grid(self.strategy, grid, encoder)
            project = None if encoder is None else encoder.project
            self._rule = ClosedSegments(self.strategy, grid, project, minute)
        else:
            raise InvalidOptionError(
                f"strategy {self.strategy.spec!r} needs all frames of a video before it decides; "
                "a stream takes 'temporal' or 'slow-fast'"
            )
        self._places = None if grid is None else grid[0] * grid[1]
        self.frames_in = 0
        """Frames that were pushed."""
        self.tokens_out = 0
        """Tokens that were kept of them."""
        self._like: Tensor | None = None
        """The features of a frame, without any."""
        self._latest_seconds = float("-inf")
        self._is_finished = False

    @property
    def limitation(self) -> str | None:
        """Why what is kept of a stream of real pictures means nothing; None where it does."""
        return self.strategy.limitation("this stream")

    def push(
        self,
        features: Tensor,
        pts_seconds: float,
        live: Tensor | None = None,
        *,
        signals: Mapping[str, Tensor] | None = None,
    ) -> StreamedTokens:
        """Returns what is kept of the next frame, or of the segment that it closes.

        Args:
            features: tokens of the frame `(N, D)`, floating point, all frames alike. They are
                copied as far as they are needed later.
            pts_seconds: its time, not before that of the frame before.
            live: tokens that take part, bool `(N,)`; None for all.
            signals: what the strategy needs besides (`strategy.required_signals`), by name, each
                `(N, ...)`, such as `pre_projector`.

        Raises:
            InvalidTokensError: a frame of another shape or device, a feature that is not finite, a
                time that goes back, or a stream that has ended. The stream goes on without it.
            MissingSignalError: the strategy needs a signal that is not among `signals`.
        """
        pts_seconds = self._check(features, pts_seconds, live)
        streamed = self._rule.push(
            StreamFrame(
                features=features,
                pts_seconds=pts_seconds,
                number=self.frames_in,
                live=live,
                signals=signals or {},
            )
        )
        # A view would hold the memory of the frame.
        self._like = features.new_empty(0, features.shape[1])
        self._places = len(features)
        self._latest_seconds = pts_seconds
        self.frames_in += 1
        self.tokens_out += len(streamed.features)
        return streamed

    def finish(self) -> StreamedTokens | None:
        """Returns the tokens of the last segment, and ends the stream; None where there are none.

        A strategy that decides on each frame at once has none left.

        Raises:
            InvalidTokensError: the stream has ended before.
        """
        self._check_goes_on()
        streamed = self._rule.finish()
        self._is_finished = True
        self.tokens_out += 0 if streamed is None else len(streamed.features)
        return streamed

    def _check_goes_on(self) -> None:
        if self._is_finished:
            raise InvalidTokensError(
                f"the stream ended after {self.frames_in} frames; start another one"
            )

    def _check(self, features: Tensor, pts_seconds: float, live: Tensor | None) -> float:
        """Returns the time of a frame that fits to those before it."""
        self._check_goes_on()
        for name, given in (("features", features), ("live", live)):
            if not isinstance(given, Tensor) and (name == "features" or given is not None):
                raise InvalidTokensError(f"{name} of a frame must be a tensor, got {shown(given)}")
        try:
            seconds = float(pts_seconds)
        except (TypeError, ValueError):
            seconds = float("nan")
        if features.ndim != 2 or not features.numel() or not features.is_floating_point():
            raise InvalidTokensError(
                f"features of a frame must be floating point (N, D) with N >= 1 and D >= 1, got "
                f"{features.dtype} {tuple(features.shape)}"
            )
        self._check_alike(features)
        fitting = features.shape[:1], torch.bool, features.device
        if live is not None and (live.shape, live.dtype, live.device) != fitting:
            raise InvalidTokensError(
                f"live must be {torch.bool} ({len(features)},) on {features.device}, got "
                f"{live.dtype} {tuple(live.shape)} on {live.device}"
            )
        if not self._latest_seconds <= seconds < float("inf"):
            raise InvalidTokensError(
                f"frame {self.frames_in} is at {shown(pts_seconds)} s, and must not come before "
                f"{self._latest_seconds} s, the frame before it"
            )
        if not bool(torch.stack(features.aminmax()).isfinite().all()):
            place = int((~features.isfinite()).any(1).nonzero()[0])
            raise InvalidTokensError(
                f"features must be finite numbers, and patch {place} of frame {self.frames_in} "
                "holds one that is not; encode in float32 or bfloat16"
            )
        return seconds

    def _check_alike(self, features: Tensor) -> None:
        """Makes sure of the shape, dtype and device of the frames before, and of the grid."""
        if self._like is None:
            if self._places not in (None, len(features)):
                raise InvalidTokensError(
                    f"frame 0 has {len(features)} tokens, and the grid {self._places}; give the "
                    "grid=(h, w) of these frames"
                )
            return
        before = (self._places, *self._like.shape[1:])
        if features.shape != before or features.device != self._like.device:
            raise InvalidTokensError(
                f"frame {self.frames_in} has {tuple(features.shape)} features on {features.device},"
                f" the frames before {before} on {self._like.device}; start another stream"
            )
        if features.dtype != self._like.dtype:
            raise InvalidTokensError(
                f"frame {self.frames_in} has {features.dtype} features, the frames before "
                f"{self._like.dtype}; start another stream"
            )


def _check_segments(strategy: SlowFast, threshold: float | None, encoder: Encoder | None) -> None:
    """Refuses what does not go with segments."""
    if threshold is not None:
        raise InvalidOptionError(
            f"threshold={threshold!r} is for 'temporal', and {strategy.spec!r} compares nothing; "
            "leave it out"
        )
    if strategy.needs_projector and encoder is None:
        raise InvalidOptionError(
            f"strategy {strategy.spec!r} merges tokens before a vision LLM's projector; pass "
            "encoder=vlm.encoder, or take stage='post'"
        )
    if (trained_for := strategy.trained_for) is None:
        return
    if encoder is None:
        raise InvalidOptionError(
            f"the network of strategy {strategy.spec!r} reads tokens of one vision LLM alone; "
            "pass encoder=vlm.encoder"
        )
    if encoder.weights != trained_for:
        raise InvalidOptionError(
            f"the network of strategy {strategy.spec!r} reads tokens of the checkpoint "
            f"{trained_for}, and {encoder.spec!r} makes those of "
            f"{encoder.weights or 'no vision LLM'}; take the encoder of the vision LLM that it was "
            "trained with"
        )


def _grid(
    strategy: SlowFast, grid: tuple[int, int] | None, encoder: Encoder | None
) -> tuple[int, int]:
    """Returns the patch grid of the frames."""
    if grid is None and encoder is not None:
        return encoder.grid
    if grid is None:
        raise InvalidOptionError(
            f"strategy {strategy.spec!r} works on the patch grid of the frames; pass grid=(h, w), "
            "or encoder= for its own"
        )
    if not isinstance(grid, Sequence) or isinstance(grid, str) or len(grid) != 2:
        raise InvalidOptionError(f"grid={shown(grid)} must be two whole numbers (h, w)")
    return whole("grid[0]", grid[0]), whole("grid[1]", grid[1])
