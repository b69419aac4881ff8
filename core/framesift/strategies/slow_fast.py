"""Shows one key frame of each segment in detail, and the segment's motion on a coarse grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from framesift.errors import InvalidOptionError, InvalidTokensError
from framesift.nn.time_perceiver_files import Stage, TimePerceiverCard, read_filling_card
from framesift.strategies import _ops, _pooling
from framesift.strategies._filled_cells import FilledCells
from framesift.strategies._key_frames import informative
from framesift.strategies._slow_fast_filling import computed, finite, loaded, place_of, projected
from framesift.strategies._slow_fast_presets import SEGMENTS, Preset, preset_grids
from framesift.strategies.base import Project, Strategy
from framesift.strategies.slow_fast_layout import (
    Remainder,
    SlowFastLayout,
    SlowFastRows,
)
from framesift.types.options import Count, Reaches
from framesift.types.plan import TokenPlan
from framesift.types.segments import SegmentTokens
from framesift.types.text import shown_address
from framesift.types.tokens import VideoTokens


@dataclass(frozen=True, kw_only=True)
class SlowFast(Strategy):
    """Cuts the video in segments: of each, one key frame in detail and few temporal tokens.

    With 28 x 28 patches, a segment of four frames is 14 x 14 tokens of its first frame, then
    7 x 7 tokens of the others together: 61.25 tokens a frame instead of 784. The number of tokens
    is that of the most evenly spaced frames whose layout fits the budget. A budget below one key
    frame shows the middle frame, on the largest grid that fits. A grid that does not divide has
    windows that overlap by one place. Where all tokens fit the budget, all stay as they are.

    `filling=pooled` needs no weights: temporal tokens are means over windows of the frames of
    their segment. This is an untrained approximation: a model that never saw such tokens may read
    them badly. Clapper computes them by a network. One that was trained for a vision LLM
    (`framesift train time-perceiver`) is named by its folder or hub id, and comes with its grids;
    the plan then says which tokens each output stands for, not what it holds.

    Differences from the published layouts:

    - Tokens are in the order of their mean time. So slow tokens of `slowfast-llava` stand at their
      frame, among its fast ones, and not before all of these.
    - `slowfast-llava` averages two patches of a row; the release takes the larger value of two in
      raster order, which may be in different rows.
    - `llava-video` averages all patches of a window; the release interpolates, from at most four of
      them, and ends each frame with a token that is learned.
    - Masked tokens take no part, a cell of nothing else gives no token, and a frame of nothing
      else is not one of the frames. With `key=informative`, the fullest frame of each segment
      counts for the budget beside them, so that some of it may be left.
    """

    summary: ClassVar[str] = "key frames in detail, motion between them on a coarse grid"
    paper: ClassVar[str] = "https://arxiv.org/abs/2505.15529"
    cost: ClassVar[str] = "O(T N)"
    structural: ClassVar[bool] = True

    layout: Preset = "clapper"
    """Which public layout: `clapper` has temporal tokens for each segment, the other two have some
    for each frame. `llava-video` shows every tenth frame in detail, `slowfast-llava` every fifth,
    with half of its columns, and all frames on 4 x 4 cells."""
    filling: Annotated[str, Reaches(shipped=("pooled", "tiny"))] = "pooled"
    """What temporal tokens hold: means (`pooled`, untrained), or what a network computes: `tiny`,
    which comes along for the tiny model, or one in a folder or at a hub id."""
    segment: Count | None = None
    """Frames of a segment: with None the 4, 5 or 10 of the layout, or what the network takes."""
    key_stride: Count | None = None
    """Patches a side of a cell of a key frame: with None 1 on grids of at most 16 a side, else 2.
    """
    time_stride: Count | None = None
    """Patches a side of a cell of temporal tokens: with None twice `key_stride`."""
    key: Literal["first", "informative"] = "first"
    """The key frame of a segment: its first one, or the one that departs most from the mean of the
    segment, which the temporal tokens say least about. The tiny model answers as well with both."""
    remainder: Remainder = "key_only"
    """How `clapper` shows a single frame behind the last segment: as a key frame alone, with
    temporal tokens of its own (`repeat`), or within the segment before it (`merge`)."""
    include_key: bool | None = None
    """Whether key frames count in the temporal tokens, too: with None in `slowfast-llava` alone, or
    as the network was trained. Clapper probably counts them; means are read as well without."""
    stage: Stage | None = None
    """Whether tokens are merged before (`pre`) a vision LLM's projector or behind it (`post`): with
    None behind it, or as the network was trained."""

    def __post_init__(self) -> None:
        self._check_filling()
        if self.layout != "clapper" and self.remainder != "key_only":
            raise InvalidOptionError(
                f"remainder={self.remainder!r} is for temporal tokens of whole segments, and "
                f"layout={self.layout!r} has some for each frame; leave it out, or take "
                "layout='clapper'"
            )

    def _check_filling(self) -> None:
        """Refuses options that a trained network decides."""
        if self.filling == "pooled":
            return
        if self.layout != "clapper":
            raise InvalidOptionError(
                f"layout={self.layout!r} has no network, and filling={self.filling!r} names one; "
                "take layout='clapper', or filling='pooled'"
            )
        for name in ("key_stride", "time_stride", "include_key", "stage"):
            if getattr(self, name) is not None:
                raise InvalidOptionError(
                    f"{name}={getattr(self, name)!r} is decided by the network that "
                    f"filling={self.filling!r} names; leave it out, or take filling='pooled'"
                )

    @cached_property
    def card(self) -> TimePerceiverCard | None:
        """What is known of the network that fills temporal tokens; None for `filling=pooled`.

        Raises:
            ModelError: the folder does not hold one.
            InvalidOptionError: it takes fewer frames than a segment may have.
        """
        if self.filling == "pooled":
            return None
        card = read_filling_card(place_of(self.filling))
        most = (self.segment or card.segment) + (self.remainder == "merge")
        if most > card.perceiver.frames_max:
            about = f"segment={self.segment or card.segment}, remainder={self.remainder!r}"
            raise InvalidOptionError(
                f"{about} makes segments of up to {most} frames, and filling={self.filling!r} "
                f"takes {card.perceiver.frames_max}; take shorter segments or another remainder"
            )
        return card

    @property
    def required_signals(self) -> frozenset[str]:
        """Tokens before the projector, where these are merged."""
        before = self.stage == "pre" or (self.card is not None and self.card.stage == "pre")
        return frozenset({"pre_projector"} if before else set())

    @property
    def trained_for(self) -> str | None:
        """Fingerprint of the checkpoint that the network was trained with."""
        return None if self.card is None else self.card.trained_for.fingerprint

    @property
    def trained_with(self) -> str | None:
        """Spec of the vision LLM that the network was trained with."""
        return None if self.card is None else self.card.trained_for.vlm

    @property
    def computes_features(self) -> bool:
        """Whether a network computes the outputs, or they are means before a projector."""
        return self.trained_for is not None or self.needs_projector

    @property
    def needs_projector(self) -> bool:
        """Whether outputs are means before the vision LLM's projector."""
        return self.stage == "pre"

    def limitation(self, uri: str) -> str | None:
        """Returns why tokens of a video mean nothing: it is unlike all that training has shown."""
        known = None if self.card is None else self.card.trained_on
        if known is None or uri.lower().startswith(known):
            return None
        return (
            f"the network of strategy {self.spec!r} was trained on {known} videos only, so its "
            f"tokens of {shown_address(uri)!r} mean nothing; take filling=pooled, or train one on "
            "your own (framesift train time-perceiver)"
        )

    def layout_on(self, grid: tuple[int, int]) -> SlowFastLayout:
        """Returns the layout on frames of a patch grid `(h, w)`.

        Raises:
            InvalidTokensError: the network was trained on another grid.
        """
        card, include_key = self.card, self.include_key
        if card is None:
            strides = self.key_stride, self.time_stride
            key_grid, time_grid = preset_grids(self.layout, grid, *strides)
            include_key = self.layout == "slowfast-llava" if include_key is None else include_key
        elif grid != card.perceiver.grid:
            raise InvalidTokensError(
                f"filling={self.filling!r} takes frames of {_by(card.perceiver.grid)} tokens, and "
                f"these have {_by(grid)}; use the vision LLM that it was trained with, or "
                "filling=pooled"
            )
        else:
            key_grid, time_grid = card.key_grid, card.perceiver.out_grid
            include_key = card.include_key
        return SlowFastLayout(
            grid=grid,
            key_grid=key_grid,
            time_grid=time_grid,
            segment=self.segment or (SEGMENTS[self.layout] if card is None else card.segment),
            remainder=self.remainder,
            include_key=include_key,
            per_frame=self.layout != "clapper",
        )

    def rows(self, tokens: VideoTokens, frames: Sequence[int]) -> SlowFastRows:
        """Returns the rows of a video of which only some frames are shown.

        Args:
            tokens: all tokens of the video.
            frames: ascending numbers of the frames, each with a live token.
        """
        layout = self.layout_on(tokens.grid)
        keys = None
        if self.key == "informative":
            keys = informative(tokens, frames, layout.sizes(len(frames)))
        return layout.rows(
            layout.segments(frames, keys), tokens.frame_count, tokens.mask, tokens.features.device
        )

    def decide(self, tokens: VideoTokens, budget: int, question: str | None) -> TokenPlan:
        """Returns the plan of the most evenly spaced frames whose layout fits the budget."""
        layout = self.layout_on(tokens.grid)
        if tokens.mask is None:
            shown = list(range(tokens.frame_count))
            count = layout.most_frames(len(shown), budget)
        else:
            live = tokens.mask.cpu()
            shown = live.any(1).nonzero().flatten().tolist()
            count = FilledCells.of(layout, live[shown]).most(
                len(shown),
                budget,
                lambda number: _ops.evenly(len(shown), number).numpy(),
                first_is_key=self.key == "first",
            )
        if count == 0:
            return _pooling.one_frame(tokens, shown[len(shown) // 2], budget)
        return self.rows(tokens, [shown[place] for place in _ops.evenly(len(shown), count)]).plan

    def features(
        self, tokens: VideoTokens, plan: TokenPlan, project: Project | None = None
    ) -> Tensor:
        """Returns what the outputs hold, `(M, D)`: means, or what the network computes.

        Raises:
            InvalidTokensError: the network was trained on tokens of another width.
            MissingSignalError: means before the projector, and no projector to take them.
            ModelError: the network's folder is damaged, or what it makes is not finite.
        """
        values = tokens.features
        if "pre_projector" in self.required_signals:
            values = tokens.signals.present()["pre_projector"]
        if self.card is None:
            means = plan.apply(values)
            return means if values is tokens.features else projected(means, project)
        if values.shape[-1] != self.card.perceiver.width:
            raise InvalidTokensError(
                f"filling={self.filling!r} takes tokens of {self.card.perceiver.width} channels, "
                f"and these have {values.shape[-1]}; use the vision LLM that it was trained with"
            )
        self._networks[:] = [filling := loaded(place_of(self.filling), values)]
        with torch.no_grad():
            if (rows := self._laid_out(tokens, plan)) is None:
                # A plan of all tokens, or of a part of a single frame.
                made = filling.projected(plan.apply(values))
            else:
                made = computed(rows, values, tokens.mask, filling)
        return finite(made, self.filling)

    def segment_tokens(self, tokens: VideoTokens, plan: TokenPlan) -> list[SegmentTokens] | None:
        """Returns what the tokens of each segment stand for; None where no segment is whole."""
        rows = self._laid_out(tokens, plan)
        return None if rows is None else rows.segment_tokens(tokens)

    @cached_property
    def _networks(self) -> list[object]:
        """The network that was used last: it stays loaded for the next video or segment."""
        return []

    def _laid_out(self, tokens: VideoTokens, plan: TokenPlan) -> SlowFastRows | None:
        """Returns the rows of a plan; None where it keeps all tokens, or less than a key frame."""
        used = plan.used.view(tokens.frame_count, -1).any(1)
        rows = self.rows(tokens, used.nonzero().flatten().tolist())
        given = plan.to(rows.plan.src.device)
        same = torch.equal(rows.plan.dst, given.dst) and torch.equal(rows.plan.src, given.src)
        return rows if same else None


def _by(grid: tuple[int, int]) -> str:
    return f"{grid[0]} x {grid[1]}"
