"""One HTML page that shows what was kept of a video, without network or other files.

Its one script, which is there where the page has a transcript, searches the lines of it; the page's
own policy lets no other run.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from framesift.disk.writing import write_atomically
from framesift.report.environment import FIGURES, FRAME_PX, environment
from framesift.report.figures import frame_figures, segment_figures
from framesift.report.score_curve import ScoreCurve
from framesift.report.timeline import timeline
from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe
from framesift.types.frames import Frames
from framesift.types.selection import SelectionReport
from framesift.types.transcript import Transcript

MOST_FRAMES: Final = 120


def write_report(
    path: str | os.PathLike[str],
    *,
    video: CompressedVideo,
    frames: Frames,
    keyframes: Sequence[Keyframe],
    selection: SelectionReport | None = None,
    transcript: Transcript | None = None,
    title: str | None = None,
) -> None:
    """Writes the page about `video` to `path`, whole or not at all.

    Args:
        path: the HTML file; missing folders are made, an older file is replaced.
        video: what was kept, and the report about it.
        frames: pictures of the sampled frames, or of some of them, matched by time.
        keyframes: shown first, and marked among the frames.
        selection: how frames were chosen, whose scores are drawn where all candidates have one.
        transcript: what was read in the video, shown with a box that searches it.
        title: heading of the page; None takes the file name out of the URI.

    Raises:
        ValueError: `frames` is empty, or times and plan of `video` disagree.
    """
    page = _environment(video).get_template("report.html.j2")
    line = timeline(video)
    ends = line.start_seconds, line.end_seconds
    curve = None if selection is None else ScoreCurve.of(selection, *ends)
    figures = frame_figures(video, frames, keyframes, limit=MOST_FRAMES, size_px=FRAME_PX)
    html = page.render(
        title=title or _name(video.report.uri),
        report=video.report,
        outcome=_outcome(video.report),
        line=line,
        selection=selection,
        curve=curve,
        transcript=transcript if transcript is not None and transcript.lines else None,
        keyframes=keyframes,
        figures=figures,
        segments=segment_figures(video, figures),
        frames_used=int(video.plan.used.view(len(video.frame_seconds), -1).any(1).sum()),
        merging=not video.plan.is_pruning,
    )
    write_atomically(path, html.encode(errors="backslashreplace"))


def _environment(video: CompressedVideo) -> Environment:
    made = environment(video)
    script = FIGURES.get_source(made, "search.js")[0]
    made.globals |= {
        "search_script": Markup(script),
        "search_sha256": b64encode(sha256(script.encode()).digest()).decode(),
    }
    return made


def _name(uri: str) -> str:
    name = PurePosixPath(uri.partition("?")[0]).name
    return name if "." in name else uri


def _outcome(report: CompressionReport) -> str:
    """Returns how the budget was met, for a reader."""
    spare = report.budget - report.tokens_out
    if spare == 0:
        return "met exactly"
    return f"{spare:,} below the budget" if spare > 0 else f"{-spare:,} over the budget"
