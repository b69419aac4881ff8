"""How templates of a page are filled: the figures of one video, its times and numbers."""

from __future__ import annotations

from functools import partial
from typing import Final

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL import Image

from framesift.report.figures import shrunk
from framesift.report.timeline import moment_decimals
from framesift.types.clock import clock
from framesift.types.compressed import CompressedVideo, jpeg_url

FRAME_PX: Final = 400
LOST_PX: Final = 160
KEYFRAME_PX: Final = 640
FIGURES: Final = PackageLoader("framesift.report")
"""The templates of one figure each, and of the report."""


def environment(
    video: CompressedVideo, templates: BaseLoader | None = None, *, plays: bool = False
) -> Environment:
    """Returns what fills templates about `video`: those of the report, and any of another page.

    Args:
        video: tells how finely times have to be written.
        templates: those of the other page, which may include the figures of the report.
        plays: whether the page has the clip, so that times are buttons that play it from there.
    """
    made = Environment(
        loader=ChoiceLoader([loader for loader in (templates, FIGURES) if loader]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "FRAME_PX": FRAME_PX,
        "LOST_PX": LOST_PX,
        "KEYFRAME_PX": KEYFRAME_PX,
        "plays": plays,
    }
    made.filters |= {
        "clock": clock,
        "moment": partial(clock, decimals=moment_decimals(video)),
        "length_in_words": _length,
        "percent": _percent,
        "rate": _rate,
        "picture": _picture,
    }
    return made


def _percent(share: float) -> str:
    """Returns a share as per cent with at most three digits, such as `"25 %"` or `"0.42 %"`."""
    return f"{100 * share:.3g} %"


def _length(seconds: float) -> str:
    """Returns how long a video is, such as `"8 s"`, `"2 min 05 s"` or `"1 h 02 min"`."""
    whole = round(seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole // 60 % 60:02d} min"


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def _picture(image: Image.Image, size_px: int) -> str:
    """Returns an image as a JPEG data URL whose longest side is at most `size_px`."""
    return jpeg_url(shrunk(image, size_px), quality=82)
