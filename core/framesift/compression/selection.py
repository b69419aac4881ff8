"""The frames that a selector picks among those that were sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from framesift.compression.frame_tokens import FrameTokens, encode_frames
from framesift.compression.opening import FrameReader
from framesift.encoders import registry as encoders
from framesift.selectors.base import Selection, Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedFrames:
    """A selector's choice, as positions in the stream."""

    choice: Selection
    indices: list[int]
    compared: FrameTokens | None
    """The tokens that the selector compared, None where the times were enough."""


def select_frames(
    reader: FrameReader,
    indices: Sequence[int],
    *,
    selector: Selector,
    count: int,
    question: str | None,
    also: frozenset[str] | None = frozenset(),
) -> SelectedFrames:
    """Returns the selector's choice among the frames at `indices` that can be decoded.

    Args:
        reader: the video.
        indices: positions in the stream, ascending.
        selector: picks them.
        count: most frames.
        question: what they should help to answer, for selectors that read it.
        also: signals that others will read of the tokens that the selector compared, as far as its
            encoder gives them; None for all.
    """
    compared = None
    if selector.encoder is not None:
        encoder, signals = encoders.create(selector.encoder), None
        if selector.signals is not None and also is not None:
            signals = selector.signals | (also & encoder.gives)
        compared = encode_frames(reader, indices, encoder, signals=signals)
    candidates = indices if compared is None else compared.indices
    with reader.run.timed("select"):
        choice = selector.select(
            torch.from_numpy(reader.index.pts_seconds[list(candidates)]),
            None if compared is None else compared.tokens,
            count,
            question,
        )
    picked = [candidates[i] for i in choice.indices]
    return SelectedFrames(choice=choice, indices=picked, compared=compared)
