"""What a synthetic scene is made of: still stages and the sprites that move over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from framesift.types.video import TimedText

Pixels = npt.NDArray[np.uint8]
Point = tuple[float, float]
Box = tuple[float, float, float, float]

WHOLE_PICTURE: Box = (0.0, 0.0, 1.0, 1.0)
FEWEST_FRAMES = 8
NOISE_SHIFTS = 4096


class SceneSettings(BaseModel):
    """What the query of a `synthetic://` address may set, with its bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(default=8.0, ge=1, le=7200)
    seed: int = Field(default=0, ge=0, lt=2**32)
    width: int = Field(default=640, ge=64, le=4096, multiple_of=2)
    height: int = Field(default=360, ge=64, le=4096, multiple_of=2)
    fps: int = Field(default=12, ge=1, le=60)
    noise: float | None = Field(default=None, ge=0, le=40)
    """Standard deviation of the sensor noise in grey levels; None for what suits the scene."""
    drift: float = Field(default=0.0, ge=-1, le=1)
    """Part of the picture's width by which the backdrop slides to the right in a second."""

    @model_validator(mode="after")
    def _long_enough(self) -> SceneSettings:
        if self.frame_count < FEWEST_FRAMES:
            raise ValueError(f"seconds * fps should be at least {FEWEST_FRAMES} frames")
        return self

    @property
    def frame_count(self) -> int:
        """Number of frames of the whole video."""
        return round(self.seconds * self.fps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """The still picture behind everything, from its start to the start of the next one."""

    start_seconds: float
    painted: Callable[[], Pixels]
    """Paints it: a scene of which only the truth is read needs no picture."""
    title: str | None = None

    @cached_property
    def pixels(self) -> Pixels:
        """RGB `(H, W, 3)`."""
        return self.painted()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sprite:
    """A small picture that moves in a straight line while it is shown."""

    pixels: Pixels
    """RGB times alpha, and alpha, `(h, w, 4)`."""
    start_seconds: float
    end_seconds: float
    path: tuple[Point, Point]
    """Centre at the start and at the end, in pixels (x, y) of the picture."""

    def shown(self, seconds: float) -> bool:
        """Returns whether the sprite is in the picture at this time."""
        return self.start_seconds <= seconds < self.end_seconds

    def corner(self, seconds: float) -> tuple[int, int]:
        """Returns the pixel (x, y) of the upper left corner at this time."""
        progress = (seconds - self.start_seconds) / (self.end_seconds - self.start_seconds)
        height, width = self.pixels.shape[:2]
        (x0, y0), (x1, y1) = self.path
        return (
            round(x0 + (x1 - x0) * progress - width / 2),
            round(y0 + (y1 - y0) * progress - height / 2),
        )

    def box(self, seconds: float, size_px: tuple[int, int]) -> Box:
        """Returns the box (x0, y0, x1, y1) of the opaque pixels, as parts of a picture `(W, H)`."""
        left, top = self.corner(seconds)
        solid = (self.pixels[..., 3] > 128).astype(np.uint8)
        x, y, width, height = cv2.boundingRect(solid)
        corners = ((left + x, top + y), (left + x + width, top + y + height))
        (x0, y0), (x1, y1) = (
            tuple(
                round(min(max(v / whole, 0.0), 1.0), 6) for v, whole in zip(p, size_px, strict=True)
            )
            for p in corners
        )
        return x0, y0, x1, y1

    def blit(self, picture: Pixels, seconds: float) -> None:
        """Draws the sprite into `picture`, cut off at its edges."""
        left, top = self.corner(seconds)
        height, width = self.pixels.shape[:2]
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + width, picture.shape[1]), min(top + height, picture.shape[0])
        if x0 >= x1 or y0 >= y1:
            return
        patch = self.pixels[y0 - top : y1 - top, x0 - left : x1 - left]
        under = picture[y0:y1, x0:x1]
        clear = 255 - patch[..., 3:].astype(np.uint16)
        under[:] = patch[..., :3] + (under * clear // 255).astype(np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A video that can be drawn at any time, with everything there is to know about it."""

    title: str
    settings: SceneSettings
    noise: float
    """Standard deviation of the sensor noise in grey levels."""
    stages: tuple[Stage, ...]
    """At least one; the first starts at 0."""
    sprites: tuple[Sprite, ...] = ()
    subtitles: tuple[TimedText, ...] = ()
    truth: dict[str, Any] = field(default_factory=dict)
    """JSON-safe: the settings, `events` and `questions`."""

    @property
    def duration_seconds(self) -> float:
        """From the first frame to the end of the last one."""
        return self.settings.frame_count / self.settings.fps

    @property
    def chapters(self) -> tuple[TimedText, ...]:
        """The stages that have a title, as chapters."""
        ends = [*(stage.start_seconds for stage in self.stages[1:]), self.duration_seconds]
        return tuple(
            TimedText(start_seconds=stage.start_seconds, end_seconds=end, text=stage.title)
            for stage, end in zip(self.stages, ends, strict=True)
            if stage.title
        )

    def draw(self, seconds: float) -> Pixels:
        """Returns the picture at this time, RGB `(H, W, 3)`."""
        return self._with_noise(self._clean(seconds), round(seconds * self.settings.fps))

    def frames(self) -> Iterator[Pixels]:
        """Yields every frame; the same object again where nothing changed and there is no noise."""
        shown, clean = None, self.stages[0].pixels
        for index in range(self.settings.frame_count):
            seconds = index / self.settings.fps
            if (state := self._state(seconds)) != shown:
                shown, clean = state, self._clean(seconds)
            yield self._with_noise(clean, index)

    def _stage(self, seconds: float) -> Stage:
        return [stage for stage in self.stages if stage.start_seconds <= seconds][-1]

    def _state(self, seconds: float) -> list[int | tuple[int, int] | None]:
        corners = [s.corner(seconds) if s.shown(seconds) else None for s in self.sprites]
        return [id(self._stage(seconds)), self._slid_px(seconds), *corners]

    def _slid_px(self, seconds: float) -> int:
        return round(self.settings.drift * seconds * self.settings.width)

    def _clean(self, seconds: float) -> Pixels:
        picture = np.roll(self._stage(seconds).pixels, self._slid_px(seconds), axis=1)
        for sprite in self.sprites:
            if sprite.shown(seconds):
                sprite.blit(picture, seconds)
        return picture

    def _with_noise(self, picture: Pixels, index: int) -> Pixels:
        if not self.noise:
            return picture
        start = index * 2741 % NOISE_SHIFTS
        brighter, darker = (
            grain[start : start + picture.size].reshape(picture.shape) for grain in self._grain
        )
        noisy: Pixels = np.asarray(cv2.subtract(cv2.add(picture, brighter), darker), np.uint8)
        return noisy

    @cached_property
    def _grain(self) -> tuple[Pixels, Pixels]:
        count = self.stages[0].pixels.size + NOISE_SHIFTS
        rng = np.random.default_rng(self.settings.seed)
        levels = np.rint(rng.standard_normal(count, dtype=np.float32) * np.float32(self.noise))
        brighter, darker = levels.clip(0, 255), (-levels).clip(0, 255)
        return brighter.astype(np.uint8), darker.astype(np.uint8)
