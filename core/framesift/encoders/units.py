"""Encoders that encode only the units of a video that changed; skipped ones copy their tokens."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from framesift.encoders._resize import resized
from framesift.encoders.base import Encoder
from framesift.encoders.still import ChangedUnits, Units
from framesift.hf.attention import borrowing
from framesift.hf.borrowing import KeptKeys, PackedFrames, WholeFrames
from framesift.types.frames import Frames
from framesift.types.tokens import VideoTokens

STEPS_PER_PASS: Final = 8
"""Most time steps of one pass, in times of those that are encoded at once when they are whole."""


class StillEncoder(Protocol):
    """Encodes the windows of one video in turn."""

    def encode(self, frames: Frames) -> tuple[VideoTokens, Tensor]:
        """Returns the tokens of a window, and which of them were encoded, bool `(T, N)` on the CPU.

        The others are copies of those that were encoded last at their places, with what the tower
        says of them; `edge_density` is that of each frame. Windows are whole steps, but for the
        last one of a video.
        """


@dataclass(frozen=True, kw_only=True)
class UnitEncoder(Encoder):
    """An encoder whose tower can encode some places of a frame alone.

    How a family joins in: it says how its frames are cut into units (`units`), and writes `look_at`
    with the modules of its model, called one after the other on hidden states that are packed to
    one row. What the units do not encode is lent by `hf.borrowing.KeptKeys`, which answers the
    tower's attention while `look_at` (and `look`, when all units are encoded) runs.
    """

    @abstractmethod
    def steps_at_once(self, frame_px: tuple[int, int]) -> int:
        """Returns how many time steps of frames of a size `(H, W)` go through the tower at once."""

    @property
    @abstractmethod
    def tower(self) -> Any:
        """The module of the loaded tower, whose `config` names its attention function."""

    @abstractmethod
    def running(self) -> AbstractContextManager[None]:
        """Keeps other threads from the loaded model within the block."""

    @abstractmethod
    def units(self, size_px: tuple[int, int]) -> Units:
        """Returns how frames are cut that `prepared` brought to a size `(H, W)`."""

    @abstractmethod
    def prepared(self, frames: Frames) -> Tensor:
        """Returns frames as the tower takes them, on its device, float32 `(T * S, 3, H, W)`.

        `S` frames make a step; where the last one lacks some, its last frame is repeated.
        """

    @property
    @abstractmethod
    def levels(self) -> tuple[float, ...]:
        """How many levels of 256 make 1 in what `prepared` gives, for each of the three colours."""

    @abstractmethod
    def look(self, pixels: Tensor, signals: frozenset[str]) -> dict[str, Tensor]:
        """Returns `features`, `signals` and `layers` of whole frames by name, each `(T, N, ...)`.

        Args:
            pixels: some steps of what `prepared` gave, in the dtype of the tower.
            signals: those that are wanted.
        """

    @abstractmethod
    def look_at(
        self, pixels: Tensor, encoded: Tensor, packing: PackedFrames, signals: frozenset[str]
    ) -> dict[str, Tensor]:
        """Returns what `look` does for the encoded units alone, each `(U, ...)`, frame by frame.

        Args:
            pixels: some steps of what `prepared` gave, each with something to encode.
            encoded: the units to encode, bool `(T, N)` on the CPU.
            packing: which places of the tower those are; `packing.gather` takes the hidden states
                of all places `(T, L, C)` to the packed row `(1, P, C)` that the layers then take.
            signals: those that are wanted.
        """

    def places(self, encoded: Tensor, units: Units) -> Tensor:
        """Returns the places of the tower, bool `(T, L)`, that units `(T, N)` need, on the CPU.

        A token that sums up the frame is one of them, in every frame with something to encode.
        """
        return units.patches(encoded)

    def windows(self, module: Any) -> Tensor | None:
        """Returns the window of each place as `PackedFrames.grouping` takes it; None for one."""
        return None

    @abstractmethod
    def tokens(
        self, frames: Frames, columns: dict[str, Tensor], signals: frozenset[str]
    ) -> VideoTokens:
        """Returns the tokens of frames from what `look` gave for them.

        Args:
            frames: a window.
            columns: `features`, and others by name.
            signals: those that are wanted; `edge_density` is made here, of the frames.
        """


def picked(values: Tensor, which: Tensor) -> Tensor:
    """Returns rows of values, as `values[which]` does, without waiting for their device.

    Args:
        values: of any shape that begins as `which` does.
        which: bool, on the CPU.
    """
    rows = which.flatten().nonzero()[:, 0].to(values.device)
    return values.flatten(0, which.ndim - 1).index_select(0, rows)


def still_encoder(encoder: Encoder, gate: float, signals: frozenset[str] | None) -> StillEncoder:
    """Returns what encodes a video's units, or its frames, where they changed.

    Args:
        encoder: fitted to the video.
        gate: change in levels of 256 above which a unit is encoded again.
        signals: what is filled besides the features; None for all that the encoder gives.
    """
    if isinstance(encoder, UnitEncoder):
        return StillUnits(encoder, gate, signals)
    return StillFrames(encoder, gate, signals)


class StillUnits:
    """Encodes the units of a video that changed; it holds one frame's tokens, keys and values."""

    def __init__(self, encoder: UnitEncoder, gate: float, signals: frozenset[str] | None) -> None:
        """Begins a video, with the arguments of `still_encoder`."""
        self._encoder: Final = encoder
        self._gate: Final = gate
        self._signals: Final = encoder.wanted(signals)
        self._keys: Final = KeptKeys(encoder.windows)
        self._changed: ChangedUnits | None = None
        self._last: dict[str, Tensor] = {}

    @torch.no_grad()
    def encode(self, frames: Frames) -> tuple[VideoTokens, Tensor]:
        """Returns the tokens of the next window, and which of them were encoded."""
        encoder = self._encoder
        found = [self._encoded(piece) for piece in self._pieces(frames)]
        parts = [part for columns, _ in found for part in columns]
        columns = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        return encoder.tokens(frames, columns, self._signals), torch.cat([e for _, e in found])

    def _pieces(self, frames: Frames) -> Iterator[Frames]:
        """Yields what is prepared at once: on a CPU one pass, whose pixels stay in its cache.

        A device takes all of a window, for the fewest waits.
        """
        encoder, count = self._encoder, len(frames)
        if encoder.tower.device.type == "cpu":
            steps = encoder.steps_at_once(frames.data.shape[1:3])
            count = steps * encoder.frames_per_step
        for start in range(0, len(frames), count):
            yield frames[start : start + count]

    def _encoded(self, frames: Frames) -> tuple[list[dict[str, Tensor]], Tensor]:
        """Returns what each pass gives for frames, and which units were encoded."""
        encoder = self._encoder
        pixels = encoder.prepared(frames)
        if self._changed is None:
            height, width = pixels.shape[-2:]
            self._changed = ChangedUnits(
                encoder.units((height, width)),
                self._gate,
                levels=encoder.levels,
                frames_per_step=encoder.frames_per_step,
            )
        encoded = self._changed.changed(pixels)
        steps = pixels.to(encoder.tower.dtype).unflatten(0, (-1, encoder.frames_per_step))
        with encoder.running():
            parts = [
                self._pass(steps[part], encoded[part], self._changed.units)
                for part in _passes(encoded, encoder.steps_at_once(frames.data.shape[1:3]))
            ]
        return parts, encoded

    def _pass(self, steps: Tensor, encoded: Tensor, units: Units) -> dict[str, Tensor]:
        keys, encoder = self._keys, self._encoder
        if encoded.all():
            keys.packing = WholeFrames(len(encoded), encoder.places(encoded[:1], units).shape[1])
            with borrowing(encoder.tower.config, keys):
                whole = encoder.look(steps.flatten(0, 1), self._signals)
            self._last = {name: value[-1].clone() for name, value in whole.items()}
            return whole
        active = encoded.any(1)
        new = {}
        if active.any():
            some = encoded[active]
            places = encoder.places(some, units)
            keys.packing = PackedFrames(places, steps.device, first=keys.empty)
            pixels = picked(steps, active).flatten(0, 1)
            with borrowing(encoder.tower.config, keys):
                new = encoder.look_at(pixels, some, keys.packing, self._signals)
        return self._copied(encoded, new)

    def _copied(self, encoded: Tensor, new: dict[str, Tensor]) -> dict[str, Tensor]:
        """Returns all tokens `(T, N, ...)` from those encoded `(U, ...)` and the last ones."""
        places = encoded.shape[1]
        first = places if self._last else 0
        number = encoded.flatten().cumsum(0).view(encoded.shape) - 1 + first
        latest = torch.where(encoded, number, torch.arange(places)).cummax(0).values.flatten()
        columns = {}
        for name in self._last or new:
            rows = torch.cat([each[name] for each in (self._last, new) if name in each])
            taken = rows.index_select(0, latest.to(rows.device))
            columns[name] = taken.unflatten(0, encoded.shape)
        self._last = {name: value[-1].clone() for name, value in columns.items()}
        return columns


