"""Of pictures that a search has found, those that matter for the query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.decoders.base import WINDOW
from framesift.encoders import registry as encoders
from framesift.encoders.base import Encoder
from framesift.run import Run
from framesift.scorers.candidates import Candidates
from framesift.selectors import registry as selectors
from framesift.types.answer import EvidenceKind
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens
from framesift.types.video import Warn


def find_pictures(
    compressor: VideoCompressor,
    pictures: Sequence[Path],
    query: str,
    count: int,
    *,
    evidence: EvidenceKind = "auto",
) -> set[int]:
    """Returns the places of at most `count` pictures that the compressor's model finds a query in.

    Args:
        compressor: has the model, and how far each picture is reduced before it is read.
        pictures: files.
        query: a question, or words for what is looked for.
        count: most places.
        evidence: by which weights they are found, as in `VideoCompressor.ask`.
    """
    with compressor.open(pictures) as chat:
        segments = chat.find(query, count, evidence=evidence)
    wanted = {segment.uri for segment in segments}
    return {place for place, picture in enumerate(pictures) if str(picture) in wanted}


def select_pictures(
    pictures: Sequence[Path],
    count: int,
    query: str | None = None,
    *,
    selector: str = "keyframes",
    uri: str = "",
    warn: Warn | None = None,
) -> set[int]:
    """Returns the places of `count` pictures that a selector picks, as it would pick frames.

    Args:
        pictures: files, in the order of the video or videos that they come from.
        count: how many are picked.
        query: for selectors that read it.
        selector: spec of the selector.
        uri: address of the video that they come from, by which a scorer knows whether its scores
            mean something.
        warn: called with each warning; else it is logged.
    """
    times = torch.arange(len(pictures), dtype=torch.float64)
    candidates = RetrievedPictures(pts_seconds=times, files=pictures, uri=uri)
    choice = selectors.create(selector).select(candidates, count, query or None)
    run = Run(listener=warn)
    for line in candidates.warnings:
        run.warn(line)
    return set(choice.indices)


@dataclass(kw_only=True)
class RetrievedPictures(Candidates):
    """Pictures of any sizes in files, each read when somebody looks at it."""

    files: Sequence[Path]

    def tokens(
        self,
        encoder: str | Encoder,
        signals: frozenset[str] | None = frozenset(),
        places: Sequence[int] | None = None,
    ) -> VideoTokens:
        """Returns the pictures as an encoder sees them."""
        made = encoders.create(encoder)
        chosen = range(len(self)) if places is None else places
        self.cost.frames_encoded += len(chosen)
        windows = (made.encode(frames, signals) for frames in self._read(chosen, made.input_px))
        return VideoTokens.gather(windows, len(chosen))

    def pictures(
        self, places: Sequence[int] | None = None, max_side_px: int | None = None
    ) -> Iterator[Frames]:
        """Yields the pictures one by one, as they differ in size."""
        for place in range(len(self)) if places is None else places:
            with Image.open(self.files[place]) as image:
                if max_side_px is not None:
                    image.thumbnail((max_side_px, max_side_px))
                yield self._frames([np.asarray(image.convert("RGB"))], [place])

    def _read(self, places: Sequence[int], size_px: tuple[int, int]) -> Iterator[Frames]:
        for start in range(0, len(places), WINDOW):
            some = places[start : start + WINDOW]
            yield self._frames([_pixels(self.files[place], size_px) for place in some], some)

    def _frames(self, pixels: list[NDArray[np.uint8]], places: Sequence[int]) -> Frames:
        numbers = np.asarray(places, np.int64)
        return Frames(data=np.stack(pixels), pts_seconds=numbers.astype(float), indices=numbers)


def _pixels(picture: Path, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = size_px
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BOX))
