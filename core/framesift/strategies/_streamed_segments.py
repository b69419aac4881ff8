"""A stream of frames whose tokens come out segment by segment, as each is closed.

With segments of four frames, the fourth closes one, and its tokens come out at once. If a single
frame at the end is to be merged into the segment before it, that waits for two of the next one:

    remainder     frames   0 1 2 3 4 5 6 7 8 end
    key_only      closed         0       1    2
    merge         closed             0        1, with frame 8 in it
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor

from framesift.errors import BudgetError, InvalidTokensError, MissingSignalError
from framesift.strategies._stream import WINDOW_SECONDS, MinuteBudget, StreamFrame
from framesift.strategies.base import Project
from framesift.strategies.slow_fast import SlowFast
from framesift.types.plan import TokenPlan
from framesift.types.row_order import row_order
from framesift.types.segments import SegmentTokens
from framesift.types.streamed import StreamedSegment, StreamedTokens
from framesift.types.tokens import Signals, VideoTokens

SLACK: Final = 1 / 8
"""Share of the time between two frames by which one may come early, as clocks of videos jitter."""


class ClosedSegments:
    """Holds the frames of one segment, and gives its tokens when it is closed.

    They are the tokens that the strategy makes of the same frames of a whole video whose budget
    has room for all of them.
    """

    def __init__(
        self,
        strategy: SlowFast,
        grid: tuple[int, int],
        project: Project | None,
        minute: MinuteBudget | None,
    ) -> None:
        """Takes the strategy.

        Args:
            strategy: the layout of segments, and what fills their tokens.
            grid: patch grid `(h, w)` of a frame.
            project: the projector of a vision LLM, for a strategy that works before it.
            minute: what any 60 seconds have room for; None for no limit.

        Raises:
            BudgetError: a minute has no room for one segment.
        """
        layout = strategy.layout_on(grid)
        self._strategy, self._grid, self._project = strategy, grid, project
        self._length = layout.segment
        waits = layout.remainder == "merge" and layout.segment > 1
        self._held = HeldFrames(self._length + (2 if waits else 0))
        self._last: StreamFrame | None = None
        """The latest frame that was held, without its tokens."""
        self._minute = minute
        self._pace: Pace | None = None
        if minute is not None:
            each = layout.count(layout.segment)
            if (segments := minute.tokens // each) == 0:
                raise BudgetError(
                    f"tokens_per_minute={minute.tokens} has no room for one segment, which has "
                    f"{each} tokens; allow at least {each}, or take larger strides or other grids"
                )
            self._pace = Pace(segments * layout.segment)

    def push(self, frame: StreamFrame) -> StreamedTokens:
        """Returns the tokens of the segment that a frame closes; none where it closes none.

        A frame that the minute has no room for is left out, as is one without a live token.
        """
        if missing := sorted(self._strategy.required_signals - frame.signals.keys()):
            raise MissingSignalError(
                f"strategy {self._strategy.spec!r} needs {', '.join(missing)} of each frame; pass "
                "signals={'" + missing[0] + "': values (N, ...)} to push"
            )
        is_blank = frame.live is not None and not bool(frame.live.any())
        if is_blank or (self._pace is not None and not self._pace.has_room(frame.pts_seconds)):
            return _nothing(frame)
        self._held.add(frame, self._strategy.required_signals)
        streamed = _nothing(frame)
        self._last = replace(frame, features=streamed.features, live=None, signals={})
        if self._held.is_full:
            try:
                streamed = self._closed(self._length, frame)
            except BaseException:
                self._held.take_back()
                raise
            self._held.leave_out(self._length)
        if self._pace is not None:
            self._pace.take(frame.pts_seconds)
        return streamed

    def finish(self) -> StreamedTokens | None:
        """Returns the tokens of the frames of the last segment; None where there are none.

        Where the minute has not enough room for them, they are those of the strategy's largest
        layout that fits.
        """
        if self._last is None or not self._held.count:
            return None
        streamed = self._closed(self._held.count, self._last)
        self._held.leave_out(self._held.count)
        return streamed if len(streamed.features) else None

    def _closed(self, count: int, frame: StreamFrame) -> StreamedTokens:
        """Returns the tokens of the first `count` frames that are held."""
        tokens = self._held.tokens(count, self._grid)
        rows = self._strategy.rows(tokens, range(count))
        plan, segment = rows.plan, rows.segment_tokens(tokens)[0]
        # Key rows first, then cells in raster order.
        rank = rows.cell - rows.is_key * plan.num_in
        if self._minute is not None and self._minute.left(frame.pts_seconds) < plan.num_out:
            left = self._minute.left(frame.pts_seconds)
            if not left:
                return _nothing(frame)
            plan = self._strategy.plan(tokens, left)
            segment = (self._strategy.segment_tokens(tokens, plan) or [_one_frame(tokens, plan)])[0]
            rank = torch.arange(plan.num_out, device=plan.src.device)
        with torch.no_grad():
            features = self._strategy.features(tokens, plan, self._project)
        frames = self._held.numbers(count)
        order, plan = _in_stream(plan, rank, frames)
        if self._minute is not None:
            self._minute.spend(frame.pts_seconds, plan.num_out)
        return StreamedTokens(
            features=features[order],
            patches=(plan.sources % plan.tokens_per_frame).to(features.device),
            pts_seconds=frame.pts_seconds,
            frame=frame.number,
            segment=StreamedSegment(
                tokens=segment,
                frames=frames,
                frame_seconds=tokens.pts_seconds,
                grid=self._grid,
                plan=plan.cpu(),
            ),
        )


class HeldFrames:
    """The frames of a segment that is not closed yet, copied into tensors that are made once."""

    def __init__(self, most: int) -> None:
        """Makes room for `most` frames when the first one comes."""
        self._most = most
        self._numbers: list[int] = []
        self._seconds: list[float] = []
        self._columns: dict[str, Tensor] = {}
        """Features, live tokens and signals, `(most, N, ...)` each."""
        self._is_masked = False
        """Whether a frame came with tokens that take no part."""

    @property
    def count(self) -> int:
        """Number of frames that are held."""
        return len(self._numbers)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another frame."""
        return self.count == self._most

    def add(self, frame: StreamFrame, signals: Iterable[str]) -> None:
        """Copies the next frame, and these of its signals."""
        given = {"features": frame.features, **{name: frame.signals[name] for name in signals}}
        live = torch.ones_like(frame.features[:, 0], dtype=torch.bool)
        for name, value in (*given.items(), ("live", live)):
            if name not in self._columns:
                # What is made in this mode could not be written to outside of it, as by `finish`.
                with torch.inference_mode(False):
                    self._columns[name] = value.new_empty((self._most, *value.shape))
            if value.shape != self._columns[name].shape[1:]:
                raise InvalidTokensError(
                    f"{name} of frame {frame.number} is {tuple(value.shape)}, of the frames before "
                    f"{tuple(self._columns[name].shape[1:])}; start another stream"
                )
        given["live"] = live if frame.live is None else frame.live
        for name, value in given.items():
            self._columns[name][self.count] = value.detach()
        self._is_masked |= frame.live is not None
        self._numbers.append(frame.number)
        self._seconds.append(frame.pts_seconds)

    def take_back(self) -> None:
        """Forgets the latest frame."""
        self._numbers.pop()
        self._seconds.pop()

    def leave_out(self, count: int) -> None:
        """Forgets the earliest `count` frames."""
        rest = self.count - count
        for column in self._columns.values():
            column[:rest] = column[count : count + rest].clone()
        self._numbers, self._seconds = self._numbers[count:], self._seconds[count:]

    def numbers(self, count: int) -> tuple[int, ...]:
        """Returns the numbers of the earliest `count` frames in the stream."""
        return tuple(self._numbers[:count])

    def tokens(self, count: int, grid: tuple[int, int]) -> VideoTokens:
        """Returns the tokens of the earliest `count` frames, which the next ones overwrite."""
        columns = {name: column[:count] for name, column in self._columns.items()}
        features, live = columns.pop("features"), columns.pop("live")
        return VideoTokens(
            features=features,
            grid=grid,
            pts_seconds=torch.tensor(self._seconds[:count], dtype=torch.float64),
            mask=live if self._is_masked else None,
            signals=Signals(**columns),
        )