class StillFrames:
    """Encodes whole time steps in which a unit changed, for encoders that encode no units.

    Units are what their grid cuts the frames into; the frames are squashed to the size that the
    encoder works on.
    """

    def __init__(self, encoder: Encoder, gate: float, signals: frozenset[str] | None) -> None:
        """Begins a video, with the arguments of `still_encoder`."""
        self._encoder: Final = encoder
        self._signals: Final = signals
        units = Units.even(encoder.grid, encoder.input_px)
        self._changed: Final = ChangedUnits(
            units, gate, frames_per_step=encoder.frames_per_step, whole=True
        )
        self._last: VideoTokens | None = None

    def encode(self, frames: Frames) -> tuple[VideoTokens, Tensor]:
        """Returns the tokens of the next window, and which of them were encoded."""
        step = self._encoder.frames_per_step
        images = resized(frames.data, self._encoder.input_px)
        if missing := -len(frames) % step:
            images = np.concatenate([images, images[-1:].repeat(missing, axis=0)])
        levels = torch.from_numpy(images).permute(0, 3, 1, 2).float()
        encoded = self._changed.changed(levels)
        differing = encoded.any(1)
        wanted = np.flatnonzero(differing.repeat_interleave(step)[: len(frames)].numpy())
        new = self._encoder.encode(frames[wanted], self._signals) if len(wanted) else None
        if new is None or len(wanted) < len(frames):
            # Copies of a step would have its times again; all have their own in the end.
            found = (self._last, new)
            parts = [replace(part, step_seconds=None) for part in found if part is not None]
            pool = VideoTokens.gather(parts, sum(part.frame_count for part in parts))
            source = differing.cumsum(0) - int(self._last is None)
            new = pool.frames(source.tolist())
        times = torch.from_numpy(frames.step_seconds(step))
        new = replace(new, pts_seconds=times[:, 0], step_seconds=times if step > 1 else None)
        self._last = new.frames([-1])
        return new, encoded


def _passes(encoded: Tensor, batch: int) -> Iterator[slice]:
    """Yields the steps of each pass: about as many units as `batch` whole steps have, at most."""
    most, start, units = batch * encoded.shape[1], 0, 0
    for number, count in enumerate(encoded.sum(1).tolist()):
        if number > start and (units + count > most or number - start == batch * STEPS_PER_PASS):
            yield slice(start, number)
            start, units = number, 0
        units += count
    yield slice(start, len(encoded))
