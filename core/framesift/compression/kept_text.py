"""What readers found in videos, kept on disk by content, also where the work was cut off."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from framesift._version import __version__
from framesift.disk.writing import write_atomically
from framesift.readers.base import Readable, Reader, Reading
from framesift.registry import registered_name


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReading:
    """What a reader found in a video, and what went wrong meanwhile."""

    reading: Reading
    warnings: tuple[str, ...] = ()


_KEPT = TypeAdapter(KeptReading)


@dataclass(frozen=True, slots=True)
class TextFolder:
    """A folder of what readers found, beside the keyframes of the same videos.

    It lies in `CONTENT/READER-SETTINGS.json`: 32 digits of the SHA-256 of the file, and 16 of that
    of the reader's options, its model and the part that was opened. While a reader works, what it
    has made of pieces of the video lies beside it, so that one that was cut off goes on.
    """

    folder: Path

    def read(self, reader: Reader, video: Readable, work: Callable[[], KeptReading]) -> KeptReading:
        """Returns what lies here, or what `work` returns, which then lies here too.

        Raises:
            StorageError: the folder cannot be written to.
        """
        place = self._place(reader, video)
        kept = _loaded(place)
        if kept is None:
            with video.pieces.kept_in(place.with_suffix(".unfinished")):
                kept = work()
                write_atomically(place, _KEPT.dump_json(kept, ensure_ascii=True, indent=1))
        return kept

    def _place(self, reader: Reader, video: Readable) -> Path:
        with video.path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        settings = repr((__version__, reader.spec, reader.state, video.local.part_seconds))
        digest = hashlib.sha256(settings.encode()).hexdigest()
        name = f"{registered_name(type(reader))}-{digest[:16]}.json"
        return self.folder / content[:32] / name


def _loaded(place: Path) -> KeptReading | None:
    """Returns what was written whole, None for anything else."""
    try:
        return _KEPT.validate_json(place.read_bytes())
    except (OSError, ValidationError):
        return None
