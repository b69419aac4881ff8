"""The text of videos: which readers read it, and what is kept of it for the next question."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from time import perf_counter
from typing import Final

from framesift.answering.video_text import within
from framesift.compression.content import content_key
from framesift.compression.kept_text import KeptReading, TextFolder
from framesift.readers.base import Readable, Reader, Reading
from framesift.readers.merging import merged
from framesift.readers.subtitles import Subtitles
from framesift.types.transcript import ReadingReport, Transcript

MOST_KEPT: Final = 16
"""Readings of videos that are kept for the next question."""


class KeptReadings:
    """What costly readers found in the last videos."""

    def __init__(self) -> None:
        self._readings: OrderedDict[tuple[object, ...], KeptReading] = OrderedDict()
        self._lock = Lock()

    def of(self, key: tuple[object, ...]) -> KeptReading | None:
        """Returns what is kept under a key, None for nothing."""
        with self._lock:
            if key in self._readings:
                self._readings.move_to_end(key)
            return self._readings.get(key)

    def keep(self, key: tuple[object, ...], reading: KeptReading) -> None:
        """Keeps a reading, and forgets the one that was asked for longest ago."""
        with self._lock:
            self._readings[key] = reading
            while len(self._readings) > MOST_KEPT:
                self._readings.popitem(last=False)


KEPT: Final = KeptReadings()
"""Readings of this process: surfaces make a compressor for each call, and would read anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReading:
    """Reads the text of videos by the readers of one configuration."""

    readers: tuple[Reader, ...] = (Subtitles(),)
    folder: TextFolder | None = None
    """Where what costly readers found is kept from one program to the next."""
    kept: KeptReadings = field(default_factory=KeptReadings)

    def transcript(self, video: Readable) -> Transcript:
        """Returns what the readers find in an open video; warnings are those of its run."""
        readings, reports = [], []
        for reader in self.readers:
            start = perf_counter()
            with video.run.timed("read"):
                reading = self._read(reader, video)
            readings.append(reading.lines)
            reports.append(_report(reader, reading, perf_counter() - start))
        local = video.local
        seconds = local.duration_seconds
        if local.path is not None:
            seconds = video.index.info.duration_seconds
        return Transcript(
            uri=local.uri,
            title=local.title,
            duration_seconds=seconds,
            lines=within(merged(readings), local.part_seconds),
            readings=tuple(reports),
        )

    def _read(self, reader: Reader, video: Readable) -> Reading:
        if not reader.is_costly:
            return reader.read(video)
        key = content_key(video), video.local.part_seconds, reader, reader.state
        kept = self.kept.of(key)
        if kept is None:
            work = partial(_worked, reader, video)
            kept = work() if self.folder is None else self.folder.read(reader, video, work)
            self.kept.keep(key, kept)
        for line in kept.warnings:
            video.run.warn(line)
        return kept.reading


def _worked(reader: Reader, video: Readable) -> KeptReading:
    before = len(video.run.warnings)
    reading = reader.read(video)
    return KeptReading(reading=reading, warnings=tuple(video.run.warnings[before:]))


def _report(reader: Reader, reading: Reading, seconds: float) -> ReadingReport:
    return ReadingReport(
        reader=reader.spec,
        lines=len(reading.lines),
        frames_read=reading.frames_read,
        frames_total=reading.frames_total,
        pixels_read=reading.pixels_read,
        pixels_total=reading.pixels_total,
        seconds=seconds,
    )
