"""Of pictures that a search has found, those that matter for the query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from framesift.compression.compressor import VideoCompressor
from framesift.encoders import registry as encoders
from framesift.selectors import registry as selectors
from framesift.types.answer import EvidenceKind
from framesift.types.frames import Frames


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
    pictures: Sequence[Path], count: int, query: str | None = None, *, selector: str = "keyframes"
) -> set[int]:
    """Returns the places of `count` pictures that a selector picks, as it would pick frames.

    Args:
        pictures: files, in the order of the video or videos that they come from.
        count: how many are picked.
        query: for selectors that read it.
        selector: spec of the selector.
    """
    chosen_by, times = selectors.create(selector), np.arange(len(pictures), dtype=float)
    tokens = None
    if chosen_by.encoder is not None:
        encoder = encoders.create(chosen_by.encoder)
        pixels = np.stack([_pixels(picture, encoder.input_px) for picture in pictures])
        frames = Frames(data=pixels, pts_seconds=times, indices=times.astype(np.int64))
        tokens = encoder.encode(frames, chosen_by.signals)
    chosen = chosen_by.select(torch.from_numpy(times), tokens, count, query or None)
    return set(chosen.indices)


def _pixels(picture: Path, size_px: tuple[int, int]) -> NDArray[np.uint8]:
    height, width = size_px
    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.BOX))
