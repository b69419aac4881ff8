"""The still pictures behind synthetic scenes: a texture, a room, six landscapes and a slide."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from framesift.synthetic.film import Pixels
from framesift.synthetic.pixels import Color, font

CANVAS_PX = (1280, 720)
"""Rooms and landscapes are drawn at this size and scaled to the one asked for."""

LANDSCAPES: dict[str, tuple[Color, Color, Color, Color, float]] = {
    "sea": ((120, 180, 230), (215, 235, 245), (60, 140, 180), (10, 60, 110), 0.02),
    "forest": ((150, 180, 170), (215, 225, 205), (70, 120, 70), (20, 55, 30), 0.5),
    "desert": ((240, 170, 100), (255, 225, 165), (220, 160, 85), (165, 100, 45), 0.2),
    "snowfield": ((190, 205, 225), (230, 236, 244), (225, 232, 242), (255, 255, 255), 0.25),
    "night sky": ((8, 10, 32), (34, 38, 78), (22, 24, 44), (6, 6, 14), 0.3),
    "sunset": ((70, 40, 110), (250, 120, 80), (120, 50, 80), (40, 16, 44), 0.35),
}
"""Colours of the sky above and at the horizon, of the far and near ground, and its roughness."""

Floats = npt.NDArray[np.float32]


def texture(seed: int, size_px: tuple[int, int]) -> Pixels:
    """Returns a muted, cloudy texture `(H, W, 3)` that no coloured shape blends into."""
    rng = np.random.default_rng(seed)
    tint = rng.uniform(-12, 12, 3)
    corners = rng.uniform(96, 150, (2, 2, 1)) + tint
    light = cv2.resize(corners.astype(np.float32), size_px, interpolation=cv2.INTER_LINEAR)
    return _pixels(light + 26 * _clouds(rng, size_px, octaves=6)[..., None])


def room(seed: int, size_px: tuple[int, int]) -> Pixels:
    """Returns a quiet room with a window, a shelf, a table and a lamp, `(H, W, 3)`."""
    rng = np.random.default_rng(seed)
    width, _ = CANVAS_PX
    wall = _gradient((206, 198, 184), (186, 176, 160), (width, 500))
    floor = _gradient((128, 98, 72), (164, 128, 94), (width, 220))
    picture = _pixels(
        np.concatenate([wall, floor]) + 7 * _clouds(rng, CANVAS_PX, octaves=7)[..., None]
    )
    for x in range(-600, 1900, 110):
        cv2.line(picture, (640 + (x - 640) // 2, 500), (x, 720), (112, 84, 60), 2, cv2.LINE_AA)
    cv2.rectangle(picture, (0, 492), (1280, 506), (232, 226, 214), -1)
    _window(picture, rng)
    _shelf(picture, rng)
    _table(picture)
    return _fitted(picture, size_px)


def landscape(name: str, seed: int, size_px: tuple[int, int]) -> Pixels:
    """Returns one of `LANDSCAPES`, `(H, W, 3)`."""
    above, horizon, far, near, roughness = LANDSCAPES[name]
    rng = np.random.default_rng(seed)
    sky = _gradient(above, horizon, CANVAS_PX) + 10 * _clouds(rng, CANVAS_PX, octaves=4)[..., None]
    picture = _pixels(sky)
    if name == "night sky":
        for x, y, size in zip(*rng.integers((0, 0, 1), (1280, 400, 3), (90, 3)).T, strict=True):
            cv2.circle(picture, (int(x), int(y)), int(size), (230, 230, 250), -1, cv2.LINE_AA)
    disc = (int(rng.integers(200, 1080)), int(rng.integers(110, 240)))
    cv2.circle(picture, disc, 52, (255, 244, 214), -1, cv2.LINE_AA)
    for depth in range(4):
        color = _blend(far, near, depth / 3)
        _ridge(picture, rng, 360 + 95 * depth, color, roughness)
    return _fitted(picture, size_px)


def slide(title: str, lines: Sequence[str], corner: str, size_px: tuple[int, int]) -> Pixels:
    """Returns a slide in a window with small, crisp text, `(H, W, 3)`."""
    width, height = size_px
    unit = min(width, height) / 100
    picture = Image.new("RGB", size_px, (250, 250, 248))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width, 7 * unit), fill=(52, 58, 70))
    for index, color in enumerate(((236, 106, 94), (244, 191, 79), (97, 197, 84))):
        x = (3 + 4 * index) * unit
        draw.ellipse((x, 2.3 * unit, x + 2.4 * unit, 4.7 * unit), fill=color)
    draw.rectangle((0, 7 * unit, 28 * unit, height), fill=(230, 233, 238))
    for row in range(9):
        y = (13 + 9 * row) * unit
        shade = (120, 130, 150) if row == len(title) % 9 else (200, 205, 214)
        draw.rectangle((4 * unit, y, (14 + row * 7 % 11) * unit, y + 2 * unit), fill=shade)
    draw.text((34 * unit, 14 * unit), title, (24, 28, 38), font(8 * unit))
    draw.rectangle((34 * unit, 25 * unit, width - 8 * unit, 25.5 * unit), fill=(70, 110, 190))
    for row, line in enumerate(lines):
        draw.text((34 * unit, (31 + 8 * row) * unit), line, (50, 54, 64), font(4.2 * unit))
    at = (width - 4 * unit, height - 4 * unit)
    draw.text(at, corner, (90, 94, 104), font(4.2 * unit), anchor="rs")
    return np.asarray(picture).copy()


def _pixels(values: npt.NDArray[np.floating]) -> Pixels:
    return values.clip(0, 255).astype(np.uint8)


def _fitted(picture: Pixels, size_px: tuple[int, int]) -> Pixels:
    return np.asarray(cv2.resize(picture, size_px, interpolation=cv2.INTER_AREA), np.uint8)


def _gradient(top: Color, bottom: Color, size_px: tuple[int, int]) -> Floats:
    width, height = size_px
    column = np.linspace(top, bottom, height, dtype=np.float32)
    return np.repeat(column[:, None], width, axis=1)


def _blend(first: Color, second: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _clouds(rng: np.random.Generator, size_px: tuple[int, int], *, octaves: int) -> Floats:
    """Returns noise in about [-1, 1], `(H, W)`, each octave half as strong as the one before."""
    total = np.zeros(size_px[::-1], np.float32)
    for octave in range(octaves):
        grid = rng.uniform(-1, 1, (3 * 2**octave, 5 * 2**octave)).astype(np.float32)
        total += cv2.resize(grid, size_px, interpolation=cv2.INTER_CUBIC) * 0.55**octave
    return total


def _ridge(
    picture: Pixels, rng: np.random.Generator, y: int, color: Color, roughness: float
) -> None:
    width, height = CANVAS_PX
    heights = np.zeros(width, np.float32)
    for octave in range(6):
        steps = rng.uniform(-1, 1, (1, 3 * 2**octave)).astype(np.float32)
        heights += cv2.resize(steps, (width, 1))[0] * (70 * roughness) * 0.6**octave
    line = np.stack([np.arange(width), y + heights], axis=1)
    outline = np.concatenate([line, [(width, height), (0, height)]])
    cv2.fillPoly(picture, [np.rint(outline).astype(np.int32)], color, cv2.LINE_AA)


def _window(picture: Pixels, rng: np.random.Generator) -> None:
    cv2.rectangle(picture, (90, 70), (390, 350), (240, 236, 228), -1)
    glass = _gradient((150, 196, 232), (222, 232, 236), (276, 256))
    glass += 14 * _clouds(rng, (276, 256), octaves=4)[..., None]
    picture[82:338, 102:378] = _pixels(glass)
    cv2.rectangle(picture, (234, 82), (246, 338), (240, 236, 228), -1)
    cv2.rectangle(picture, (102, 204), (378, 214), (240, 236, 228), -1)
    cv2.rectangle(picture, (76, 350), (404, 366), (222, 216, 206), -1)


def _shelf(picture: Pixels, rng: np.random.Generator) -> None:
    cv2.rectangle(picture, (930, 300), (1230, 314), (120, 88, 62), -1)
    x = 940
    while x < 1190:
        wide, tall = int(rng.integers(14, 34)), int(rng.integers(70, 120))
        shade = tuple(int(v) for v in rng.uniform(70, 130) + rng.uniform(-18, 18, 3))
        cv2.rectangle(picture, (x, 300 - tall), (x + wide, 300), shade, -1)
        cv2.rectangle(
            picture, (x, 300 - tall + 12), (x + wide, 300 - tall + 18), (190, 184, 172), -1
        )
        x += wide + 2


def _table(picture: Pixels) -> None:
    for x in (500, 800):
        cv2.rectangle(picture, (x, 560), (x + 18, 690), (92, 64, 44), -1)
    top = np.array([(450, 540), (870, 540), (900, 572), (420, 572)], np.int32)
    cv2.fillPoly(picture, [top], (140, 100, 70), cv2.LINE_AA)
    cv2.rectangle(picture, (420, 572), (900, 584), (104, 72, 50), -1)
    cv2.line(picture, (1080, 660), (1080, 420), (70, 66, 62), 7, cv2.LINE_AA)
    cv2.ellipse(picture, (1080, 662), (52, 12), 0, 0, 360, (70, 66, 62), -1, cv2.LINE_AA)
    shade = np.array([(1040, 340), (1120, 340), (1156, 424), (1004, 424)], np.int32)
    cv2.fillPoly(picture, [shade], (234, 222, 190), cv2.LINE_AA)
