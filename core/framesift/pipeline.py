"""The one way through framesift: a video in, its budgeted tokens and keyframes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image

from framesift.decoders import registry as decoders
from framesift.decoders._sampling import at_fps, at_times
from framesift.decoders.base import Decoder, FrameIndex
from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.errors import BudgetError, MissingSignalError
from framesift.registry import describe
from framesift.selectors import registry as selectors
from framesift.selectors.base import Selector
from framesift.sources.base import FetchLimits
from framesift.stages import Stages, file_of
from framesift.strategies.base import Strategy, create_strategy
from framesift.types.answer import Segment
from framesift.types.budget import Budget
from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe
from framesift.types.frames import Frames
from framesift.types.plan import TokenPlan
from framesift.types.tokens import VideoTokens
from framesift.types.video import LocalVideo, VideoInfo, Warn

SECONDS_PER_SEGMENT = 15.0
"""How much of a video one segment covers on average, unless a count is given."""


@dataclass(frozen=True, kw_only=True)
class VideoCompressor:
    """Keeps what carries information of a video; the instance is the configuration.

    Every part may be given as a spec string such as `"temporal:threshold=0.9"` or as an object.
    """

    strategy: str | Strategy = "temporal"
    """Decides which tokens survive."""
    keep: float = 0.25
    """Fraction of the tokens kept, in (0, 1]."""
    max_tokens: int | None = None
    """Most tokens kept; the smaller of this and `keep` wins."""
    encoder: str | Encoder = "handcrafted"
    """Turns frames into tokens."""
    selector: str | Selector = "keyframes"
    """Picks keyframes, and the frames to encode where `max_frames` is exceeded."""
    max_frames: int | None = None
    """Most frames that are encoded, None for all that were sampled."""
    decoder: str | Decoder = "pyav"
    """Reads the file."""
    fps: float = 1.0
    """Frames sampled per second of video."""
    limits: FetchLimits = field(default_factory=FetchLimits)
    """What a download may cost and where it may go."""

    def __post_init__(self) -> None:
        Budget(keep=self.keep, max_tokens=self.max_tokens)
        if self.max_frames is not None and self.max_frames < 1:
            raise BudgetError(f"max_frames={self.max_frames!r} must be at least 1")
        if missing := sorted(self._strategy.required_signals - self._encoder.gives):
            raise MissingSignalError(self._explain_missing(missing))
        _ = self._selector, self._decoder

    @cached_property
    def _strategy(self) -> Strategy:
        return create_strategy(self.strategy)

    @cached_property
    def _encoder(self) -> Encoder:
        return encoders.create(self.encoder)

    @cached_property
    def _selector(self) -> Selector:
        return selectors.create(self.selector)

    @cached_property
    def _decoder(self) -> Decoder:
        return decoders.create(self.decoder)

    def compress(
        self, video: str | Path | LocalVideo, question: str | None = None
    ) -> CompressedVideo:
        """Returns exactly the budgeted tokens of a video, with their times, places and a report.

        Raises:
            SourceError: the video cannot be fetched.
            DecodeError: the file cannot be decoded.
        """
        stages = Stages(decoder=self._decoder)
        with stages.open(video, self.limits) as local:
            with stages.timed("decode"):
                index = self._decoder.index(file_of(local))
            tokens = self._tokens(stages, local, index, question)
        budget = Budget(keep=self.keep, max_tokens=self.max_tokens).tokens(tokens.count)
        with stages.timed("plan"):
            plan = self._strategy.plan(tokens, budget, question)
        with stages.timed("apply"):
            kept = plan.apply(tokens.features)
            frame_seconds = tokens.pts_seconds.double().cpu()
            frame, patch = plan.src // tokens.tokens_per_frame, plan.src % tokens.tokens_per_frame
            place = torch.stack([frame, patch // tokens.grid[1], patch % tokens.grid[1]], dim=1)
        return CompressedVideo(
            tokens=kept,
            positions=plan.mean(place.float()),
            pts_seconds=plan.mean(frame_seconds[frame][:, None]).flatten(),
            frame_seconds=frame_seconds,
            plan=plan,
            report=self._report(local, index, tokens, plan, budget, stages),
        )

    def keyframes(
        self,
        video: str | Path | LocalVideo,
        count: int = 8,
        question: str | None = None,
        *,
        warn: Warn | None = None,
    ) -> list[Keyframe]:
        """Returns the `count` frames that the selector picks, in time order, at display size.

        Args:
            video: what to look at.
            count: number of frames; all sampled ones are returned where there are fewer.
            question: what the frames should help to answer, for selectors that read it.
            warn: told each thing that went wrong without ending the work; logged by default.

        Raises:
            BudgetError: `count` is below 1.
            SourceError: the video cannot be fetched.
            DecodeError: the file cannot be decoded.
        """
        if count < 1:
            raise BudgetError(f"count={count!r} must be at least 1 frame")
        stages = Stages(decoder=self._decoder, listener=warn)
        with stages.open(video, self.limits) as local:
            path = file_of(local)
            index = self._decoder.index(path)
            sampled = at_fps(index, self.fps)
            selected = stages.select(
                path, index, sampled, selector=self._selector, count=count, question=question
            )
            if len(selected.indices) < count:
                stages.warn(
                    f"{count} keyframes were asked, all {len(selected.indices)} sampled frames "
                    "are kept"
                )
            choice = selected.choice
            why = dict(
                zip(selected.indices, zip(choice.scores, choice.reasons, strict=True), strict=True)
            )
            return [
                Keyframe(
                    image=Image.fromarray(pixels),
                    pts_seconds=float(index.pts_seconds[frame]),
                    score=why[frame][0],
                    reason=why[frame][1],
                )
                for window in stages.frames(path, selected.indices)
                for pixels, frame in zip(window.data, window.indices.tolist(), strict=True)
            ]

    def segments(
        self,
        video: str | Path | LocalVideo,
        question: str | None = None,
        *,
        count: int | None = None,
    ) -> list[Segment]:
        """Returns stretches that cover the video, each with its text and the frame it rests on.

        Args:
            video: what to look at.
            question: what the segments should help to answer, for selectors that read it.
            count: number of segments; one per 15 seconds by default.
        """
        with Stages(decoder=self._decoder).open(video, self.limits) as local:
            info = self._decoder.index(file_of(local)).info
            if count is None:
                count = max(1, round(info.duration_seconds / SECONDS_PER_SEGMENT))
            frames = self.keyframes(local, count, question)
            middles = [(a.pts_seconds + b.pts_seconds) / 2 for a, b in pairwise(frames)]
            end_seconds = info.start_seconds + info.duration_seconds
            bounds = pairwise([info.start_seconds, *middles, end_seconds])
            return [
                _segment(local, frame, start, end)
                for frame, (start, end) in zip(frames, bounds, strict=True)
            ]

    def frames(
        self,
        video: str | Path | LocalVideo,
        times_seconds: Sequence[float] | None = None,
        *,
        max_side_px: int | None = None,
    ) -> Frames:
        """Returns the sampled frames, or those shown at `times_seconds`, all held in memory.

        Args:
            video: what to look at.
            times_seconds: ascending times; None samples at `fps`. A frame comes only once.
            max_side_px: longest side to scale down to; None for the display size.
        """
        stages = Stages(decoder=self._decoder)
        with stages.open(video, self.limits) as local:
            path = file_of(local)
            index = self._decoder.index(path)
            if times_seconds is None:
                wanted = at_fps(index, self.fps)
            else:
                wanted = sorted(set(at_times(index, times_seconds)))
            size_px = None if max_side_px is None else _fitted(index.info, max_side_px)
            return Frames.concatenate(list(stages.frames(path, wanted, size_px)))

    def _tokens(
        self, stages: Stages, local: LocalVideo, index: FrameIndex, question: str | None
    ) -> VideoTokens:
        path, sampled = file_of(local), at_fps(index, self.fps)
        if self.max_frames is None or len(sampled) <= self.max_frames:
            return stages.encode(path, index, sampled, self._encoder).tokens
        selected = stages.select(
            path, index, sampled, selector=self._selector, count=self.max_frames, question=question
        )
        if selected.seen is not None and selected.seen.encoder == self._encoder:
            return selected.seen.frames(selected.indices)
        return stages.encode(path, index, selected.indices, self._encoder).tokens

    def _report(
        self,
        local: LocalVideo,
        index: FrameIndex,
        tokens: VideoTokens,
        plan: TokenPlan,
        budget: int,
        stages: Stages,
    ) -> CompressionReport:
        per_frame = plan.frame_counts().tolist()
        return CompressionReport(
            uri=local.uri,
            duration_seconds=index.info.duration_seconds,
            tokens_in=tokens.count,
            tokens_out=plan.num_out,
            frames_in=tokens.frame_count,
            frames_out=sum(count > 0 for count in per_frame),
            budget=budget,
            keep=self.keep,
            max_tokens=self.max_tokens,
            strategy=self._strategy.spec,
            encoder=describe(self._encoder),
            selector=None if self.max_frames is None else describe(self._selector),
            decoder=describe(self._decoder),
            fps=self.fps,
            grid=tokens.grid,
            tokens_per_frame_kept=per_frame,
            seconds=stages.seconds,
            warnings=stages.warnings,
            versions={name: version(name) for name in ("framesift", "torch", "av")},
        )

    def _explain_missing(self, missing: Sequence[str]) -> str:
        givers = [n for n in encoders.names() if encoders.get(n).gives >= set(missing)]
        return (
            f"strategy {self._strategy.spec!r} needs {', '.join(missing)}, which encoder "
            f"{describe(self._encoder)!r} does not give; use one that does: {', '.join(givers)}"
        )


def _fitted(info: VideoInfo, max_side_px: int) -> tuple[int, int]:
    """Returns the display size `(H, W)` scaled down to a longest side."""
    scale = min(1.0, max_side_px / max(info.height_px, info.width_px))
    return max(1, round(info.height_px * scale)), max(1, round(info.width_px * scale))


def _segment(local: LocalVideo, frame: Keyframe, start: float, end: float) -> Segment:
    """Returns the stretch from `start` to `end` seconds; a line belongs where its middle is."""
    spoken = (t for t in local.subtitles if start <= (t.start_seconds + t.end_seconds) / 2 < end)
    chapters = (c for c in local.chapters if c.start_seconds <= frame.pts_seconds < c.end_seconds)
    chapter = next(chapters, None)
    return Segment(
        uri=local.uri,
        start_seconds=round(start, 3),
        end_seconds=round(end, 3),
        keyframe_seconds=round(frame.pts_seconds, 3),
        text=" ".join(line.text for line in spoken),
        reason=frame.reason,
        title=local.title if chapter is None else chapter.text,
    )
