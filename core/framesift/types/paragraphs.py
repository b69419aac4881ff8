"""Lines of text that stand below each other on a picture, as the paragraphs that they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from framesift.types.video import Region, TimedText

SAME_SECONDS: Final = 0.6
"""By how much times of lines of one paragraph may differ: less than frames at 1 per second do."""
GAP: Final = 0.7
"""Most room between two lines of a paragraph, as a part of the height of the lower one."""
TALLER: Final = 1.6
"""By how much a line may be taller than another one of its paragraph."""
RECENT: Final = 16
"""Paragraphs that a line may go on: text in columns comes in turns."""


def paragraphs(lines: Iterable[TimedText]) -> list[TimedText]:
    """Returns the lines with those that make one paragraph as one, in the order of the first.

    These stand below each other at the same times. Lines without a box stay as they are.

        Why is this video | Input Video
        funny, and who is |
        laughing?         |               ->  "Why is this video funny, and who is laughing?"
    """
    found: list[list[TimedText]] = []
    for line in lines:
        above = next((each for each in reversed(found[-RECENT:]) if _goes_on(each[-1], line)), None)
        if above is None:
            found.append([line])
        else:
            above.append(line)
    return [_joined(each) for each in found]


def _goes_on(above: TimedText, line: TimedText) -> bool:
    if above.box is None or line.box is None or above.source != line.source:
        return False
    first, second = above.stretches, line.stretches
    if len(first) != len(second):
        return False
    times = zip(sum(first, ()), sum(second, ()), strict=True)
    if any(abs(a - b) > SAME_SECONDS for a, b in times):
        return False
    (left, top, right, bottom), (x0, y0, x1, y1) = above.box, line.box
    height, before = y1 - y0, bottom - top
    below = -GAP * height < y0 - bottom < GAP * height and y0 > top
    alike = height < TALLER * before and before < TALLER * height
    return below and alike and x0 < right and left < x1


def _joined(lines: list[TimedText]) -> TimedText:
    if len(lines) == 1:
        return lines[0]
    sure = [line.confidence for line in lines if line.confidence is not None]
    boxes = [line.box for line in lines if line.box is not None]
    return replace(
        lines[0],
        text=" ".join(line.text for line in lines),
        box=_around(boxes),
        confidence=min(sure, default=None),
    )


def _around(boxes: list[Region]) -> Region:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)
