"""Lines of text in pictures, by RapidOCR: where they stand, what they say and how sure that is.

Lines are looked for in a picture that may be scaled down, and read from the pixels as they were
given: looking costs by the pixel, reading by the letter.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from framesift.readers._rapid_engine import (
    Corners,
    RapidEngine,
    check_language,
    letters_file,
    model_file,
)
from framesift.readers.reading_order import is_leftwards, logical_order, reading_order
from framesift.registry import require
from framesift.types.video import Region

Picture = npt.NDArray[np.uint8]
"""RGB pixels `(H, W, 3)`."""

MOST_WORDS: Final = 2000
"""Words that are read of one picture, unless a caller allows another number."""
LEAST_CONFIDENCE: Final = 0.5
"""Lines below it are mostly not text at all, such as icons and patterns."""
LINES_AT_ONCE: Final = 64
"""Lines of one picture that are read before its words are counted."""
STRIDE_PX: Final = 32
"""Sides that the detector takes are multiples of it."""
BORDER_PX: Final = 16
"""What is added around a picture, since lines at its very sides are overlooked."""
LETTERS_ENOUGH: Final = 8
"""Letters from which on a line is not a pattern that looks like one by chance."""
LETTERS_OF_WORD: Final = 12
"""Letters that count as a word at most, so that text without spaces is bounded, too."""
LEAST_LINE_PX: Final = 2
"""Sides of a line below which nothing can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrLine:
    """A line of text that stands in a picture."""

    text: str
    """As it is typed: text that is written from right to left begins with its first letter."""
    box_px: tuple[float, float, float, float]
    """Sides `(x0, y0, x1, y1)` in pixels of the picture."""
    confidence: float
    """Mean probability of its letters, 0 to 1."""

    def moved(self, right_px: float, down_px: float) -> Self:
        """Returns the line in a picture of which the one that was read is a part."""
        x0, y0, x1, y1 = self.box_px
        box = (x0 + right_px, y0 + down_px, x1 + right_px, y1 + down_px)
        return type(self)(text=self.text, box_px=box, confidence=self.confidence)

    def region(self, size_px: tuple[int, int]) -> Region:
        """Returns the box relative to a picture of `(H, W)` pixels."""
        (height, width), (x0, y0, x1, y1) = size_px, self.box_px
        return x0 / width, y0 / height, min(1.0, x1 / width), min(1.0, y1 / height)


@dataclass(frozen=True, slots=True, kw_only=True)
class OcrPage:
    """What was read in one picture."""

    lines: tuple[OcrLine, ...]
    """In the order in which they are read."""
    lines_left_out: int = 0
    """Lines that were found, but not read, since the picture has too many words."""


class Ocr:
    """Finds and reads lines; one per process and models, for any number of threads."""

    def __init__(self, engine: RapidEngine) -> None:
        self._engine: Final = engine
        self._lock: Final = threading.Lock()

    def read(
        self,
        pictures: Sequence[Picture],
        *,
        scale: float = 1.0,
        most_words: int = MOST_WORDS,
        least_confidence: float = LEAST_CONFIDENCE,
    ) -> list[OcrPage]:
        """Returns what stands in each picture.

        Args:
            pictures: frames or parts of them, of any sizes.
            scale: by which they are scaled before lines are looked for; 0.5 takes a quarter of the
                time, and finds letters of about 10 pixels or more.
            most_words: words to read of a picture; lines that follow are counted only.
            least_confidence: lines that are less sure are dropped, and short ones that are not a
                good deal surer: 0.5 asks 0.92 of a single letter.
        """
        with self._lock:
            found = [self._found(picture, scale) for picture in pictures]
            texts = self._texts(pictures, found, most_words)
        return [
            _page(corners, lines, least_confidence)
            for corners, lines in zip(found, texts, strict=True)
        ]

    def _found(self, picture: Picture, scale: float) -> Corners:
        """Returns the corners of lines, in reading order."""
        height, width = picture.shape[:2]
        size = max(1, round(height * scale)), max(1, round(width * scale))
        scaled: Any = picture
        if size != (height, width):
            scaled = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)
        # Sides are filled up instead of stretched, which would make narrow parts unreadable.
        below, right = (-(side + 2 * BORDER_PX) % STRIDE_PX for side in size)
        border = BORDER_PX, BORDER_PX + below, BORDER_PX, BORDER_PX + right
        padded: Any = cv2.copyMakeBorder(scaled, *border, cv2.BORDER_REPLICATE)
        corners = self._engine.corners(padded) - BORDER_PX
        corners = corners * [width / size[1], height / size[0]]
        corners = np.clip(corners, 0, [width, height]).astype(np.float32)
        corners = corners[(_sizes(corners) >= LEAST_LINE_PX).all(1)]
        return np.take(corners, reading_order(_sides(corners)), axis=0)

    def _texts(
        self, pictures: Sequence[Picture], found: Sequence[Corners], most_words: int
    ) -> list[list[tuple[str, float]]]:
        """Returns text and confidence of the first lines of each picture, all crops in batches."""
        texts: list[list[tuple[str, float]]] = [[] for _ in pictures]
        words = [0] * len(pictures)
        while places := [
            (number, place)
            for number, corners in enumerate(found)
            if words[number] < most_words
            for place in range(len(texts[number]), len(corners))[:LINES_AT_ONCE]
        ]:
            read = self._engine.texts([(pictures[n], found[n][place]) for n, place in places])
            for (number, _), (text, score) in zip(places, read, strict=True):
                if words[number] < most_words:
                    texts[number].append((logical_order(text.strip()), score))
                    words[number] += _words(text)
        return texts


