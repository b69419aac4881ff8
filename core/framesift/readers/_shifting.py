"""How far the content of a picture moved up, down or to a side, found by its strokes."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""RGB pixels `(H, W, 3)`."""

Rows = npt.NDArray[np.float32]
"""How much each row shows in each of its parts, `(H, COLUMNS)`."""

COLUMNS: Final = 24
"""Parts of a row whose strokes are compared."""
STROKES: Final = 1.5
"""Mean step from pixel to pixel, in levels, above which a row shows something."""
SAME: Final = 0.35
"""Difference of two rows, as a share of their strokes, up to which they are the same."""
LEAST_ROWS: Final = 16
"""Rows that must be the same: about one line of text."""
LEAST_SHARE: Final = 0.25
"""Share of the rows that show something which must be the same."""
TRIED: Final = 64
"""Shifts that are compared row by row."""
FRACTIONS: Final = (0.0, -0.125, 0.125, -0.25, 0.25, -0.375, 0.375, -0.5, 0.5)
"""Parts of a pixel that are tried: a page that was scaled down moves by such."""


def shift_between(before: Picture, after: Picture) -> tuple[float, float] | None:
    """Returns how far a picture moved to the right and down, None for neither.

    Args:
        before: a part of a frame.
        after: the same part later.
    """
    old, new = (_gray(picture) for picture in (before, after))
    shifts: list[tuple[float, float]] = []
    if (down := _slide(old, new)) is not None:
        shifts = [(0.0, down + part) for part in FRACTIONS]
    elif (right := _slide(cv2.transpose(old), cv2.transpose(new))) is not None:
        shifts = [(right + part, 0.0) for part in FRACTIONS]
    found = [(cv2.norm(shifted(old, *shift), new, cv2.NORM_L1), shift) for shift in shifts]
    best = min(found, default=(0.0, (0.0, 0.0)))[1]
    return best if max(map(abs, best)) >= 1 else None  # less is a picture that changes


def shifted(picture: Picture, right_px: float, down_px: float) -> Picture:
    """Returns a picture, in colors or gray, that moved; its sides are repeated behind it."""
    matrix = np.array([[1, 0, right_px], [0, 1, down_px]], np.float64)
    size = picture.shape[1], picture.shape[0]
    return np.asarray(
        cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _slide(before: Any, after: Any) -> int | None:
    """Returns by how many rows most of the rows moved down, negative for up; None for neither."""
    old, new = _strokes(before), _strokes(after)
    energy = new.sum(1)
    shows = energy > STROKES * COLUMNS
    height, most, best = len(new), 0, None
    if shows.sum() < LEAST_ROWS:
        return None
    for down in _likely(old, new):
        rows = slice(max(0, down), height + min(0, down))
        there = shows[rows]
        if there.sum() <= most:
            continue
        source = old[max(0, -down) : height - max(0, down)]
        differ = np.abs(new[rows] - source).sum(1)
        same = int((there & (differ < SAME * energy[rows])).sum())
        if same > most:
            most, best = same, down
    return best if most >= max(LEAST_ROWS, LEAST_SHARE * shows.sum()) else None


def _gray(picture: Picture) -> Any:
    return cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)


def _likely(old: Rows, new: Rows) -> list[int]:
    """Returns the shifts, other than none, at which strokes meet most, the smallest first."""
    height = len(new)
    length = 2 * height
    spectra = [np.fft.rfft(rows - rows.mean(0), length, axis=0) for rows in (old, new)]
    meets = np.fft.irfft(spectra[0].conj() * spectra[1], length, axis=0).sum(1)
    most = height - LEAST_ROWS
    shifts = np.concatenate([np.arange(1, most + 1), np.arange(-most, 0)])
    best = shifts[np.argsort(-meets[shifts], kind="stable")[:TRIED]]
    return sorted(map(int, best), key=abs)


def _strokes(gray: Any) -> Rows:
    """Returns the mean step from pixel to pixel in each part of each row."""
    beside = cv2.copyMakeBorder(gray, 0, 0, 0, 1, cv2.BORDER_REPLICATE)
    steps = cv2.absdiff(beside[:, 1:], beside[:, :-1]).astype(np.float32)
    return np.asarray(
        cv2.resize(steps, (COLUMNS, len(steps)), interpolation=cv2.INTER_AREA), np.float32
    )
