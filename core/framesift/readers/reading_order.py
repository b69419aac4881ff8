"""The order in which a person reads lines of a picture, and the letters of a line.

Boxes are cut at their widest gap, across or down, and each side again, until none is left to cut:
columns stay together, and a heading stands before the columns below it.

    A heading over both        1
    left one     right one     2  4
    left two     right two     3  5
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[np.float64]
"""Sides `(x0, y0, x1, y1)` of boxes, `(N, 4)`."""

LEAST_GUTTER: Final = 1.0
"""Space between columns, in line heights; less separates words of one line."""
MIRRORED: Final = str.maketrans("()[]{}<>«»", ")(][}{><»«")
_KINDS: Final = {
    **{"L": "L", "R": "R", "AL": "R", "EN": "N", "AN": "N"},
    **{"CS": ".", "ES": ".", "ET": "%", "NSM": "m"},
}


def reading_order(boxes: Boxes, *, leftwards: bool = False) -> list[int]:
    """Returns the numbers of boxes as they are read.

    Args:
        boxes: sides of the lines.
        leftwards: whether what stands side by side is read from the right.
    """
    if not len(boxes):
        return []
    height = float(np.median(boxes[:, 3] - boxes[:, 1]))
    order: list[int] = []
    parts = [np.arange(len(boxes))]
    while parts:  # a stack, since thousands of lines may be cut one by one
        part = parts.pop()
        cut = _cut(boxes[part], height) if len(part) > 1 else None
        if cut is None:
            order += [int(part[place]) for place in _by_rows(boxes[part], height, leftwards)]
            continue
        is_first, is_across = cut
        if is_across and leftwards:
            is_first = ~is_first
        parts += [part[~is_first], part[is_first]]
    return order


def is_leftwards(texts: Sequence[str]) -> bool:
    """Returns whether most letters are of a script that is written from right to left."""
    kinds = [_KINDS.get(unicodedata.bidirectional(letter)) for text in texts for letter in text]
    return kinds.count("R") > kinds.count("L")


def logical_order(text: str) -> str:
    """Returns a line in the order in which it is typed, given as it stands from left to right.

    Only letters that are written from right to left are turned, with what stands between them;
    numbers and words of other scripts keep their order.
    """
    leftwards = is_leftwards([text])
    runs: list[tuple[str, str]] = []
    places = zip(_directions(text, leftwards), text, strict=True)
    for direction, letters in groupby(places, key=lambda place: place[0]):
        run = "".join(letter for _, letter in letters)
        turned = "".join(reversed(_clusters(run))).translate(MIRRORED)
        runs.append((direction, turned if direction == "R" else run))
    return "".join(run for _, run in (reversed(runs) if leftwards else runs))


def _directions(text: str, leftwards: bool) -> str:
    """Returns `L` or `R` for each letter, by the main rules of Unicode's UAX 9.

    Signs within a number belong to it, a number behind a word to the word; all others go the way of
    both neighbours, or that of the line.
    """
    kinds = "".join(_KINDS.get(unicodedata.bidirectional(letter), " ") for letter in text)
    kinds = re.sub("(?<=N)[.](?=N)", "N", kinds)
    kinds = re.sub("%+(?=N)|(?<=N)%+", lambda signs: "N" * len(signs[0]), kinds)
    kinds = re.sub("(.)m+", lambda marked: marked[1] * len(marked[0]), kinds)
    kinds = re.sub("[.%m]", " ", kinds)
    inner = "L[LN ]*[LN]" if leftwards else "R[R ]*R"
    kinds = re.sub(inner, lambda run: run[0][0] * len(run[0]), kinds)
    return kinds.replace(" ", "R" if leftwards else "L").replace("N", "L")


def _clusters(text: str) -> list[str]:
    """Returns letters with the marks that stand on them."""
    clusters: list[str] = []
    for letter in text:
        if clusters and unicodedata.combining(letter):
            clusters[-1] += letter
        else:
            clusters.append(letter)
    return clusters


def _cut(boxes: Boxes, height: float) -> tuple[npt.NDArray[np.bool_], bool] | None:
    """Returns which boxes stand before the widest gap, and whether they stand left of it."""
    (wide, x), (tall, y) = (_gap(boxes[:, side], boxes[:, side + 2]) for side in (0, 1))
    if wide >= max(LEAST_GUTTER * height, tall):
        return boxes[:, 2] <= x, True
    return (boxes[:, 3] <= y, False) if tall > 0 else None


def _gap(starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Returns the widest gap that no span reaches into, and where it begins."""
    order = np.argsort(starts, kind="stable")
    reached = np.maximum.accumulate(ends[order])[:-1]
    gaps = starts[order][1:] - reached
    if not len(gaps):
        return 0.0, 0.0
    widest = int(gaps.argmax())
    return float(gaps[widest]), float(reached[widest])


def _by_rows(boxes: Boxes, height: float, leftwards: bool) -> list[int]:
    """Returns boxes that nothing separates: rows by their middles, each from side to side."""
    middles = boxes[:, [1, 3]].mean(1)
    order = np.argsort(middles, kind="stable")
    rows = np.zeros(len(boxes), np.int64)
    rows[order[1:]] = np.cumsum(np.diff(middles[order]) > height / 2)
    order = np.lexsort((-boxes[:, 2] if leftwards else boxes[:, 0], rows))
    return [int(number) for number in order]
