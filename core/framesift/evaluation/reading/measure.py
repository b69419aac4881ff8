"""Measures how many words can still be read, and goes on where a run was broken off."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from framesift.compression.compressor import VideoCompressor
from framesift.compression.encoding import EncodedVideo
from framesift.disk.writing import FileLock, write_atomically
from framesift.errors import InvalidOptionError
from framesift.evaluation import provenance
from framesift.evaluation.reading.figures import gains, rows
from framesift.evaluation.reading.pages import Page
from framesift.evaluation.reading.painting import painted
from framesift.evaluation.reading.plot import write_plot
from framesift.evaluation.reading.reading import MOST_WORDS, ShownWords
from framesift.evaluation.reading.recognition import Pixels, WordReader
from framesift.evaluation.reading.ways import ReadingWay
from framesift.strategies.base import Strategy
from framesift.training.frame_selector.label_file import append, mended_lines, read_lines
from framesift.types.budget import Budget
from framesift.types.options import shown
from framesift.types.video import WHOLE, Region, with_part

LOG, RESULTS, PLOT, PAGES = "reading.jsonl", "reading.json", "reading.png", "pages"
KEEPS: Final = (0.05, 0.1, 0.25, 0.5)
PART_SECONDS: Final = 8.0
"""A recording is measured in parts of this length, which differ in what they show."""
LEAST_WORDS: Final = 20
"""Videos that show fewer words tell nothing about reading."""
SUFFIXES: Final = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi"})

Group = Literal["pages", "recordings"]
Key = tuple[str, str, str, float]
"""Video, how it was looked at, spec and keep."""


class ReadCount(BaseModel):
    """The words of one video that are read after one run of one way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    video: str = Field(description="Page, or file and part; intervals are drawn over these.")
    group: Group
    kind: str = Field(description="How a page moves; of a recording the file.")
    looking: str = Field(description="How videos were looked at.")
    way: str
    spec: str = Field(description="Strategy of the run.")
    keep: float = Field(description="Asked share of the tokens.")
    tokens: int
    tokens_before: int
    words: int = Field(description="Words that the video shows, each once.")
    read: int

    @property
    def key(self) -> Key:
        """What tells it from other lines."""
        return self.video, self.looking, self.spec, self.keep


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A video to measure."""

    name: str
    uri: str
    group: Group
    kind: str


@dataclass(frozen=True, kw_only=True)
class Looking:
    """How videos are looked at: what tokens are made of, and what the words are read from."""

    encoder: str = "handcrafted:grid_size=24"
    text: str = "screen:max_side_px=1024"
    """The reader that `protect-text` asks."""
    fps: float = 1.0
    frames: int = 8
    """Most frames of a video."""
    side_px: int = 960
    """Longest side of the pictures that are painted and read."""
    words: int = MOST_WORDS
    """Most words of a video that are looked for."""

    @property
    def spec(self) -> str:
        """What tells it from others, for the log."""
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.__dataclass_fields__)

    def sift(self) -> VideoCompressor:
        """Returns what encodes videos, with the signal `text`."""
        return VideoCompressor(
            strategy="protect-text",
            encoder=self.encoder,
            text=self.text,
            fps=self.fps,
            max_frames=self.frames,
            selector="uniform",
        )


def drawn(folder: Path, count: int) -> Iterator[Recording]:
    """Yields synthetic pages, each drawn into a folder when it comes."""
    for page in (Page(number=number) for number in range(count)):
        path = page.write(folder)
        yield Recording(name=page.name, uri=str(path), group="pages", kind=page.kind)


def recorded(clips: Sequence[Path]) -> Iterator[Recording]:
    """Yields parts of clips; a folder stands for the videos in it.

    Raises:
        InvalidOptionError: there is none.
    """
    folders = {clip: sorted(clip.iterdir()) if clip.is_dir() else [clip] for clip in clips}
    for clip, paths in folders.items():
        videos = [path for path in paths if path.suffix.lower() in SUFFIXES]
        if not videos:
            raise InvalidOptionError(f"{shown(str(clip))} is no video and no folder with videos")
        for path in videos:
            seconds = VideoCompressor(text=()).transcript(path).duration_seconds or 0.0
            for start in np.arange(0, max(seconds - PART_SECONDS / 2, 0.1), PART_SECONDS).tolist():
                part = with_part(str(path), (start, start + PART_SECONDS))
                name = f"{path.name} {start:g} s"
                yield Recording(name=name, uri=part, group="recordings", kind=path.name)


def measure(
    out: Path,
    videos: Iterable[Recording],
    ways: Sequence[ReadingWay],
    keeps: Sequence[float],
    looking: Looking,
) -> Iterator[Recording]:
    """Adds what is missing to the log in a folder; yields each video when it is done."""
    out.mkdir(parents=True, exist_ok=True)
    path, sift, reader = out / LOG, looking.sift(), WordReader()
    lock = FileLock.of(path)
    done = {line.key for line in mended_lines(ReadCount, path)}
    parts = [(way.name, part) for way in ways for part in way.parts()]
    for video in videos:
        missing = [
            (name, part, keep)
            for name, part in parts
            for keep in keeps
            if (video.name, looking.spec, part.spec, keep) not in done
        ]
        if missing:
            encoded = sift.encode(video.uri)
            pictures = fitted(_pictures(sift, video.uri, encoded, looking.side_px), encoded)
            words = ShownWords(reader, pictures, encoded.tokens.grid, looking.words)
            if len(words) >= LEAST_WORDS:
                for name, part, keep in missing:
                    append(path, _count(video, looking, name, part, keep, encoded, words))
        yield video
    del lock


def write_results(
    out: Path, ways: Sequence[ReadingWay], keeps: Sequence[float], looking: Looking
) -> dict[str, Any]:
    """Writes the figures and the plot of a log, and returns the figures.

    Lines of other ways and budgets stay in the log and do not count, and neither do those of a
    video in which a run was broken off: all ways are compared on the same videos.

    Raises:
        InvalidOptionError: no video was measured to its end.
    """
    wanted = {(part.spec, keep) for way in ways for part in way.parts() for keep in keeps}
    lines = whole_videos(
        (line for line in read_lines(ReadCount, out / LOG) if line.looking == looking.spec), wanted
    )
    if not lines:
        raise InvalidOptionError(
            f"no video in {shown(str(out))} shows {LEAST_WORDS} words; give --pages or "
            "other --clips"
        )
    results: dict[str, Any] = {
        "question": "share of the words of a video, each counted once, that OCR reads in some "
        "frame whose dropped patches are painted grey and whose merged ones show their mean; 95 % "
        "bootstrap over videos, parts of one recording among them",
        "looking": {name: getattr(looking, name) for name in Looking.__dataclass_fields__},
        "versions": provenance.versions("rapidocr", "onnxruntime"),
        "machine": provenance.machine(),
        "commit": provenance.commit(),
        "rows": rows(lines),
        "more_than_uniform": gains(lines, "uniform"),
    }
    write_atomically(out / RESULTS, (json.dumps(results, indent=1) + "\n").encode())
    write_plot(out / PLOT, results["rows"])
    return results


def whole_videos(
    lines: Iterable[ReadCount], wanted: Collection[tuple[str, float]]
) -> list[ReadCount]:
    """Returns the lines of `wanted` specs and budgets, of the videos that have one of each."""
    videos: dict[str, dict[tuple[str, float], ReadCount]] = {}
    for line in lines:
        if (line.spec, line.keep) in wanted:
            videos.setdefault(line.video, {})[line.spec, line.keep] = line
    return [line for own in videos.values() if len(own) == len(wanted) for line in own.values()]


def fitted(pictures: Pixels, encoded: EncodedVideo) -> Pixels:
    """Returns the part of pictures that the patch grid covers, in sides that it divides."""
    info, (rows_, columns) = encoded.index.info, encoded.tokens.grid
    region = encoded.encoded.encoder.fitted(info).region(info)
    parts = [_part(picture, region) for picture in pictures]
    height, width = parts[0].shape[:2]
    size = max(1, width // columns) * columns, max(1, height // rows_) * rows_
    resized = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in parts]
    return np.stack(resized).astype(np.uint8)


def _part(picture: Pixels, region: Region) -> Pixels:
    """Returns a part of a picture; beyond its sides nothing is added."""
    if region == WHOLE:
        return picture
    height, width = picture.shape[:2]
    x0, x1 = (round(min(1.0, max(0.0, side)) * width) for side in region[::2])
    y0, y1 = (round(min(1.0, max(0.0, side)) * height) for side in region[1::2])
    return picture[y0:y1, x0:x1]


def _pictures(sift: VideoCompressor, uri: str, encoded: EncodedVideo, side_px: int) -> Pixels:
    times = encoded.tokens.pts_seconds.tolist()
    return sift.frames(uri, times, max_side_px=side_px).data


def _count(
    video: Recording,
    looking: Looking,
    name: str,
    part: Strategy,
    keep: float,
    encoded: EncodedVideo,
    words: ShownWords,
) -> ReadCount:
    tokens = encoded.tokens
    plan = part.plan(tokens, Budget(keep=keep).tokens(tokens.count))
    return ReadCount(
        video=video.name,
        group=video.group,
        kind=video.kind,
        looking=looking.spec,
        way=name,
        spec=part.spec,
        keep=keep,
        tokens=plan.num_out,
        tokens_before=tokens.count,
        words=len(words),
        read=words.read(painted(words.pictures, tokens.grid, plan)),
    )
