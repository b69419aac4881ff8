"""The visual tokens of some frames of a video, made window by window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from framesift.compression.opening import FrameReader
from framesift.encoders.base import Encoder
from framesift.encoders.gate import Gate
from framesift.run import progress_bar
from framesift.types.frames import Frames
from framesift.types.tokens import TokenBuffer, VideoTokens


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTokens:
    """The tokens of the frames that could be decoded."""

    tokens: VideoTokens
    indices: list[int]
    """Position in the stream of each of the frames, or of the first of each step."""
    encoder: Encoder
    steps_encoded: int
    """Time steps that went through the encoder; the others copy the one before."""

    def at(self, indices: Sequence[int]) -> FrameTokens:
        """Returns some of the frames, each of them encoded, by their position in the stream."""
        place = {index: i for i, index in enumerate(self.indices)}
        tokens = self.tokens.frames([place[index] for index in indices])
        return replace(self, tokens=tokens, indices=list(indices), steps_encoded=len(indices))


def encode_frames(
    reader: FrameReader,
    indices: Sequence[int],
    encoder: Encoder,
    *,
    signals: frozenset[str] | None = None,
    gate: float | None = None,
) -> FrameTokens:
    """Returns the tokens of the frames at `indices`, never holding more than a window of pixels.

    Args:
        reader: the video.
        indices: positions in the stream, ascending.
        encoder: makes the tokens.
        signals: what it fills besides the features; None for all that it gives.
        gate: least similarity to the last encoded time step at which one copies its tokens; None
            encodes every step.
    """
    decoded: list[int] = []
    info, run = reader.index.info, reader.run
    fitted = encoder.fitted(info)
    gatekeeper = Gate(encoder=fitted, similarity=gate, signals=signals)
    (height, width), step = fitted.input_px, fitted.frames_per_step
    size_px = min(info.height_px, height), min(info.width_px, width)

    buffer = TokenBuffer(-(-len(indices) // step))
    with progress_bar("encode", total=len(indices)) as bar:
        for window in _whole_steps(reader.frames(indices, size_px), step):
            with nullcontext() if gate is None else run.timed("gate"):
                differing = gatekeeper.differing(window)
            with run.timed("encode"):
                tokens = gatekeeper.encode(window, differing)
            decoded.extend(window.indices[::step].tolist())
            buffer.add(tokens)
            bar.update(len(window))
    return FrameTokens(
        tokens=buffer.tokens(),
        indices=decoded,
        encoder=encoder,
        steps_encoded=gatekeeper.steps_encoded,
    )


def _whole_steps(windows: Iterable[Frames], step: int) -> Iterator[Frames]:
    """Yields the frames again, so that no window but the last ends within a step."""
    rest: Frames | None = None
    for window in windows:
        frames = window if rest is None else Frames.concatenate([rest, window])
        whole = len(frames) - len(frames) % step
        rest = frames[whole:] if whole < len(frames) else None
        if whole:
            yield frames[:whole]
    if rest is not None:
        yield rest
