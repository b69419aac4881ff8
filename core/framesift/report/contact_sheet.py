"""One PNG with the sampled frames in a grid: dropped patches dimmed, keyframes framed.

Where the strategy works on segments, a line runs below the frames of each: the number at its left
is that of the tokens that show one frame, the one at its right that of the tokens for all of them.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from framesift.disk.writing import write_atomically
from framesift.report.figures import FrameFigure, SegmentFigure, frame_figures, segment_figures
from framesift.report.score_curve import ScoreCurve
from framesift.report.timeline import moment_decimals, timeline
from framesift.types.clock import clock
from framesift.types.compressed import CompressedVideo, Keyframe
from framesift.types.frames import Frames
from framesift.types.selection import SelectionReport

MOST_FRAMES: Final = 60
WIDTH_PX: Final = 2000
LARGEST_CELL_PX: Final = 480
MARGIN_PX: Final = 32
GAP_PX: Final = 16
HEADER_PX: Final = 56
CAPTION_PX: Final = 30
CURVE_PX: Final = 150
"""Height of the curve of scores, with the room above and below it."""
MOST_COLUMNS: Final = 14
ASPECT: Final = 1.5
PAPER, INK, QUIET, MARK = "#11151b", "#e8ecf1", "#93a0b1", "#f2a93b"
LINE, RULE = "#58b2c5", "#2b3440"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def write_contact_sheet(
    path: str | os.PathLike[str],
    *,
    video: CompressedVideo,
    frames: Frames,
    keyframes: Sequence[Keyframe],
    selection: SelectionReport | None = None,
) -> None:
    """Writes the contact sheet to `path`, whole or not at all.

    Args:
        path: the PNG file; missing folders are made, an older file is replaced.
        video: what was kept, and the report about it.
        frames: pictures of the sampled frames, or of some of them, matched by time.
        keyframes: their frames are framed.
        selection: how frames were chosen, whose scores are drawn where all candidates have one.

    Raises:
        ValueError: `frames` is empty, or times and plan of `video` disagree.
    """
    figures = frame_figures(video, frames, keyframes, limit=MOST_FRAMES, size_px=LARGEST_CELL_PX)
    times = [clock(figure.pts_seconds, moment_decimals(video)) for figure in figures]
    line = timeline(video)
    ends = line.start_seconds, line.end_seconds
    curve = None if selection is None else ScoreCurve.of(selection, *ends)
    segments = segment_figures(video, figures)
    sheet = _sheet(figures, times, _headline(video, len(figures)), curve, segments)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG")
    write_atomically(path, buffer.getvalue())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    """Where the cells of a sheet lie."""

    columns: int
    rows: int
    cell_px: tuple[int, int]
    """Width and height of a picture, without its caption."""
    top_px: int
    """Where the pictures begin."""

    @property
    def size_px(self) -> tuple[int, int]:
        width, height = self.cell_px
        return (
            2 * MARGIN_PX + self.columns * (width + GAP_PX) - GAP_PX,
            self.top_px + MARGIN_PX + self.rows * (height + CAPTION_PX + GAP_PX) - GAP_PX,
        )

    def corner(self, place: int) -> tuple[int, int]:
        """Returns the upper left pixel (x, y) of a cell."""
        row, column = divmod(place, self.columns)
        width, height = self.cell_px
        return (
            MARGIN_PX + column * (width + GAP_PX),
            self.top_px + row * (height + CAPTION_PX + GAP_PX),
        )


def _headline(video: CompressedVideo, shown: int) -> str:
    report = video.report
    kept = f"{report.tokens_out:,} of {report.tokens_in:,} tokens kept"
    part = "" if shown == report.frames_in else f"   |   {shown} of {report.frames_in} frames shown"
    if report.picture:
        part = f"   |   {report.frames_in} views"
    elif report.segments is not None:
        part = f"   |   {len(report.segments):,} segments{part}"
    return f"{kept}{part}   |   {report.strategy}"


def _sheet(
    figures: Sequence[FrameFigure],
    times: Sequence[str],
    headline: str,
    curve: ScoreCurve | None,
    segments: Sequence[SegmentFigure] | None,
) -> Image.Image:
    longest = max((len(segment.figures) for segment in segments or ()), default=1)
    grid = _grid(len(figures), *figures[0].image.size, CURVE_PX if curve else 0, longest)
    sheet = Image.new("RGB", grid.size_px, PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(28)
    draw.text((MARGIN_PX, MARGIN_PX), _fitting(headline, font, sheet.width), INK, font)
    if curve:
        _draw_curve(draw, curve, sheet.width)
    for place, (figure, time) in enumerate(zip(figures, times, strict=True)):
        _draw_caption(draw, figure, time, grid.corner(place), grid.cell_px)
        sheet.paste(figure.image.resize(grid.cell_px, Image.Resampling.LANCZOS), grid.corner(place))
    if segments is not None:
        _draw_segments(draw, segments, grid)
    return sheet


def _fitting(text: str, font: Font, width_px: int) -> str:
    """Returns as much of `text` as one line of the sheet holds."""
    room = width_px - 2 * MARGIN_PX
    if font.getlength(text) <= room:
        return text
    short = text
    while short and font.getlength(f"{short}...") > room:
        short = short[:-1]
    return f"{short}..."


def _draw_curve(draw: ImageDraw.ImageDraw, curve: ScoreCurve, width_px: int) -> None:
    """Draws scores over time below the headline, with the picked frames as dots."""
    top, height = MARGIN_PX + HEADER_PX + 8, CURVE_PX - 40

    def spot(x: float, y: float) -> tuple[float, float]:
        across = MARGIN_PX + (width_px - 2 * MARGIN_PX) * x / 100
        return across, top + height * (1 - y / 100)

    draw.line([spot(0, 0), spot(100, 0)], fill=RULE)
    points = [spot(x, y) for x, y in curve.points]
    draw.line(points * (1 if len(points) > 1 else 2), fill=LINE, width=3, joint="curve")
    for pick in curve.picks:
        across, up = spot(pick.x, pick.y)
        draw.line([(across, up), spot(pick.x, 0)], fill=MARK, width=1)
        draw.ellipse([across - 6, up - 6, across + 6, up + 6], fill=MARK)


def _draw_segments(
    draw: ImageDraw.ImageDraw, segments: Sequence[SegmentFigure], grid: _Grid
) -> None:
    """Draws a line below the frames of each segment, and the numbers of its tokens."""
    font, (width, height), place = ImageFont.load_default(18), grid.cell_px, 0
    for tokens, figures in ((segment.tokens, segment.figures) for segment in segments):
        for number, figure in enumerate(figures, start=1):
            left, top = grid.corner(place)
            place += 1
            words = [f"{tokens.key_tokens:,}"] if figure.is_in_detail else []
            if number == len(figures) and tokens.temporal_tokens:
                words.append(f"+ {tokens.temporal_tokens:,}")
            spot = left + width, top + height + 7
            draw.text(spot, " ".join(words), LINE, font, anchor="ra")
            # On to the next frame of the segment, where that stands in the same row.
            gap = GAP_PX if number < len(figures) and place % grid.columns else 0
            down = top + height + CAPTION_PX + 2
            draw.rectangle((left, down, left + width - 1 + gap, down + 2), LINE)


def _grid(count: int, width_px: int, height_px: int, above_px: int, together: int) -> _Grid:
    """Returns the grid of `count` cells that makes a sheet wider than high.

    Rows hold whole segments of `together` frames where they are not too long for that.
    """
    columns = min(count, MOST_COLUMNS, math.ceil(math.sqrt(count * ASPECT * height_px / width_px)))
    if together <= MOST_COLUMNS:
        most = MOST_COLUMNS // together * together
        columns = min(count, most, math.ceil(columns / together) * together)
    room = (WIDTH_PX - 2 * MARGIN_PX + GAP_PX) // columns - GAP_PX
    cell = min(width_px, room)
    height = max(1, round(height_px * cell / width_px))
    return _Grid(
        columns=columns,
        rows=math.ceil(count / columns),
        cell_px=(cell, height),
        top_px=MARGIN_PX + HEADER_PX + above_px,
    )


def _draw_caption(
    draw: ImageDraw.ImageDraw,
    figure: FrameFigure,
    time: str,
    corner: tuple[int, int],
    size: tuple[int, int],
) -> None:
    (left, top), (width, height) = corner, size
    if figure.is_keyframe or figure.is_in_detail:
        box = (left - 4, top - 4, left + width + 3, top + height + 3)
        draw.rectangle(box, outline=MARK if figure.is_keyframe else LINE, width=4)
    font = ImageFont.load_default(18)
    baseline = top + height + 7
    draw.text((left, baseline), time, MARK if figure.is_keyframe else INK, font)
    if figure.segment is None:
        draw.text((left + width, baseline), f"{figure.kept:,}", QUIET, font, anchor="ra")