class Pace:
    """Spreads the frames that a minute has room for evenly over it."""

    def __init__(self, frames: int) -> None:
        """Takes how many frames any 60 seconds may have."""
        self._most, self._step = frames, WINDOW_SECONDS / frames
        self._due: float | None = None
        """Time of the next frame."""
        self._taken: deque[float] = deque()
        """Times of the frames within the last minute."""

    def has_room(self, pts_seconds: float) -> bool:
        """Returns whether the next frame may be that of a time."""
        while self._taken and self._taken[0] <= pts_seconds - WINDOW_SECONDS:
            self._taken.popleft()
        is_due = self._due is None or pts_seconds >= self._due - SLACK * self._step
        return is_due and len(self._taken) < self._most

    def take(self, pts_seconds: float) -> None:
        """Takes note of a frame."""
        due = pts_seconds if self._due is None else self._due
        self._due = max(due + self._step, pts_seconds + self._step / 2)
        self._taken.append(pts_seconds)


def _one_frame(tokens: VideoTokens, plan: TokenPlan) -> SegmentTokens:
    """Returns what a plan shows that has room for no more than a part of one frame."""
    frame = int(plan.src[0]) // plan.tokens_per_frame
    seconds = float(tokens.pts_seconds[frame])
    return SegmentTokens(
        start_seconds=seconds,
        end_seconds=seconds,
        key_seconds=seconds,
        frames=1,
        key_tokens=plan.num_out,
        temporal_tokens=0,
    )


def _in_stream(plan: TokenPlan, rank: Tensor, frames: Sequence[int]) -> tuple[Tensor, TokenPlan]:
    """Returns a plan of some frames as one of all from the first to the last of them.

    Its rows may be in another order, since frames that were left out change the mean frame of a
    row. So they stand as they do in the plan of a whole video.

    Args:
        plan: of the tokens of these frames.
        rank: what orders rows of one mean frame and one earliest input, int64 `(M,)`.
        frames: their numbers, ascending.

    Returns:
        Which row of the given plan each row is, int64 `(M,)`, and the plan.
    """
    device, patches = plan.src.device, plan.tokens_per_frame
    number = torch.tensor(frames, device=device) - frames[0]
    ranked = torch.argsort(rank, stable=True)
    place = torch.empty_like(ranked).scatter_(0, ranked, torch.arange(len(ranked), device=device))
    entries: dict[str, Any] = {
        "dst": place[plan.dst],
        "src": number[plan.src // patches] * patches + plan.src % patches,
        "weight": plan.weight,
        "num_out": plan.num_out,
        "tokens_per_frame": patches,
    }
    num_in = (frames[-1] - frames[0] + 1) * patches
    return ranked[row_order(**entries)], TokenPlan.from_entries(**entries, num_in=num_in)


def _nothing(frame: StreamFrame) -> StreamedTokens:
    # A view would hold the memory of the frame.
    return StreamedTokens(
        features=frame.features.new_empty(0, frame.features.shape[1]),
        patches=torch.empty(0, dtype=torch.int64, device=frame.features.device),
        pts_seconds=frame.pts_seconds,
        frame=frame.number,
    )
