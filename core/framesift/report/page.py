"""One HTML page that shows what was kept of a video, without network or other files.

Its one script, which is there where the page has a transcript, searches the lines of it; the page's
own policy lets no other run.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from framesift.disk.writing import write_atomically
from framesift.report.figures import frame_figures, segment_figures, shrunk
from framesift.report.score_curve import ScoreCurve
from framesift.report.timeline import moment_decimals, timeline
from framesift.types.clock import clock
from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe, jpeg_url
from framesift.types.frames import Frames
from framesift.types.selection import SelectionReport
from framesift.types.transcript import Transcript

MOST_FRAMES: Final = 120
FRAME_PX: Final = 400
LOST_PX: Final = 160
KEYFRAME_PX: Final = 640


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
    loader = PackageLoader("framesift.report")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = loader.get_source(environment, "search.js")[0]
    environment.globals |= {
        "FRAME_PX": FRAME_PX,
        "LOST_PX": LOST_PX,
        "KEYFRAME_PX": KEYFRAME_PX,
        "search_script": Markup(script),
        "search_sha256": b64encode(sha256(script.encode()).digest()).decode(),
    }
    environment.filters |= {
        "clock": clock,
        "moment": partial(clock, decimals=moment_decimals(video)),
        "percent": _percent,
        "rate": _rate,
        "picture": _picture,
    }
    return environment


def _name(uri: str) -> str:
    name = PurePosixPath(uri.partition("?")[0]).name
    return name if "." in name else uri


def _outcome(report: CompressionReport) -> str:
    """Returns how the budget was met, for a reader."""
    spare = report.budget - report.tokens_out
    if spare == 0:
        return "met exactly"
    return f"{spare:,} below the budget" if spare > 0 else f"{-spare:,} over the budget"


def _percent(share: float) -> str:
    """Returns a share as per cent with at most three digits, such as `"25 %"` or `"0.42 %"`."""
    return f"{100 * share:.3g} %"


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def _picture(image: Image.Image, size_px: int) -> str:
    """Returns an image as a JPEG data URL whose longest side is at most `size_px`."""
    return jpeg_url(shrunk(image, size_px), quality=82)
