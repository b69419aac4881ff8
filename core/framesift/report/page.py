"""One HTML page that shows what was kept of a video, without network or other files.

Its script plays the clip at times, enlarges frames and searches the transcript; all else is there
without it. The page's own policy lets no other script run.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final, Self

from jinja2 import Environment
from markupsafe import Markup

from framesift.disk.writing import write_atomically
from framesift.errors import FramesiftError
from framesift.report.clip import Clip
from framesift.report.environment import FIGURES, FRAME_PX, environment
from framesift.report.figures import (
    FrameFigure,
    SegmentFigure,
    frame_figures,
    segment_figures,
)
from framesift.report.score_curve import ScoreCurve
from framesift.report.timeline import KeptTimeline, timeline
from framesift.strategies import registry
from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe
from framesift.types.frames import Frames
from framesift.types.selection import SelectionReport
from framesift.types.transcript import Transcript

MOST_FRAMES: Final = 120
STAGES: Final = {
    "fetch": "fetching the video",
    "decode": "decoding it",
    "wait": "waiting for frames that are decoded meanwhile",
    "select": "picking frames",
    "encode": "making tokens",
    "question": "comparing them with the question",
    "plan": "choosing among them",
    "apply": "taking those that are kept",
}
"""What the stages of a report do, in words; any other keeps its name."""


def write_report(
    path: str | os.PathLike[str],
    *,
    video: CompressedVideo,
    frames: Frames,
    keyframes: Sequence[Keyframe],
    selection: SelectionReport | None = None,
    transcript: Transcript | None = None,
    clip: Clip | None = None,
    title: str | None = None,
    others: Sequence[CompressedVideo] = (),
) -> None:
    """Writes the page about `video` to `path`, whole or not at all.

    At most `MOST_FRAMES` frames are shown, those of all strategies together.

    Args:
        path: the HTML file; missing folders are made, an older file is replaced.
        video: what was kept, and the report about it.
        frames: pictures of the sampled frames, or of some of them, matched by time.
        keyframes: shown first, and marked among the frames.
        selection: how frames were chosen, whose scores are drawn where all candidates have one.
        transcript: what was read in the video, shown with a box that searches it.
        clip: what the times of the page play, or why nothing does; None says nothing of it.
        title: heading of the page; None takes the file name out of the URI.
        others: what further strategies kept of the same video, between which the page switches.

    Raises:
        ValueError: `frames` is empty, or times and plan of `video` disagree.
    """
    read = transcript if transcript is not None and transcript.lines else None
    plays = clip is not None and clip.address is not None
    filled = environment(video, plays=plays)
    script = _script(filled, clip=plays, search=read is not None)
    shown = [video, *others]
    limit = frames_of_each(len(shown))
    results = [Result.of(each, frames, keyframes, limit=limit) for each in shown]
    line = results[0].line
    curve = selection and ScoreCurve.of(selection, line.start_seconds, line.end_seconds)
    html = filled.get_template("report.html.j2").render(
        title=title or _name(video.report.uri),
        report=video.report,
        results=results,
        several=len(results) > 1,
        stages=_stages(video.report.seconds),
        elapsed_seconds=results[0].elapsed_seconds,
        clip=clip,
        selection=selection,
        curve=curve,
        transcript=read,
        keyframes=keyframes,
        script=Markup(script),
        script_sha256=b64encode(sha256(script.encode()).digest()).decode(),
    )
    write_atomically(path, html.encode(errors="backslashreplace"))


def frames_of_each(strategies: int) -> int:
    """Returns how many frames the page shows of each strategy, where it has several."""
    return max(1, MOST_FRAMES // strategies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one strategy kept, as its part of the page shows it."""

    report: CompressionReport
    summary: str
    """What the strategy keeps, in a line; empty where it is made of several, or not known here."""
    outcome: str
    """How the budget was met."""
    line: KeptTimeline
    figures: Sequence[FrameFigure]
    segments: Sequence[SegmentFigure] | None
    frames_used: int
    """Frames that a token stands for."""
    merging: bool
    elapsed_seconds: float

    @classmethod
    def of(
        cls, video: CompressedVideo, frames: Frames, keyframes: Sequence[Keyframe], *, limit: int
    ) -> Self:
        """Returns the part of a page about `video`, with at most `limit` frames."""
        figures = frame_figures(video, frames, keyframes, limit=limit, size_px=FRAME_PX)
        return cls(
            report=video.report,
            summary=_summary(video.report.strategy),
            outcome=_outcome(video.report),
            line=timeline(video),
            figures=figures,
            segments=segment_figures(video, figures),
            frames_used=int(video.plan.used.view(len(video.frame_seconds), -1).any(1).sum()),
            merging=not video.plan.is_pruning,
            elapsed_seconds=elapsed(video.report.seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """A row of the table of times."""

    words: str
    seconds: float
    share: float
    """Of the longest stage."""


def elapsed(seconds: Mapping[str, float]) -> float:
    """Returns how long stages took together; what is decoded meanwhile counts as waited for."""
    return sum(took for name, took in seconds.items() if name != "decode" or "wait" not in seconds)


def _stages(seconds: Mapping[str, float]) -> list[StageTime]:
    longest = max(seconds.values(), default=0.0) or 1.0
    return [
        StageTime(words=STAGES.get(name, name), seconds=took, share=took / longest)
        for name, took in seconds.items()
    ]


def _script(filled: Environment, *, clip: bool, search: bool) -> str:
    names = ["page.js", *(["clip.js"] if clip else []), *(["search.js"] if search else [])]
    return "\n".join(FIGURES.get_source(filled, name)[0] for name in names)


def _summary(strategy: str) -> str:
    try:
        return registry.get(strategy.partition(":")[0]).summary
    except FramesiftError:
        return ""


def _name(uri: str) -> str:
    name = PurePosixPath(uri.partition("?")[0]).name
    return name if "." in name else uri


def _outcome(report: CompressionReport) -> str:
    """Returns how the budget was met, for a reader."""
    spare = report.budget - report.tokens_out
    if spare == 0:
        return "met exactly"
    return f"{spare:,} below the budget" if spare > 0 else f"{-spare:,} over the budget"
