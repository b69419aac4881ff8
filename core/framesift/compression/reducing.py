"""From all visual tokens of a video to those that survive, with the report about them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Final

import torch
from torch import Tensor

from framesift.compression.encoding import EncodedVideo
from framesift.compression.text_places import TEXT
from framesift.decoders.sampling import covered
from framesift.encoders.base import Encoder
from framesift.errors import InvalidOptionError, MissingSignalError
from framesift.run import Run
from framesift.strategies.base import Strategy
from framesift.types.budget import Budget
from framesift.types.compressed import CompressedVideo, CompressionReport
from framesift.types.device import device_errors
from framesift.types.options import shown
from framesift.types.plan import TokenPlan
from framesift.types.question import check_question
from framesift.types.segments import SegmentTokens
from framesift.types.tokens import VideoTokens
from framesift.types.video import VideoInfo
from framesift.vlms.origin import maker_of

ENTRIES: Final = 2**18
"""Entries of a plan whose places and times are looked up at a time."""
FEWEST_CHANNELS: Final = 16
"""Channels that tokens have at least, where the encoder does not say how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """Which tokens of a video survive."""

    strategy: Strategy
    encoder: Encoder
    budget: Budget
    compares_question: bool
    """Whether the tokens are compared with the question before the strategy plans."""

    @property
    def signals(self) -> frozenset[str]:
        """The signals that the encoder fills for the strategy, and no others."""
        return self.strategy.required_signals & self.encoder.gives

    def check(self, question: str | None) -> None:
        """Refuses what would be of no use, before anything is fetched.

        Raises:
            InvalidOptionError: tokens are compared with a question and there is none, or the
                strategy's network was trained on tokens of another encoder.
        """
        self.strategy.check_within()
        trained_for = self.strategy.trained_for
        if trained_for is not None and trained_for != self.encoder.weights:
            name = self.strategy.trained_with
            known = "" if name is None else f" (vlm={shown(maker_of(name))} or --vlm)"
            raise InvalidOptionError(
                f"the network of strategy {self.strategy.spec!r} reads tokens of the checkpoint "
                f"{trained_for}, and {self.encoder.spec!r} makes those of "
                f"{self.encoder.weights or 'no vision LLM'}; take the vision LLM that it was "
                f"trained with{known}, a strategy without a network, or train one for this model: "
                "framesift train time-perceiver"
            )
        if not self.compares_question:
            return
        if question is None:
            raise InvalidOptionError(
                f"strategy {self.strategy.spec!r} keeps the tokens that resemble a question, and "
                "none was given; pass question=, or take another strategy",
                to_caller=f"strategy {self.strategy.spec!r} keeps the tokens that resemble a "
                "question, and none was given; give a question, or take another strategy",
            )
        check_question(question)

    def check_time(self, info: VideoInfo, frames: int) -> None:
        """Refuses before decoding what could not be planned within a time limit.

        Raises:
            PlanTooLongError: the plan for so many frames surely takes longer than is left.
        """
        encoder = self.encoder.fitted(info, frames)
        steps, (height, width) = encoder.steps(frames), encoder.grid
        budget = self.budget.tokens(steps * height * width)
        channels = encoder.channels or FEWEST_CHANNELS
        self.strategy.check_time(steps, height * width, channels, budget)

    def reduce(self, video: EncodedVideo, question: str | None, run: Run) -> CompressedVideo:
        """Returns exactly the budgeted tokens of a video that `encoder` made the tokens of.

        Raises:
            InvalidOptionError: another encoder made them, or they are compared with a question and
                there is none.
            MissingSignalError: they were encoded without a signal that the strategy needs.
        """
        self.check(question)
        if video.encoded.encoder != self.encoder:
            raise InvalidOptionError(
                f"the tokens of {video.local.uri!r} are made by {video.encoded.encoder.spec!r}, "
                f"not by {self.encoder.spec!r}; encode the video with this configuration"
            )
        tokens = video.tokens
        needed = self.signals | (self.strategy.required_signals & {TEXT})
        if missing := sorted(needed - tokens.signals.present().keys()):
            raise MissingSignalError(
                f"strategy {self.strategy.spec!r} needs {', '.join(missing)}, and "
                f"{video.local.uri!r} was encoded without; encode it with signals=None, or with "
                "all that the strategy needs"
            )
        budget = self.budget.tokens(video.encoded.tokens_in)
        with device_errors(
            tokens.features.device,
            f"planning {tokens.count} tokens by {self.strategy.spec!r}",
            f"at most half as many frames fit: max_frames={max(1, tokens.frame_count // 2)}",
        ):
            plan = self._plan(video, budget, question, run)
            segments = self.strategy.segment_tokens(tokens, plan)
        self._note_layout(tokens, budget, plan, segments, run)
        with (
            run.timed("apply"),
            device_errors(
                tokens.features.device,
                f"{plan.num_out} kept tokens beside {tokens.count}",
                f"less fits: keep={plan.num_out / tokens.count / 2:.2g}",
            ),
        ):
            fields = applied(tokens, plan, self._features(video, plan, run))
            if video.gate is not None:
                plan, encoded_seconds = fields["plan"], video.encoded.encoded_seconds
                fields["encoded_seconds"] = plan.mean(
                    encoded_seconds.flatten()[plan.src][:, None]
                ).flatten()
        report = self._report(video, fields["plan"], segments, question, run)
        return CompressedVideo(report=report, **fields)

    def _plan(self, video: EncodedVideo, budget: int, question: str | None, run: Run) -> TokenPlan:
        tokens = self._ranked(video, run) if self.strategy.reads_ranks else video.tokens
        if question is not None and self.compares_question:
            with run.timed("question"):
                tokens = self.encoder.asked(tokens, question)
        with run.timed("plan"):
            return self.strategy.plan(tokens, budget, question)

    def _note_layout(
        self,
        tokens: VideoTokens,
        budget: int,
        plan: TokenPlan,
        segments: list[SegmentTokens] | None,
        run: Run,
    ) -> None:
        """Warns where more budget would have shown more."""
        if plan.num_out >= min(budget, tokens.live_count):
            return
        shown_frames = sum(each.frames for each in segments or [])
        if shown_frames != int(tokens.live.any(1).sum()):
            run.warn(
                f"strategy {self.strategy.spec!r} gives {plan.num_out} tokens, those of its "
                f"largest layout within the budget of {budget}"
            )

    def _features(self, video: EncodedVideo, plan: TokenPlan, run: Run) -> Tensor:
        if (limitation := self.strategy.limitation(video.local.uri)) is not None:
            run.warn(limitation)
        return self.strategy.features(video.tokens, plan, self.encoder.project)

    def _ranked(self, video: EncodedVideo, run: Run) -> VideoTokens:
        """Returns the tokens with the places of their frames in the order of the selector."""
        tokens, selection = video.tokens, video.selection
        if selection is None or selection.ranks is None:
            about = "none has chosen any"
            if selection is not None:
                about = f"{selection.selector!r} chooses without an order"
            run.warn(
                f"strategy {self.strategy.spec!r} goes by the order in which a selector chose the "
                f"frames, and {about}: some that are spread over the video come first; take "
                "max_frames= and a selector that ranks, such as 'dpp'"
            )
            return tokens
        picked = torch.tensor(selection.picked_seconds, dtype=torch.float64)
        each = tokens.pts_seconds[:, None] if tokens.step_seconds is None else tokens.step_seconds
        nearest = (each.double()[..., None] - picked).abs().argmin(-1)
        ranks = torch.tensor(selection.ranks)[nearest].amin(1, keepdim=True)
        rank = ranks.to(tokens.features.device).expand(tokens.features.shape[:2])
        return replace(tokens, signals=replace(tokens.signals, frame_rank=rank))

    def _report(
        self,
        video: EncodedVideo,
        plan: TokenPlan,
        segments: list[SegmentTokens] | None,
        question: str | None,
        run: Run,
    ) -> CompressionReport:
        tokens, info, part_seconds = video.tokens, video.index.info, video.local.part_seconds
        per_frame, views = plan.frame_counts().tolist(), video.encoded.views
        return CompressionReport(
            uri=video.local.uri,
            part_seconds=None if part_seconds is None else covered(info, part_seconds),
            duration_seconds=info.duration_seconds,
            tokens_in=video.encoded.tokens_in,
            tokens_out=plan.num_out,
            frames_in=tokens.frame_count,
            frames_encoded=int(video.encoded.encoded.any(1).sum()),
            tokens_encoded=int(video.encoded.encoded.sum()),
            frames_out=sum(count > 0 for count in per_frame),
            budget=self.budget.tokens(video.encoded.tokens_in),
            keep=self.budget.keep,
            max_tokens=self.budget.max_tokens,
            strategy=self.strategy.spec,
            encoder=self.encoder.spec,
            weights=self.encoder.weights,
            question=question if self.strategy.is_per_question else None,
            selector=video.selector,
            selection=video.selection,
            decoder=video.decoder,
            fps=video.fps,
            gate=None if video.gate is None else video.gate.levels,
            still=None if video.gate is None else video.gate.still,
            resized_by=video.resized_by,
            grid=tokens.grid,
            region=self.encoder.fitted(info).region(info),
            picture_px=None if views is None else (info.height_px, info.width_px),
            views=views,
            segments=segments,
            tokens_per_frame_kept=per_frame,
            seconds=run.seconds,
            warnings=run.warnings,
            versions={name: version(name) for name in ("framesift", "torch", "av")},
        )


