"""Segments and their pictures on disk, by content, so that an unchanged video is decoded once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, Field, ValidationError

from framesift._version import __version__
from framesift.compression.compressor import VideoCompressor
from framesift.compression.moments import SECONDS_PER_SEGMENT
from framesift.compression.opening import Video, file_of, opened
from framesift.decoders import registry as decoders
from framesift.disk.content_files import holds
from framesift.disk.writing import as_path, json_bytes, json_value, write_atomically
from framesift.readers.base import created_readers
from framesift.run import Run
from framesift.selectors import registry as selectors
from framesift.types.answer import Segment
from framesift.types.moment import Moment
from framesift.types.options import Count, check_options
from framesift.types.text import file_address
from framesift.types.video import LocalVideo, Warn, with_part

INDEX: Final = "segments.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A video whose segments have their pictures in files."""

    source: str
    """Absolute path of a file on this machine, as a file:// URI where its name is not UTF-8, else
    the address without credentials."""
    title: str | None
    content_sha256: str
    """Of the file, in hexadecimal digits."""
    part_seconds: tuple[float, float] | None = None
    """Start and end of the part that was read, the end may be infinite; None for all of it."""
    settings: str
    """What the segments were made with, for a reader."""
    segments: tuple[tuple[Segment, Path], ...]
    """Segments that cover the video, each with the JPEG of its keyframe."""
    warnings: tuple[str, ...] = ()
    """What went wrong without ending the work, now or when the pictures were made."""

    @property
    def address(self) -> str:
        """`source`, ending in `#t=START,END` for a part: two parts are two videos."""
        return with_part(self.source, self.part_seconds)


@dataclass(frozen=True, kw_only=True)
class KeyframeShelf:
    """A folder of keyframes that documents can point at.

    They lie under `CONTENT/SETTINGS/`: 32 digits of the SHA-256 of the file, and 16 of that of
    everything else which decides the segments, subtitles among it. There is one JPEG for each
    segment, named by its time in milliseconds, and `segments.json`, which is written last: where it
    is, the pictures were all there. Nothing is ever removed, since documents point at the pictures;
    a folder that somebody removes is made again by the next `read`. What readers of text found lies
    in `CONTENT`, unless the compressor has a folder of its own for it.
    """

    folder: Path
    """May be given as text."""
    compressor: VideoCompressor
    """Finds the segments."""
    seconds_each: Annotated[float, Field(gt=0)] = SECONDS_PER_SEGMENT
    """How much of a video one segment covers on average."""
    max_side_px: Count = 768
    """Longest side of a picture; smaller frames keep their size."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", as_path(self.folder, "folder"))
        check_options(self)
        readers = created_readers(self.compressor.text)
        if self.compressor.text_folder is None and any(reader.is_costly for reader in readers):
            kept_here = replace(self.compressor, text_folder=self.folder)
            object.__setattr__(self, "compressor", kept_here)

    @property
    def settings(self) -> str:
        """What decides the segments besides the video, in one line."""
        options = self.compressor
        return (
            f"framesift {__version__} selector={selectors.create(options.selector).spec} "
            f"text={','.join(reader.spec for reader in created_readers(options.text))} "
            f"decoder={decoders.create(options.decoder).spec} fps={options.fps:g} "
            f"seconds_each={self.seconds_each:g} max_side_px={self.max_side_px}"
        )

    def read(self, video: Video, *, warn: Warn | None = None) -> Shelved:
        """Returns the segments of a video; one that lies here already is hashed, not decoded.

        Args:
            video: what to look at.
            warn: called once with each thing that goes wrong without ending the work; logged by
                default.

        Raises:
            SourceError: the video cannot be fetched.
            DecodeError: the file cannot be decoded.
        """
        run = Run(listener=warn)
        with opened(video, self.compressor.limits, self.compressor.site, run) as local:
            for line in local.warnings:
                run.warn(line)
            path = file_of(local)
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            place = self.folder / content[:32] / self._settings_digest(local)
            kept = _load(place)
            if kept is None:
                fetched = len(run.warnings)
                moments = self.compressor.moments(
                    local,
                    seconds_each=self.seconds_each,
                    max_side_px=self.max_side_px,
                    warn=run.warn,
                )
                kept = _save(place, moments, run.warnings[fetched:])
            for line in kept.warnings:
                run.warn(line)
            is_file = local.temporary_folder is None
            source = file_address(path.resolve()) if is_file else local.uri
        return Shelved(
            source=source,
            title=local.title,
            content_sha256=content,
            part_seconds=local.part_seconds,
            settings=self.settings,
            segments=tuple(
                (
                    entry.segment.model_copy(update={"uri": source}),
                    place / Path(entry.image).name,
                )
                for entry in kept.segments
            ),
            warnings=tuple(run.warnings),
        )

    def _settings_digest(self, local: LocalVideo) -> str:
        """Returns 16 digits that stand for all that decides the segments but the file."""
        texts = [asdict(line) for line in (*local.chapters, *local.subtitles)]
        said = [local.title, local.uploader, local.date, local.description]
        facts = [*said, local.duration_seconds, texts, local.part_seconds]
        text = json.dumps([self.settings, *facts])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class _Entry(BaseModel):
    segment: Segment
    image: str
    """Name of its picture, which lies beside the index."""
    sha256: str
    """Of the picture, in hexadecimal digits: one that is cut off or empty is made again."""


class _Kept(BaseModel):
    segments: list[_Entry]
    warnings: list[str] = []
    """What went wrong when the pictures were made."""


def _load(place: Path) -> _Kept | None:
    """Returns what `_save` wrote, or None where that is missing or no longer whole."""
    try:
        kept = _Kept.model_validate(json_value((place / INDEX).read_bytes()))
    except (OSError, ValidationError):
        return None
    whole = all(_is_whole(place / Path(each.image).name, each.sha256) for each in kept.segments)
    return kept if kept.segments and whole else None


def _is_whole(image: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(image.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


def _save(place: Path, moments: Sequence[Moment], warnings: Sequence[str]) -> _Kept:
    """Returns the segments with the files that now hold their pictures."""
    entries = []
    for moment in moments:
        assert moment.keyframe is not None, "what covers a video that is open has pictures"
        name = f"{round(moment.keyframe.pts_seconds * 1000):09d}.jpg"
        content = moment.keyframe.jpeg()
        if not holds(place / name, content):
            write_atomically(place / name, content)
        digest = hashlib.sha256(content).hexdigest()
        entries.append(_Entry(segment=moment.segment, image=name, sha256=digest))
    kept = _Kept(segments=entries, warnings=list(warnings))
    write_atomically(place / INDEX, json_bytes(kept))
    return kept
