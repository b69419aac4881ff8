"""The visual tokens of some frames of a video, made window by window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from framesift.compression.opening import FrameReader
from framesift.encoders.base import Encoder
from framesift.encoders.units import still_encoder
from framesift.run import progress_bar
from framesift.types.device import ROOM, device_errors, free_bytes
from framesift.types.frames import Frames
from framesift.types.options import Still
from framesift.types.tokens import TokenBuffer, VideoTokens
from framesift.types.video import Region

GATED_FRAMES: Final = 64
"""Frames that are encoded together with a gate, since a few patches of each fill no GPU."""
GATED_BYTES: Final = 2**27
"""Most bytes of their pictures, unless a single window has more."""
ENCODING: Final = "a window of frames"
CURE: Final = "which no keep changes; take a smaller encoder, or one on device='cpu'"
"""What helps an encoder that does not say so itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Which patches are not encoded again, and what becomes of them."""

    levels: float
    """Change in levels of 256 above which a patch is encoded again."""
    still: Still = "copied"
    """Whether the others copy the tokens that were encoded last there, or take no part."""


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
    decoded: list[int] = []
    info, run = reader.index.info, reader.run
    fitted = encoder.fitted(info, len(indices))
    if fitted.views is not None:
        return _picture_tokens(reader, indices, encoder, fitted, signals)
    still = None if gate is None else still_encoder(fitted, gate.levels, signals)
    size_px, step = reader.encoder_px(fitted), fitted.frames_per_step

    steps, (rows, columns) = -(-len(indices) // step), fitted.grid
    # Room for all is made at once: small tensors that stay, made between windows, split the heap.
    buffer, encoded = TokenBuffer(steps), torch.ones(steps, rows * columns, dtype=torch.bool)
    windows = _whole_steps(reader.frames(indices, size_px), step)
    with progress_bar("encode", total=len(indices)) as bar:
        for window in windows if still is None else _joined(windows):
            with run.timed("encode"), device_errors(f"encoder {fitted.spec!r}", ENCODING, CURE):
                if still is None:
                    tokens = fitted.encode(window, signals)
                else:
                    tokens, part = still.encode(window)
                    encoded[len(decoded) : len(decoded) + len(part)] = part
            decoded.extend(window.indices[::step].tolist())
            with _room_for(tokens, steps, step):
                buffer.add(tokens)
            bar.update(len(window))
    tokens, encoded = buffer.tokens(), encoded[: len(decoded)]
    if gate is not None and gate.still == "dropped":
        tokens = replace(tokens, mask=encoded.to(tokens.features.device))
    return FrameTokens(tokens=tokens, indices=decoded, encoder=encoder, encoded=encoded)


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


def _joined(windows: Iterable[Frames]) -> Iterator[Frames]:
    """Yields windows of at least `GATED_FRAMES`, but for the last one and those of large frames."""
    waiting: list[Frames] = []
    for window in windows:
        waiting.append(window)
        count = sum(map(len, waiting))
        if count >= GATED_FRAMES or count * window.data[0].nbytes >= GATED_BYTES:
            yield Frames.concatenate(waiting)
            waiting = []
    if waiting:
        yield Frames.concatenate(waiting)


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
