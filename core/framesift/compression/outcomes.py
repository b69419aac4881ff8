"""What the pipeline hands out, made of what its stages found."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from importlib.metadata import version
from itertools import pairwise
from math import inf
from typing import Any, Final

import torch
from PIL import Image

from framesift.compression.colors import standing_out
from framesift.compression.steps import Encoded, Selected, Stages, file_of
from framesift.decoders.base import FrameIndex
from framesift.decoders.sampling import at_times, covered
from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.strategies.base import Strategy
from framesift.types.answer import Segment
from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe
from framesift.types.moment import Moment
from framesift.types.plan import TokenPlan
from framesift.types.video import LocalVideo, TimedText, VideoInfo

ROUNDED_SECONDS: Final = 5e-4
"""By how much the times of segments, which have three decimals, may be early."""


def compressed(
    stages: Stages,
    local: LocalVideo,
    index: FrameIndex,
    encoded: Encoded,
    plan: TokenPlan,
    **asked: Any,
) -> CompressedVideo:
    """Returns what a plan leaves of the tokens, with its report.

    Args:
        stages: what the run took, and what went wrong.
        local: the video.
        index: its frames.
        encoded: the tokens of the sampled frames.
        plan: what survives.
        asked: fields of the report that repeat what was asked for.
    """
    tokens = encoded.tokens
    with stages.timed("apply"):
        kept, layers = plan.apply(tokens.features), tokens.layers
        if layers is not None:
            layers = plan.apply(layers.flatten(2)).unflatten(1, layers.shape[2:])
        frame_seconds = tokens.pts_seconds.double().cpu()
        frame, patch = plan.src // tokens.tokens_per_frame, plan.src % tokens.tokens_per_frame
        place = torch.stack([frame, patch // tokens.grid[1], patch % tokens.grid[1]], dim=1)
        positions = plan.mean(place.float())
        step_seconds = tokens.step_seconds
        pts_seconds = plan.mean(frame_seconds[frame][:, None]).flatten()
    if plan.num_out < min(asked["budget"], tokens.live_count):
        stages.warn(
            f"strategy {asked['strategy']!r} gives {plan.num_out} tokens, those of its largest "
            f"layout within the budget of {asked['budget']}"
        )
    per_frame = plan.frame_counts().tolist()
    report = CompressionReport(
        uri=local.uri,
        duration_seconds=index.info.duration_seconds,
        tokens_in=tokens.count,
        tokens_out=plan.num_out,
        frames_in=tokens.frame_count,
        frames_encoded=encoded.steps_encoded,
        frames_out=sum(count > 0 for count in per_frame),
        grid=tokens.grid,
        tokens_per_frame_kept=per_frame,
        seconds=stages.run.seconds,
        warnings=stages.run.warnings,
        versions={name: version(name) for name in ("framesift", "torch", "av")},
        **asked,
    )
    return CompressedVideo(
        tokens=kept,
        positions=positions,
        pts_seconds=pts_seconds,
        frame_seconds=frame_seconds,
        plan=plan,
        report=report,
        layers=layers,
        step_seconds=None if step_seconds is None else step_seconds.double().cpu(),
    )


def keyframes(
    stages: Stages,
    local: LocalVideo,
    index: FrameIndex,
    selected: Selected,
    max_side_px: int | None = None,
) -> list[Keyframe]:
    """Returns the frames that a selector chose, scaled down where a longest side is given."""
    size_px = None if max_side_px is None else fitted(index.info, max_side_px)
    choice = selected.choice
    why = dict(zip(selected.indices, zip(choice.scores, choice.reasons, strict=True), strict=True))
    return [
        Keyframe(
            image=Image.fromarray(pixels),
            pts_seconds=float(index.pts_seconds[frame]),
            score=why[frame][0],
            reason=why[frame][1],
        )
        for window in stages.frames(file_of(local), selected.indices, size_px)
        for pixels, frame in zip(window.data, window.indices.tolist(), strict=True)
    ]


def covering(local: LocalVideo, info: VideoInfo, frames: Sequence[Keyframe]) -> list[Moment]:
    """Returns stretches that cover what is meant of the video, each around a keyframe of it."""
    middles = [(a.pts_seconds + b.pts_seconds) / 2 for a, b in pairwise(frames)]
    start, end = covered(info, local.part_seconds)
    bounds = pairwise([start, *middles, end])
    is_whole = local.part_seconds is None
    texts = _said(
        local.subtitles, [-inf if is_whole else start, *middles, inf if is_whole else end]
    )
    colors = standing_out([frame.image for frame in frames])
    return [
        Moment(segment=_segment(local, frame, bound, text, names), keyframe=frame)
        for frame, bound, text, names in zip(frames, bounds, texts, colors, strict=True)
    ]


def _said(lines: Sequence[TimedText], edges: Sequence[float]) -> list[str]:
    """Returns what is said between each two edges; a line belongs where its middle is."""
    texts: list[list[str]] = [[] for _ in edges[1:]]
    for line in lines:
        place = bisect_right(edges, (line.start_seconds + line.end_seconds) / 2) - 1
        if 0 <= place < len(texts):
            texts[place].append(line.text)
    return [" ".join(text) for text in texts]


def moments(
    stages: Stages,
    local: LocalVideo,
    index: FrameIndex,
    segments: Sequence[Segment],
    max_side_px: int | None = None,
) -> list[Moment]:
    """Returns each stretch with the frame that stands for it; one that is not readable is left out.

    Args:
        stages: what the run took, and what went wrong.
        local: the video.
        index: its frames.
        segments: stretches of this video, in the order to return them.
        max_side_px: longest side of the pictures; None for the display size.
    """
    # Times of segments are rounded, and a frame is not shown before its own time.
    times = [part.keyframe_seconds + ROUNDED_SECONDS for part in segments]
    shown = [at_times(index, [time])[0] for time in times]
    size_px = None if max_side_px is None else fitted(index.info, max_side_px)
    pictures = {
        number: pixels
        for window in stages.frames(file_of(local), sorted(set(shown)), size_px)
        for pixels, number in zip(window.data, window.indices.tolist(), strict=True)
    }
    return [
        Moment(
            segment=part,
            keyframe=Keyframe(
                image=Image.fromarray(pictures[number]),
                pts_seconds=float(index.pts_seconds[number]),
                score=part.score or 0.0,
                reason=part.reason,
            ),
        )
        for part, number in zip(segments, shown, strict=True)
        if number in pictures
    ]


def fitted(info: VideoInfo, max_side_px: int) -> tuple[int, int]:
    """Returns the display size `(H, W)` scaled down to a longest side."""
    scale = min(1.0, max_side_px / max(info.height_px, info.width_px))
    return max(1, round(info.height_px * scale)), max(1, round(info.width_px * scale))


def missing_line(strategy: Strategy, encoder: Encoder, missing: Sequence[str]) -> str:
    """Returns what to do where an encoder does not give what a strategy needs."""
    givers = [name for name in encoders.names() if encoders.get(name).gives >= set(missing)]
    advice = f"use one that does: {', '.join(givers) or 'none'}"
    if "question_similarity" in missing:
        advice = (
            "pass a vlm and no encoder, or encoder='clip' with the folder or hub id of a whole "
            "CLIPModel and its tokenizer"
        )
    if strategy.applies_to == "inside the LLM":
        advice = f"it works inside the LLM: with vlm.in_llm({strategy.spec!r})"
    return (
        f"strategy {strategy.spec!r} needs {', '.join(missing)}, which encoder {encoder.spec!r} "
        f"does not give; {advice}"
    )


def _segment(
    local: LocalVideo,
    frame: Keyframe,
    bound: tuple[float, float],
    text: str,
    colors: tuple[str, ...],
) -> Segment:
    """Returns the stretch within `bound` seconds."""
    start, end = bound
    seen = max(frame.pts_seconds, start)  # a last picture stays on into further chapters
    chapters = (c for c in local.chapters if c.start_seconds <= seen < c.end_seconds)
    chapter = next(chapters, None)
    return Segment(
        uri=local.uri,
        start_seconds=round(start, 3),
        end_seconds=round(end, 3),
        keyframe_seconds=round(frame.pts_seconds, 3),
        text=text,
        reason=frame.reason,
        title=local.title if chapter is None else chapter.text,
        colors=colors,
    )
