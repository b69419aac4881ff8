"""Sound in stretches that a model of speech hears at once: cut where it is quiet, silence left out.

A word that is cut in two is heard wrongly twice, and models of speech make words up in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from framesift.decoders.sound import RATE, Samples, Sound

HOP: Final = RATE // 50
"""Samples of one level, 20 ms."""
SILENT: Final = 1e-3
"""Root mean square of what counts as silence, 60 dB below the loudest that there is."""
SPARE_SECONDS: Final = 0.3
"""What is kept of the silence around a stretch, since words begin and end softly."""
PAUSE_SECONDS: Final = 3.0
"""Silence that ends a stretch."""
CUT_HOPS: Final = 10
"""Levels over which the quietest place is looked for: shorter dips lie within words."""
CUT_SHARE: Final = 1 / 3
"""The last part of a stretch, in which it is cut where nothing else ends it."""
APART_SECONDS: Final = 0.05
"""Pieces of sound that are further apart do not belong together."""


def stretches(pieces: Iterable[Sound], longest_seconds: float) -> Iterator[Sound]:
    """Yields the sound that is not silent, in stretches of at most `longest_seconds`.

    No more than one stretch is held at once, however long the sound is.

    Args:
        pieces: in time order.
        longest_seconds: what a model hears at once.
    """
    gathered = _Gathered(longest=round(longest_seconds * RATE))
    for piece in pieces:
        if gathered.parts and abs(piece.start_seconds - gathered.end_seconds) > APART_SECONDS:
            yield from gathered.taken()
        gathered.add(piece)
        while gathered.is_full or gathered.quiet > PAUSE_SECONDS * RATE:
            yield from gathered.taken(cut=gathered.is_full)
    yield from gathered.taken()


class _Gathered:
    """Sound without a gap that is on its way to become a stretch."""

    def __init__(self, longest: int) -> None:
        self.parts: list[Samples] = []
        self.start_seconds = 0.0
        self.quiet = 0
        """Samples of silence at the end of what is gathered, 0 where all of it is silent."""
        self._longest = longest
        self._length = 0
        self._is_heard = False

    @property
    def end_seconds(self) -> float:
        return self.start_seconds + self._length / RATE

    @property
    def is_full(self) -> bool:
        return self._length >= self._longest

    def add(self, piece: Sound) -> None:
        """Takes a piece; of silence before the first sound only the end is kept."""
        if not self.parts:
            self.start_seconds = piece.start_seconds
        self.parts.append(piece.samples)
        self._length += len(piece.samples)
        if _levels(piece.samples).max(initial=0.0) > SILENT:
            self._is_heard, self.quiet = True, 0
        elif self._is_heard:
            self.quiet += len(piece.samples)
        else:
            while self._length - len(self.parts[0]) > SPARE_SECONDS * RATE:
                dropped = len(self.parts.pop(0))
                self._length -= dropped
                self.start_seconds += dropped / RATE

    def taken(self, *, cut: bool = False) -> Iterator[Sound]:
        """Yields what is gathered, without silence around it, and begins again.

        Args:
            cut: whether to cut at a quiet place and keep what is behind it.
        """
        if not self.parts:
            return
        samples = np.concatenate(self.parts)
        end = min(_quietest(samples[: self._longest]), self._longest) if cut else len(samples)
        whole = Sound(start_seconds=self.start_seconds, samples=samples[:end])
        rest = Sound(start_seconds=whole.end_seconds, samples=samples[end:])
        self.parts, self._length, self._is_heard, self.quiet = [], 0, False, 0
        if len(rest.samples):
            self.add(rest)
        yield from _trimmed(whole)


def _trimmed(sound: Sound) -> Iterator[Sound]:
    """Yields a stretch without the silence at its ends; nothing where all is silent."""
    loud = np.flatnonzero(_levels(sound.samples) > SILENT)
    if not len(loud):
        return
    spare = round(SPARE_SECONDS * RATE)
    first = max(0, int(loud[0]) * HOP - spare)
    last = min(len(sound.samples), (int(loud[-1]) + 1) * HOP + spare)
    yield Sound(
        start_seconds=sound.start_seconds + first / RATE, samples=sound.samples[first:last].copy()
    )


def _quietest(samples: Samples) -> int:
    """Returns where in the last part of a stretch it is quietest, as a number of samples."""
    powers = _levels(samples) ** 2
    first = max(0, round(len(powers) * (1 - CUT_SHARE)))
    if len(powers) - first < CUT_HOPS:
        return len(samples)
    sums = np.convolve(powers[first:], np.ones(CUT_HOPS), mode="valid")
    # Of places that are equally quiet the last, so that a stretch is as long as it can be.
    best = len(sums) - 1 - int(np.argmin(sums[::-1]))
    return (first + best) * HOP + CUT_HOPS * HOP // 2


def _levels(samples: Samples) -> npt.NDArray[np.float64]:
    """Returns the root mean square of each 20 ms `(L,)`, the rest at the end included."""
    padded = np.pad(samples, (0, -len(samples) % HOP)).reshape(-1, HOP).astype(np.float64)
    return np.asarray(np.sqrt((padded**2).mean(axis=1)))
