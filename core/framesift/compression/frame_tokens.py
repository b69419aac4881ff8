"""The visual tokens of some frames of a video, made window by window."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from framesift.compression.opening import FrameReader
from framesift.compression.stretches import CURE, Gate, Stretches, maker_of, stretched
from framesift.encoders.base import Encoder
from framesift.run import progress_bar
from framesift.types.device import ROOM, device_errors, free_bytes
from framesift.types.frames import Frames
from framesift.types.tokens import TokenBuffer, VideoTokens
from framesift.types.video import Region


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTokens:
    """The tokens of the frames that could be decoded."""

    tokens: VideoTokens
    indices: list[int]
    """Position in the stream of each of the frames, or of the first of each step."""
    encoder: Encoder
    encoded: Tensor
    """Tokens that were encoded, bool `(T, N)` on the CPU; the others are copies of those before."""
    views: list[Region] | None = None
    """The part of a still picture that each view covers; None for videos."""

    @property
    def tokens_in(self) -> int:
        """Tokens that a budget is a share of: of a picture those that are there."""
        return self.tokens.count if self.views is None else self.tokens.live_count

    @property
    def encoded_seconds(self) -> Tensor:
        """The time of the frame in which each token was encoded, float64 `(T, N)` on the CPU."""
        frames = torch.arange(len(self.encoded))[:, None]
        latest = torch.where(self.encoded, frames, 0).cummax(0).values
        return self.tokens.pts_seconds.double().cpu()[latest]

    def at(self, indices: Sequence[int]) -> FrameTokens:
        """Returns some of the frames, each of them encoded, by their position in the stream."""
        place = {index: i for i, index in enumerate(self.indices)}
        chosen = [place[index] for index in indices]
        tokens, encoded = self.tokens.frames(chosen), self.encoded[chosen]
        return replace(self, tokens=tokens, indices=list(indices), encoded=encoded)


def encode_frames(
    reader: FrameReader,
    indices: Sequence[int],
    encoder: Encoder,
    *,
    signals: frozenset[str] | None = None,
    gate: Gate | None = None,
) -> FrameTokens:
    """Returns the tokens of the frames at `indices`, never holding more than a window of pixels.

    Args:
        reader: the video.
        indices: positions in the stream, ascending.
        encoder: makes the tokens.
        signals: what it fills besides the features; None for all that it gives.
        gate: what is not encoded again; None encodes every frame whole.
    """
    info = reader.index.info
    fitted = encoder.fitted(info, len(indices))
    if fitted.views is not None:
        return _picture_tokens(reader, indices, encoder, fitted, signals)
    step, (rows, columns) = fitted.frames_per_step, fitted.grid
    parts = stretched(reader.index, indices, step)
    stretches = Stretches(reader=reader, encoder=fitted, signals=signals, gate=gate, parts=parts)
    decoded: list[int] = []
    starts: list[int] = []
    # Room for all is made at once: small tensors that stay, made between windows, split the heap.
    maker, steps = maker_of(stretches), stretches.steps
    buffer = TokenBuffer(steps, maker.empty)
    encoded = torch.ones(steps, rows * columns, dtype=torch.bool)
    with progress_bar("encode", total=len(indices)) as bar:
        for window in maker.windows(stretches):
            encoded[len(starts) : len(starts) + len(window.encoded)] = window.encoded
            decoded.extend(window.frames)
            starts.extend(window.frames[::step])
            with _room_for(window.tokens, steps, step):
                buffer.add(window.tokens)
            bar.update(len(window.frames))
    stretches.note_lost(decoded)
    tokens, encoded = buffer.tokens(), encoded[: len(starts)]
    if gate is not None and gate.still == "dropped":
        tokens = replace(tokens, mask=encoded.to(tokens.features.device))
    return FrameTokens(tokens=tokens, indices=starts, encoder=encoder, encoded=encoded)


def _picture_tokens(
    reader: FrameReader,
    indices: Sequence[int],
    encoder: Encoder,
    fitted: Encoder,
    signals: frozenset[str] | None,
) -> FrameTokens:
    """Returns the tokens of the views of a still picture, which no gate skips.

    Args:
        reader: the picture file.
        indices: positions in the stream, the one of the picture.
        encoder: of a vision LLM, as it was asked for.
        fitted: the one for this picture.
        signals: what it fills besides the features; None for all that it gives.
    """
    picture = Frames.concatenate(list(reader.frames(indices)))
    with (
        reader.run.timed("encode"),
        device_errors(f"encoder {fitted.spec!r}", "a picture", CURE),
    ):
        tokens = fitted.encode(picture, signals)
    there = tokens.live.cpu()
    return FrameTokens(
        tokens=tokens,
        indices=[indices[0]] * tokens.frame_count,
        encoder=encoder,
        encoded=there,
        views=fitted.views,
    )


def _room_for(
    tokens: VideoTokens, steps: int, frames_per_step: int
) -> AbstractContextManager[None]:
    """Raises a lack of memory for all tokens of a video as one line with the frames that fit.

    Args:
        tokens: those of one window.
        steps: time steps of the whole video.
        frames_per_step: sampled frames that make one of them.
    """
    device, columns = tokens.features.device, [tokens.features, *tokens.signals.present().values()]
    if tokens.layers is not None:
        columns.append(tokens.layers)
    each = sum(column[0].nbytes for column in columns)
    cure = "sample fewer frames: a lower fps, or max_frames"
    if (free := free_bytes(device)) is not None:
        fitting = max(1, min(int(ROOM * free / each), steps // 2))
        cure = f"about max_frames={fitting * frames_per_step} fit by estimate"
    return device_errors(device, f"the tokens of {steps} time steps", cure)