def applied(tokens: VideoTokens, plan: TokenPlan, features: Tensor) -> dict[str, Any]:
    """Returns the fields of a `CompressedVideo` that a plan makes of tokens, the plan among them.

    Tokens stay on their device. Plan, positions and times go to the CPU, once.

    Args:
        tokens: all of them.
        plan: what becomes of them.
        features: what the outputs hold, `(M, D)`.
    """
    layers, step_seconds = tokens.layers, tokens.step_seconds
    if layers is not None:
        layers = plan.apply(layers.flatten(2)).unflatten(1, layers.shape[2:])
    plan, frame_seconds = plan.cpu(), tokens.pts_seconds.double()
    positions = torch.empty(len(plan.src), 3)
    seconds = torch.empty(len(plan.src), 1, dtype=torch.float64)
    # Some entries at a time: in whole numbers the places of hours are larger than the tokens kept.
    for start in range(0, len(plan.src), ENTRIES):
        own = slice(start, start + ENTRIES)
        frame, patch = (
            plan.src[own] // tokens.tokens_per_frame,
            plan.src[own] % tokens.tokens_per_frame,
        )
        place = [frame, patch // tokens.grid[1], patch % tokens.grid[1]]
        positions[own], seconds[own, 0] = torch.stack(place, dim=1).float(), frame_seconds[frame]
    return {
        "tokens": features,
        "plan": plan,
        "positions": plan.mean(positions),
        # Outputs of one mean time differ in the last bit of their rounded weights.
        "pts_seconds": plan.mean(seconds).flatten().cummax(0).values,
        "frame_seconds": frame_seconds,
        "layers": layers,
        "step_seconds": None if step_seconds is None else step_seconds.double(),
    }
