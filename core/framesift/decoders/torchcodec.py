"""Decodes with torchcodec, on an NVIDIA GPU where it is built with CUDA."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from framesift.decoders import _container, _libav
from framesift.decoders._orientation import Image
from framesift.decoders._timeline import Timeline, read_timeline
from framesift.decoders.ahead import has_reader
from framesift.decoders.base import WINDOW, WINDOW_BYTES, Decoder, FrameIndex
from framesift.errors import FramesiftError, InvalidOptionError, MissingDependencyError
from framesift.registry import require


@dataclass(frozen=True, kw_only=True)
class TorchcodecDecoder(Decoder):
    """Decodes a window of frames in one call, by the frame index that all decoders share.

    It needs FFmpeg's shared libraries on the machine. What it would not give exactly is read by
    PyAV, with the same frames at the same times: files that cannot be sought in by time (AVI, GIF,
    MPEG-TS, raw streams), whose clock jumps or that hold single fields, mirrored pictures, and the
    rest of a file from the first window that it gives an error or another time for. Two things
    differ: damage that FFmpeg conceals looks like a good frame, and pictures are scaled after they
    are decoded, on the device.
    """

    summary: ClassVar[str] = "torchcodec: on an NVIDIA GPU where it is built with CUDA"

    device: Annotated[str | None, Field(pattern=r"^(cpu|cuda(:\d+)?)$")] = None
    """Where it decodes: `cpu` or `cuda`; None for the GPU where torchcodec can use one."""

    def __post_init__(self) -> None:
        _place(self.device)  # before anything is fetched

    def scan(self, path: Path) -> FrameIndex:
        """Returns every frame of the stream, as `pyav` does."""
        return read_timeline(path, self.most_pixels).index

    def pictures(
        self, path: Path, indices: Sequence[int], size_px: tuple[int, int] | None
    ) -> Iterator[tuple[int, Image]]:
        """Yields the pictures at `indices`, scaled after they are decoded.

        Raises:
            InvalidOptionError: `device` is a GPU that cannot be used.
            MissingDependencyError: torchcodec is not there, or finds no FFmpeg.
        """
        timeline = read_timeline(path, self.most_pixels)
        done = 0
        if _is_exact(timeline):
            for pictures in self._windows(path, timeline, indices, size_px):
                yield from zip(indices[done : done + len(pictures)], pictures, strict=True)
                done += len(pictures)
        if done < len(indices) and has_reader():
            yield from _libav.pictures(path, timeline, indices[done:], size_px, self.most_pixels)

    def _windows(
        self,
        path: Path,
        timeline: Timeline,
        indices: Sequence[int],
        size_px: tuple[int, int] | None,
    ) -> Iterator[Image]:
        """Yields pictures `(T, H, W, 3)` up to the first that torchcodec does not give exactly."""
        info = timeline.index.info
        fitting = max(1, min(WINDOW, WINDOW_BYTES // (3 * info.width_px * info.height_px)))
        shown = size_px or (info.height_px, info.width_px)
        seconds = timeline.ticks * float(timeline.time_base)
        try:
            decoder = _opened(path, timeline, _place(self.device))
            for first in range(0, len(indices), fitting):
                places = list(indices[first : first + fitting])
                batch = decoder.get_frames_at(places)
                wrong = np.abs(batch.pts_seconds.numpy() - seconds[places])
                if wrong.max() > float(timeline.time_base) / 2 or not has_reader():
                    return
                yield cast(Image, _scaled(batch.data, *shown).cpu().numpy())
        except FramesiftError:
            raise
        except (RuntimeError, ValueError, IndexError):  # PyAV goes on, and says what is damaged
            return


def _is_exact(timeline: Timeline) -> bool:
    """Returns whether torchcodec finds the frames of a stream by their times, and turns them."""
    return bool(len(timeline.keys)) and not (
        timeline.has_fields or timeline.orientation.is_mirrored
    )


def _place(device: str | None) -> str:
    """Returns the device to decode on, checked.

    Raises:
        InvalidOptionError: it is a GPU that cannot be used.
        MissingDependencyError: torchcodec is not there, or finds no FFmpeg.
    """
    try:
        library = require("torchcodec", extra="torchcodec")
        require("torchcodec.decoders", extra="torchcodec")
    except RuntimeError as error:
        raise MissingDependencyError(
            "torchcodec is there, but finds no shared libraries of FFmpeg, or another torch than "
            "its own; install FFmpeg 4 to 8, run: pip install --upgrade 'framesift[torchcodec]', "
            "or use the decoder 'pyav'"
        ) from error
    has_cuda = "+cpu" not in library.__version__ and torch.cuda.is_available()
    if device is None:
        return "cuda" if has_cuda else "cpu"
    if device != "cpu" and not has_cuda:
        raise InvalidOptionError(
            f"device={device!r} needs an NVIDIA GPU and a torchcodec built with CUDA, as PyTorch's "
            f"own package index has it; this one is {library.__version__}; use 'cpu'"
        )
    return device


def _opened(path: Path, timeline: Timeline, device: str) -> Any:
    """Returns torchcodec's decoder of the stream, which is spared its own scan of the file."""
    ticks, keys = timeline.ticks, set(timeline.keys.tolist())
    lengths = np.diff(ticks, append=ticks[-1] + 1).tolist()
    frames = [
        {"pts": pts, "duration": length, "key_frame": int(place in keys)}
        for place, (pts, length) in enumerate(zip(ticks.tolist(), lengths, strict=True))
    ]
    return require("torchcodec.decoders", extra="torchcodec").VideoDecoder(
        str(path),
        stream_index=timeline.stream_index,
        dimension_order="NHWC",
        num_ffmpeg_threads=_container.decoding_threads(),
        device=device,
        custom_frame_mappings=json.dumps({"frames": frames}),
    )


def _scaled(pictures: Tensor, height: int, width: int) -> Tensor:
    """Returns pictures `(T, height, width, 3)`: averages where they shrink, cubic where not."""
    if pictures.shape[1:3] == (height, width):
        return pictures
    shrinks = height < pictures.shape[1] or width < pictures.shape[2]
    planes = pictures.movedim(-1, 1)
    planes = torch.nn.functional.interpolate(
        planes if planes.is_cpu else planes.float(),
        size=(height, width),
        mode="bilinear" if shrinks else "bicubic",
        antialias=True,
    )
    if planes.is_floating_point():
        planes = planes.round().clamp(0, 255).to(torch.uint8)
    return planes.movedim(1, -1).contiguous()