_LOADING: Final = threading.Lock()
_LOADED: Final[dict[tuple[Path, Path, Path | None], Ocr]] = {}


def ocr(models: Path | None = None, language: str | None = None) -> Ocr:
    """Returns the reader of pictures, loaded once per process.

    Args:
        models: a folder with a detector (`*det*.onnx`), a recognizer (`*rec*.onnx`) and its
            letters (`*.txt`), where the recognizer does not hold them; None for those that
            the package brings.
        language: what the text is written in, None for whatever the models read. It is only
            checked, since one model reads all of them; a folder of models reads what it reads.

    Raises:
        MissingDependencyError: RapidOCR or ONNX Runtime is not installed.
        InvalidOptionError: the folder lacks a model, or the models do not read that language.
    """
    rapidocr = require("rapidocr", extra="ocr")
    require("onnxruntime", extra="ocr")
    folder = models or Path(rapidocr.__file__).parent / "models"
    if models is None and language is not None:
        check_language(language)
    files = model_file(folder, "det"), model_file(folder, "rec"), letters_file(models)
    with _LOADING:
        if files not in _LOADED:
            _LOADED[files] = Ocr(RapidEngine(*files))
        return _LOADED[files]


def _page(corners: Corners, texts: Sequence[tuple[str, float]], least_confidence: float) -> OcrPage:
    sides = _sides(corners[: len(texts)])
    kept = [
        number
        for number, (text, score) in enumerate(texts)
        if text and score >= _least(text, least_confidence)
    ]
    if is_leftwards([texts[number][0] for number in kept]):
        kept = [kept[place] for place in reading_order(sides[kept], leftwards=True)]
    lines = [
        OcrLine(
            text=texts[number][0], box_px=tuple(sides[number].tolist()), confidence=texts[number][1]
        )
        for number in kept
    ]
    return OcrPage(lines=tuple(lines), lines_left_out=len(corners) - len(texts))


def _least(text: str, least_confidence: float) -> float:
    """Returns how sure a line must be: all the more, the fewer letters say so by chance."""
    letters = max(1, sum(map(str.isalnum, text)))
    return float(least_confidence ** min(1.0, letters / LETTERS_ENOUGH))


def _words(text: str) -> int:
    """Returns how many words a line holds; some scripts write none of their spaces."""
    return max(len(text.split()), math.ceil(len(text) / LETTERS_OF_WORD))


def _sizes(corners: Corners) -> npt.NDArray[np.float64]:
    """Returns the shorter of the two upper and lower sides, and of the two others, `(N, 2)`."""
    around = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
    return np.asarray(around.reshape(-1, 2, 2).min(1), np.float64)


def _sides(corners: Corners) -> npt.NDArray[np.float64]:
    """Returns the upright boxes around corners, `(N, 4)`."""
    return np.concatenate([corners.min(1), corners.max(1)], axis=1).astype(np.float64)
