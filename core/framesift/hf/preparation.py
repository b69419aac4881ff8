"""How a checkpoint crops and resizes pictures, and which part of a picture its tower sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from framesift.errors import ModelError
from framesift.hf.checkpoint_files import called
from framesift.hf.frame_pixels import MODES, FramePixels
from framesift.types.device import CPU, uploaded

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How pictures are brought to a size: padded to a square, resized, cropped, each if at all."""

    padded: bool
    size_px: int | tuple[int, int] | None
    """Length of the shortest side, or `(H, W)`; None leaves pictures as they are."""
    crop_px: tuple[int, int] | None
    """Size `(H, W)` of the middle that is cut out."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Returns what the settings of a processor say."""
        size, crop = settings["size"], settings.get("crop_size")
        exact = (size.get("height"), size.get("width"))
        wanted = size.get("shortest_edge") or exact
        return cls(
            padded=bool(settings.get("do_pad")),
            size_px=wanted if settings.get("do_resize", True) else None,
            crop_px=(
                (crop["height"], crop["width"]) if crop and settings.get("do_center_crop") else None
            ),
        )

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size `(H, W)` that a picture has before it is cropped."""
        if self.size_px is None:
            return height, width
        if not isinstance(self.size_px, int):
            return self.size_px
        shortest = min(height, width)
        return self.size_px * height // shortest, self.size_px * width // shortest

    def cropped(self, pixels: Tensor) -> Tensor:
        """Returns the middle of resized pixels `(T, 3, H, W)`, or all where nothing is cut."""
        if self.crop_px is None:
            return pixels
        height, width = pixels.shape[2:]
        rows, columns = self.crop_px
        top, left = (height - rows) // 2, (width - columns) // 2
        return pixels[:, :, top : top + rows, left : left + columns]

    def region(self, height: int, width: int) -> tuple[float, float, float, float]:
        """Returns the part `(x0, y0, x1, y1)` of a picture that is left, relative to it."""
        seen = (max(height, width),) * 2 if self.padded else (height, width)
        rows, columns = 1.0, 1.0
        if self.crop_px is not None:
            resized = self.resized(*seen)
            rows, columns = self.crop_px[0] / resized[0], self.crop_px[1] / resized[1]
        above, beside = (1 - rows * seen[0] / height) / 2, (1 - columns * seen[1] / width) / 2
        return beside, above, 1 - beside, 1 - above


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation(ABC):
    """The preprocessing of a vision tower that takes squares of one size."""

    geometry: Geometry

    @property
    def least_px(self) -> int:
        """Shortest side in pixels from which nothing is scaled up."""
        size = self.geometry.size_px
        if size is None:
            return 1
        return size if isinstance(size, int) else min(size)

    @abstractmethod
    def pixels(self, images: Pixels, device: torch.device = CPU) -> Tensor:
        """Returns RGB pixels `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`.

        They are prepared on `device`, and stay there.
        """

    @property
    @abstractmethod
    def levels(self) -> tuple[float, ...]:
        """How many levels of 256 make 1 in what `pixels` gives, for each of the three colours."""

    def cut(self, images: Pixels) -> Pixels:
        """Returns the part of `images` `(T, H, W, 3)` that the tower sees, black where padded."""
        height, width = images.shape[1:3]
        x0, y0, x1, y1 = self.geometry.region(height, width)
        top, bottom = round(y0 * height), round(y1 * height)
        left, right = round(x0 * width), round(x1 * width)
        beyond = (
            (0, 0),
            (max(0, -top), max(0, bottom - height)),
            (max(0, -left), max(0, right - width)),
            (0, 0),
        )
        inside = images[:, max(0, top) : bottom, max(0, left) : right]
        return np.pad(inside, beyond) if any(map(any, beyond)) else inside


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePreparation(Preparation):
    """What an image processor of transformers does: itself on the CPU, by torch elsewhere.

    Transformers prepares by pillow or, where it is installed, by torchvision. They differ by a
    level or two of 255 in single pixels, which pillow rounds twice, once for each side.
    """

    processor: Any
    frames: FramePixels
    """The same settings, for torch."""

    @classmethod
    def of(cls, processor: Any) -> Self:
        """Returns the preparation that an image processor stands for."""
        settings = processor.to_dict()
        resample = settings.get("resample")
        frames = FramePixels(settings=settings, resample=-1 if resample is None else int(resample))
        return cls(geometry=Geometry.of(settings), processor=processor, frames=frames)

    def pixels(self, images: Pixels, device: torch.device = CPU) -> Tensor:
        """Returns RGB pixels `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`."""
        if device.type != "cpu" and self._is_plain(*images.shape[1:3]):
            return self._by_torch(images, device)
        prepared = self.processor(
            images=list(images), input_data_format="channels_last", return_tensors="pt"
        )
        pixels: Tensor = prepared["pixel_values"]
        return pixels.to(device)

    def _is_plain(self, height: int, width: int) -> bool:
        """Returns whether torch can do it: sizes that are known, and nothing filled up behind."""
        settings, size_px = self.frames.settings, self.geometry.size_px
        known = isinstance(size_px, int) or size_px is None or None not in size_px
        if not (known and settings.get("image_mean") and settings.get("image_std")):
            return False
        if (settings.get("size") or {}).get("longest_edge") or self.frames.resample not in MODES:
            return False
        seen = (max(height, width),) * 2 if self.geometry.padded else (height, width)
        least = self.geometry.crop_px or (1, 1)
        return all(np.greater_equal(self.geometry.resized(*seen), least))

    def _by_torch(self, images: Pixels, device: torch.device) -> Tensor:
        frames = uploaded(images, device)
        if self.geometry.padded:
            color = self.frames.settings.get("image_mean") or [0.0]
            frames = _squared(frames, [int(255 * value) for value in color])
        return self.geometry.cropped(
            self.frames.normalized(
                self.frames.resized(frames, [self.geometry.resized(*frames.shape[2:])])
            )
        )

    @property
    def levels(self) -> tuple[float, ...]:
        """How many levels of 256 make 1 in what `pixels` gives, for each of the three colours."""
        return self.frames.levels


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPreparation(Preparation):
    """What a video processor of transformers does, without the torchvision that it needs."""

    frames: FramePixels

    @classmethod
    def of(cls, model: str, usual: Mapping[str, Any], resample: int) -> Self:
        """Returns what a checkpoint says about videos.

        Args:
            model: local folder or hub id.
            usual: settings that hold where the checkpoint has none.
            resample: filter of pillow, likewise.

        Raises:
            ModelError: it does not say how frames are prepared, or cuts out more than there is.
        """
        frames = FramePixels.of(model, resample=resample)
        geometry = Geometry.of({**usual, **frames.settings})
        height, width = geometry.resized(1 << 10, 1 << 10)
        if geometry.crop_px is not None and (height, width) < geometry.crop_px:
            raise ModelError(
                f"{called(model)!r} cuts {geometry.crop_px} pixels out of {(height, width)}; "
                "its crop_size must be at most its size; correct the preprocessor files"
            )
        return cls(geometry=geometry, frames=frames)

    @property
    def levels(self) -> tuple[float, ...]:
        """How many levels of 256 make 1 in what `pixels` gives, for each of the three colours."""
        return self.frames.levels

    def pixels(self, images: Pixels, device: torch.device = CPU) -> Tensor:
        """Returns RGB pixels `(T, H, W, 3)` as the tower takes them, float32 `(T, 3, h, w)`."""
        size_px = self.geometry.resized(*images.shape[1:3])
        return self.geometry.cropped(self.frames.pixels(images, [size_px], device))


def _squared(frames: Tensor, color: list[int]) -> Tensor:
    """Returns frames `(T, 3, H, W)` in the middle of squares of a colour, `(T, 3, S, S)`."""
    count, _, height, width = frames.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    around = torch.tensor(color, dtype=frames.dtype).to(frames.device)[:, None, None]
    squares = around.expand(3, side, side).repeat(count, 1, 1, 1)
    squares[:, :, top : top + height, left : left + width] = frames
    return squares
