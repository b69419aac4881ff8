"""Which of the words that a video shows are still read in its painted frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from framesift.evaluation.reading.painting import Painted
from framesift.evaluation.reading.recognition import Pixels, PlacedWord, WordReader

MOST_WORDS: Final = 100
"""Words of a video that are looked for, unless a caller takes another number."""


class Shown(NamedTuple):
    """A word in one frame."""

    frame: int
    word: PlacedWord


class ShownWords:
    """The words of a video, each once however long it stands.

    Two are the same if they read the same and stand behind the same word of their line, so that a
    line that scrolls, grows or comes again is counted once.
    """

    def __init__(
        self, reader: WordReader, pictures: Pixels, grid: tuple[int, int], most: int = MOST_WORDS
    ) -> None:
        """Finds the words of frames, RGB `(T, H, W, 3)`, whose patches lie on a dividing grid.

        Of more than `most` words, that many are taken, evenly spaced in the order of the video.
        """
        self._reader: Final = reader
        self.pictures: Final = pictures
        self._cell_px: Final = pictures.shape[1] // grid[0], pictures.shape[2] // grid[1]
        places: dict[tuple[str, str], list[Shown]] = {}
        for number, picture in enumerate(pictures):
            for word in reader.words(picture):
                places.setdefault((word.before, word.text), []).append(Shown(number, word))
        each, count = list(places.values()), min(most, len(places))
        self._places: Final = [each[number * len(each) // count] for number in range(count)]

    def __len__(self) -> int:
        return len(self._places)

    def read(self, painted: Painted) -> int:
        """Returns how many words are read in the painted frame that changed them least.

        A word of which no pixel changed is read, as it was before; one of which nothing is left is
        not looked for.
        """
        same, unsure = 0, list[Shown]()
        for places in self._places:
            if any(self._cells(painted.is_same, place).all() for place in places):
                same += 1
                continue
            some = [place for place in places if self._cells(painted.is_left, place).any()]
            if some:
                unsure.append(min(some, key=lambda place: self._change(painted, place)))
        return same + self._read_of(painted, unsure)

    def _change(self, painted: Painted, place: Shown) -> float:
        """Returns by how many levels the pixels of a word changed, in the mean."""
        now, before = (p[place.frame] for p in (painted.pictures, self.pictures))
        return float(cv2.absdiff(place.word.crop(now), place.word.crop(before)).mean())

    def _read_of(self, painted: Painted, places: Sequence[Shown]) -> int:
        crops = [place.word.crop(painted.pictures[place.frame]) for place in places]
        texts = self._reader.read(crops)
        return sum(text == place.word.text for text, place in zip(texts, places, strict=True))

    def _cells(self, mask: npt.NDArray[np.bool_], place: Shown) -> npt.NDArray[np.bool_]:
        """Returns what a mask `(T, h, w)` says of the patches that a word touches."""
        high, wide = self._cell_px
        x0, y0, x1, y1 = place.word.box_px
        rows, columns = slice(y0 // high, -(-y1 // high)), slice(x0 // wide, -(-x1 // wide))
        return mask[place.frame, rows, columns]
