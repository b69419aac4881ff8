"""The models of RapidOCR: which files they are, which languages they read, and how they are run.

Nothing is ever downloaded: models are those that the package brings, or those of a folder.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from framesift.errors import InvalidOptionError
from framesift.registry import require

PACKAGED: Final = "PP-OCRv6_{}_small.onnx"
"""Names of the models that the package brings."""
MOST_LINES: Final = 2**16
"""Lines that may be found in one picture, as good as any number."""

LONGEST: Final = 64
"""Widths of a line, in heights, above which it is read in pieces."""
BLANK: Final = 32.0
"""Levels between dark and light in columns of a line up to which nothing stands there."""

Corners = npt.NDArray[np.float32]
"""Corners of lines `(N, 4, 2)`: x and y in pixels, the upper left one first, clockwise."""


class RapidEngine:
    """A detector and a recognizer, for one thread at a time; they say nothing while they work."""

    def __init__(self, detector: Path, recognizer: Path, letters: Path | None) -> None:
        """Loads both.

        Args:
            detector: the model that finds lines.
            recognizer: the model that reads a line.
            letters: its letters, one a line; None where the model itself holds them.

        Raises:
            InvalidOptionError: a file is no model of that kind.
        """
        rapidocr = require("rapidocr", extra="ocr")
        self._nothing_found: Final[type[Exception]] = require(
            "rapidocr.main", extra="ocr"
        ).RapidOCRError
        with _silent("RapidOCR"):
            self._engine: Final[Any] = rapidocr.RapidOCR(
                params={
                    "Global.log_level": "critical",
                    "Global.use_vertical_padding": False,
                    "EngineConfig.onnxruntime.intra_op_num_threads": torch.get_num_threads(),
                    "Det.model_path": str(detector),
                    "Det.limit_type": "max",
                    "Det.limit_side_len": 2**20,
                    "Det.max_candidates": MOST_LINES,
                    "Rec.model_path": str(recognizer),
                    "Rec.rec_keys_path": None if letters is None else str(letters),
                }
            )
            try:  # models are loaded by their first pictures
                self.corners(np.zeros((32, 32, 3), np.uint8))
                self.texts([(np.zeros((32, 32, 3), np.uint8), _WHOLE * 32)])
            except Exception as error:  # the runtime has a class of its own for each reason
                raise InvalidOptionError(
                    f"{detector.name!r} and {recognizer.name!r} in {str(detector.parent)!r} cannot "
                    "be run as models that find and read lines; give a folder with models of PP-OCR"
                ) from error

    def corners(self, picture: npt.NDArray[np.uint8]) -> Corners:
        """Returns where lines stand in RGB pixels `(H, W, 3)` with sides that 32 divides."""
        with suppress(self._nothing_found):
            _, found = self._engine.detect_and_crop(_bgr(picture), {})
            return np.asarray(found.boxes, np.float32)
        return np.zeros((0, 4, 2), np.float32)

    def texts(
        self, places: Sequence[tuple[npt.NDArray[np.uint8], Corners]]
    ) -> list[tuple[str, float]]:
        """Returns what stands in places of pictures, and how sure that is.

        Args:
            places: pictures, RGB `(H, W, 3)`, each with the corners `(4, 2)` of one line.
        """
        pieces = [
            (number, piece, gap)
            for number, (picture, corners) in enumerate(places)
            for crop in self._engine.crop_text_regions(picture, corners[None])
            for piece, gap in _pieces(_bgr(crop))
        ]
        read = self._engine.recognize_txt([piece for _, piece, _ in pieces])
        texts, scores = [""] * len(places), [list[float]() for _ in places]
        for (number, _, gap), text, score in zip(pieces, read.txts, read.scores, strict=True):
            texts[number] += text + gap
            scores[number].append(float(score))
        return [(text.strip(), min(sure)) for text, sure in zip(texts, scores, strict=True)]


def _pieces(crop: npt.NDArray[np.uint8]) -> list[tuple[npt.NDArray[np.uint8], str]]:
    """Returns a line cut into pieces that are not too long, each with what stands behind it.

    A line of a wide screen may be a hundred times as wide as high, and takes memory accordingly.
    """
    height, width = crop.shape[:2]
    if width <= LONGEST * height:
        return [(crop, "")]
    strokes = np.ptp(crop.astype(np.int16), axis=0).max(-1)
    near = max(1, height // 4)  # about as wide as a space
    wide = np.convolve(strokes, np.ones(near) / near, mode="same")
    first = width // 3
    cut = first + int(wide[first : 2 * first].argmin())
    left, right = _pieces(crop[:, :cut]), _pieces(crop[:, cut:])
    gap = " " if wide[cut] <= BLANK else ""
    return [*left[:-1], (left[-1][0], gap), *right]


_WHOLE: Final = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def _bgr(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(picture[..., ::-1])


@contextmanager
def _silent(logger: str) -> Iterator[None]:
    """Leaves the level of a logger as it was; the engine sets it for the whole process."""
    log = logging.getLogger(logger)
    level = log.level
    try:
        yield
    finally:
        log.setLevel(level)


def languages() -> list[str]:
    """Returns the codes of the languages that the models of the package read."""
    resolver = require("rapidocr.utils.model_resolver", extra="ocr")
    kinds = require("rapidocr.utils.typings", extra="ocr")
    version = kinds.OCRVersion.PPOCRV6
    known = resolver.list_supported_langs(kinds.TaskType.REC, version, kinds.ModelType.SMALL)
    others = resolver.MODEL_ROUTES[version.value].get("aliases", {})
    return sorted({*known, *others})


def check_language(language: str) -> None:
    """Refuses a language that the models of the package do not read.

    Raises:
        InvalidOptionError: it names those that they read.
    """
    if language not in (known := languages()):
        raise InvalidOptionError(
            f"language={language!r} is not read by the models that come with rapidocr; give one of "
            f"{', '.join(known)}, or models=FOLDER with models that read it"
        )


def model_file(folder: Path, kind: str) -> Path:
    """Returns the model of a folder that finds lines, `det`, or reads them, `rec`.

    Raises:
        InvalidOptionError: the folder does not hold exactly one.
    """
    packaged = folder / PACKAGED.format(kind)
    found = [packaged] if packaged.is_file() else sorted(folder.glob(f"*{kind}*.onnx"))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "none"
    raise InvalidOptionError(
        f"the folder of OCR models {str(folder)!r} must hold one file *{kind}*.onnx, found {names}"
    )


def letters_file(models: Path | None) -> Path | None:
    """Returns the file of letters that a folder of models brings, None for a model's own.

    Raises:
        InvalidOptionError: neither the folder nor the recognizer says which letters it reads.
    """
    if models is None:
        return None
    if found := sorted(models.glob("*.txt")):
        return found[0]
    recognizer = model_file(models, "rec")
    runtime = require("onnxruntime", extra="ocr")
    try:
        session = runtime.InferenceSession(str(recognizer), providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a class of its own for each reason
        raise InvalidOptionError(
            f"{str(recognizer)!r} is not an ONNX model that can be run; give a model of PP-OCR"
        ) from error
    if "character" not in session.get_modelmeta().custom_metadata_map:
        raise InvalidOptionError(
            f"{recognizer.name!r} does not say which letters it reads; put the list of its "
            f"letters, one a line, into {str(models)!r} as a .txt file"
        )
    return None
