"""Resizes and normalizes frames as the video processor of a checkpoint does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from platform import machine
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from framesift.errors import ModelError
from framesift.hf._pixel_settings import check_pixel_settings
from framesift.hf.checkpoint import load_json
from framesift.hf.checkpoint_files import called
from framesift.types.device import CPU, uploaded

LANCZOS: Final = 1
"""Pillow's number of the filter that recent versions of torch have too, on the CPU only."""
MODES: Final = {2: "bilinear", 3: "bicubic"}
"""Filters of pillow that torch has on every device, which is what video processors resize with."""
SETTINGS: Final = (
    ("processor_config.json", "video_processor"),
    ("video_preprocessor_config.json", None),
    ("preprocessor_config.json", None),
    ("processor_config.json", "image_processor"),
)
"""Where settings for videos may stand, and under which key; the first one found holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePixels:
    """Resizes frames and normalizes their colours for one vision tower.

    The arithmetic is that of the video processors of transformers, which need torchvision; this
    does not, and gives the same pixels. On a GPU it does what they do there: torch resizes whole
    numbers on the CPU only, so it goes through float32 and rounds, a level of 255 off now and then.
    Lanczos has no kernel there, and runs on the CPU; where torch has none at all, by pillow.
    """

    settings: dict[str, Any]
    """What the checkpoint says about its videos, else about its pictures."""
    resample: int
    """Filter of pillow by which frames are resized."""

    @classmethod
    def of(cls, model: str, *, resample: int) -> Self:
        """Returns what a checkpoint says.

        Args:
            model: local folder or hub id.
            resample: filter of pillow that holds where the checkpoint names none.

        Raises:
            ModelError: it does not say how colours are normalized.
        """
        for name, key in SETTINGS:
            content = load_json(model, name)
            settings = content if key is None else content.get(key)
            if isinstance(settings, dict) and {"image_mean", "image_std"} <= settings.keys():
                check_pixel_settings(model, settings)
                return cls(settings=settings, resample=settings.get("resample", resample))
        raise ModelError(
            f"{called(model)!r} does not give image_mean and image_std in preprocessor_config.json "
            "or processor_config.json; add the preprocessor files that belong to the checkpoint"
        )

    def pixels(
        self,
        images: npt.NDArray[np.uint8],
        sizes_px: Sequence[tuple[int, int]],
        device: torch.device = CPU,
    ) -> Tensor:
        """Returns RGB frames `(T, H, W, 3)` resized and normalized, float32 `(T, 3, h, w)`.

        Args:
            images: the frames.
            sizes_px: sizes `(h, w)` that they are brought to, one after the other.
            device: where that is done, and where they are then.
        """
        # What torch has no filter for is resized by pillow, on the CPU.
        frames = uploaded(images, device if self.resample in MODES else CPU)
        return self.normalized(self.resized(frames, sizes_px).to(device))

    def resized(self, frames: Tensor, sizes_px: Sequence[tuple[int, int]]) -> Tensor:
        """Returns frames uint8 `(T, 3, H, W)` at the last of the sizes, uint8 `(T, 3, h, w)`."""
        for size_px in sizes_px:
            frames = frames if frames.shape[2:] == size_px else self._resized(frames, size_px)
        return frames

    def normalized(self, frames: Tensor) -> Tensor:
        """Returns frames uint8 `(T, 3, h, w)` with their colours normalized, float32."""
        if not self.settings.get("do_normalize", True):
            return frames * float(self._scale)
        mean, std = (
            (torch.tensor(self.settings[name]) * (1.0 / self._scale))[:, None, None]
            for name in ("image_mean", "image_std")
        )
        mean, std = mean.to(frames.device), std.to(frames.device)
        return (frames.float() - mean) / std

    @property
    def levels(self) -> tuple[float, ...]:
        """How many levels of 256 make 1 in what `pixels` gives, for each of the three colours."""
        one = 1 / self._scale
        if not self.settings.get("do_normalize", True):
            return (one,) * 3
        return tuple(std * one for std in self.settings["image_std"])

    @property
    def _scale(self) -> float:
        if not self.settings.get("do_rescale", True):
            return 1.0
        scale: float = self.settings.get("rescale_factor", 1 / 255)
        return scale

    def _resized(self, frames: Tensor, size_px: tuple[int, int]) -> Tensor:
        mode = "lanczos" if self.resample == LANCZOS and _has_lanczos() else None
        if mode := MODES.get(self.resample, mode):
            whole = _keeps_whole_numbers(mode, frames.device)
            given = frames if whole else frames.float()
            found = interpolate(given, size=list(size_px), mode=mode, antialias=True)
            return found if whole else found.clamp_(0, 255).round_().to(torch.uint8)
        images = (Image.fromarray(frame) for frame in frames.permute(0, 2, 3, 1).numpy())
        kind = Image.Resampling(self.resample)
        resized = [np.asarray(image.resize(size_px[::-1], kind)) for image in images]
        return torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2).contiguous()


def _keeps_whole_numbers(mode: str, device: torch.device) -> bool:
    """Returns whether video processors resize whole numbers as such, as they do by fast kernels."""
    if device.type != "cpu":
        return False
    fast = torch.backends.cpu.get_cpu_capability() in {"AVX2", "AVX512"}
    return fast or mode != "bilinear" or machine() in {"aarch64", "arm64"}


@cache
def _has_lanczos() -> bool:
    """Returns whether this torch resizes by Lanczos."""
    picture = torch.zeros(1, 3, 4, 4, dtype=torch.uint8)
    try:
        interpolate(picture, size=[2, 2], mode="lanczos", antialias=True)
    except (NotImplementedError, RuntimeError, ValueError):
        return False
    return True
