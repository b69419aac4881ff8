"""Which words stand where in a picture, and which of them are still read, by RapidOCR."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from framesift.registry import require

Pixels = npt.NDArray[np.uint8]
LEAST_LETTERS: Final = 2
"""Shorter words are too easily read into anything."""
LEAST_SURE: Final = 0.5
WORD_PX: Final = (3, 48, 96)
"""What crops are filled up to, before the recognizer: words are narrower than lines."""
AT_ONCE: Final = 16
ACROSS_PX, ALONG_PX = 1, 2
"""Room around a word, below and above it and at its sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWord:
    """A word that was read at a place of a picture."""

    text: str
    """Its letters and digits, without case."""
    before: str
    """The word before it in its line; empty at the beginning."""
    box_px: tuple[int, int, int, int]
    """Sides `(x0, y0, x1, y1)`, with some room."""

    def crop(self, picture: Pixels) -> Pixels:
        """Returns its pixels in a picture `(H, W, 3)`."""
        x0, y0, x1, y1 = self.box_px
        return picture[y0:y1, x0:x1]


class WordReader:
    """Finds words in whole pictures, and reads them one by one; equal pixels are read once."""

    def __init__(self) -> None:
        """Loads the models that come with the package.

        Raises:
            MissingDependencyError: RapidOCR or ONNX Runtime is not installed.
        """
        rapidocr = require("rapidocr", extra="ocr")
        require("onnxruntime", extra="ocr")
        params = {
            "Global.log_level": "critical",
            "EngineConfig.onnxruntime.intra_op_num_threads": torch.get_num_threads(),
            "Rec.rec_img_shape": list(WORD_PX),
            "Rec.rec_batch_num": AT_ONCE,
        }
        with _silent():
            self._engine: Final[Any] = rapidocr.RapidOCR(params=params)
        self._found: Final[dict[bytes, list[PlacedWord]]] = {}
        self._read: Final[dict[bytes, str]] = {}

    def words(self, picture: Pixels) -> list[PlacedWord]:
        """Returns the words of a picture, RGB `(H, W, 3)`, that are read alone as in their line."""
        key = _key(picture)
        if key not in self._found:
            words = self._all_words(picture)
            read = self.read([word.crop(picture) for word in words])
            self._found[key] = [
                word for word, text in zip(words, read, strict=True) if text == word.text
            ]
        return self._found[key]

    def read(self, crops: Sequence[Pixels]) -> list[str]:
        """Returns what stands in crops of one word each, letters and digits without case."""
        keys = [_key(crop) for crop in crops]
        new = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in self._read}
        if new:
            with _silent():
                texts = self._engine.recognize_txt([_bgr(crop) for crop in new.values()]).txts
            self._read.update(zip(new, map(plain, texts), strict=True))
        return [self._read[key] for key in keys]

    def _all_words(self, picture: Pixels) -> list[PlacedWord]:
        with _silent():  # it warns of every picture without text
            found = self._engine(_bgr(picture), use_cls=False, return_word_box=True)
        words: list[PlacedWord] = []
        if found.boxes is None:
            return words
        for line in found.word_results:
            before = ""
            for text, sure, corners in filter(None, line):  # a line that is not read has ()
                word = plain(text)
                if len(word) >= LEAST_LETTERS and sure >= LEAST_SURE:
                    box = _box(np.asarray(corners), picture.shape)
                    words.append(PlacedWord(text=word, before=before, box_px=box))
                before = word
        return words


@contextmanager
def _silent() -> Iterator[None]:
    """Keeps the engine from writing, and leaves its logger as it was."""
    log = logging.getLogger("RapidOCR")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def plain(text: str) -> str:
    """Returns the letters and digits of a text without case."""
    return re.sub(r"[\W_]+", "", text.casefold())


def _box(corners: npt.NDArray[Any], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    (x0, y0), (x1, y1) = corners.min(0), corners.max(0)
    height, width, _ = shape
    return (
        max(0, int(x0) - ALONG_PX),
        max(0, int(y0) - ACROSS_PX),
        min(width, int(x1) + 1 + ALONG_PX),
        min(height, int(y1) + 1 + ACROSS_PX),
    )


def _key(picture: Pixels) -> bytes:
    return hashlib.blake2b(picture.tobytes(), person=str(picture.shape).encode()[:16]).digest()


def _bgr(picture: Pixels) -> Pixels:
    return np.ascontiguousarray(picture[..., ::-1])
