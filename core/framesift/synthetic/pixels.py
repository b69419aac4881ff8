"""The sprites of synthetic scenes, anti-aliased at any size: shapes, cards, a cursor."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from framesift.synthetic.film import Pixels

Color = tuple[int, int, int]

COLORS: dict[str, Color] = {
    "red": (214, 40, 40),
    "green": (34, 160, 70),
    "blue": (36, 90, 214),
    "yellow": (242, 206, 36),
    "orange": (240, 128, 24),
    "purple": (132, 58, 190),
    "pink": (240, 120, 180),
    "white": (244, 244, 244),
}
SHAPES = ("circle", "square", "triangle", "star")
SUPERSAMPLING = 4
SHADOW_ALPHA = 0.4


def shape_pixels(shape: str, color: str, diameter_px: float) -> Pixels:
    """Returns a coloured shape with a soft shadow, `(h, w, 4)`."""
    side = round(diameter_px * 1.3) * SUPERSAMPLING
    mask = np.zeros((side, side), np.uint8)
    radius = diameter_px * SUPERSAMPLING / 2
    if shape == "circle":
        cv2.circle(mask, (side // 2, side // 2), round(radius), 255, -1)
    else:
        points = _outline(shape) * radius + side / 2
        cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 255)
    light = np.linspace(1.12, 0.88, side, dtype=np.float32)[:, None, None]
    filled = np.broadcast_to(np.asarray(COLORS[color], np.float32) * light, (side, side, 3)).clip(
        0, 255
    )
    return _with_shadow(filled, mask)


def card_pixels(text: str, height_px: float, *, paper: Color, ink: Color) -> Pixels:
    """Returns a line of text on a card with round corners and a soft shadow, `(h, w, 4)`."""
    scaled = height_px * SUPERSAMPLING
    face = font(scaled * 0.74)
    width = round(face.getlength(text) + scaled * 0.4)
    margin = round(scaled * 0.12)
    size = (_multiple(width + 2 * margin), _multiple(scaled + 2 * margin))
    edge = (margin, margin, size[0] - margin, size[1] - margin)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rounded_rectangle(edge, scaled * 0.12, fill=255)
    picture = Image.new("RGB", size, paper)
    ImageDraw.Draw(picture).text((size[0] / 2, size[1] / 2), text, ink, face, anchor="mm")
    return _with_shadow(np.asarray(picture, np.float32), np.asarray(mask))


def cursor_pixels(height_px: float) -> Pixels:
    """Returns a mouse pointer, `(h, w, 4)`."""
    scaled = height_px * SUPERSAMPLING
    side = _multiple(scaled * 1.3)
    points = np.array([(0, 0), (0, 16), (4, 12), (7, 18), (9, 17), (6.5, 11), (12, 11)]) / 18
    outline = np.rint(points * scaled + side * 0.12).astype(np.int32)
    picture = np.full((side, side, 3), 255, np.uint8)
    mask = np.zeros((side, side), np.uint8)
    border = max(2, round(scaled * 0.06))
    for canvas, inside in ((picture, (20, 20, 20)), (mask, 255)):
        cv2.fillPoly(canvas, [outline], inside)
    cv2.polylines(picture, [outline], True, (255, 255, 255), border)
    cv2.polylines(mask, [outline], True, 255, border)
    return _with_shadow(picture.astype(np.float32), mask)


def font(height_px: float) -> ImageFont.FreeTypeFont:
    """Returns the font that comes with Pillow, at least 6 pixels high."""
    face = ImageFont.load_default(max(6.0, height_px))
    if not isinstance(face, ImageFont.FreeTypeFont):
        raise ImportError("this Pillow is built without FreeType; install the wheel from PyPI")
    return face


def _outline(shape: str) -> npt.NDArray[np.float64]:
    if shape == "square":
        return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.86
    if shape == "triangle":
        return np.array([(0, -1), (1, 0.8), (-1, 0.8)])
    angles = np.arange(10) * math.pi / 5 - math.pi / 2
    reach = np.where(np.arange(10) % 2 == 0, 1.0, 0.45)
    return np.stack([np.cos(angles) * reach, np.sin(angles) * reach], axis=1)


def _multiple(length: float) -> int:
    return math.ceil(length / SUPERSAMPLING) * SUPERSAMPLING


def _with_shadow(rgb: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8]) -> Pixels:
    """Returns the supersampled picture at its final size, RGB times alpha, and alpha."""
    height, width = (side // SUPERSAMPLING for side in mask.shape)
    solid = mask.astype(np.float32)[..., None] / 255
    layers = cv2.resize(
        np.dstack([rgb * solid, solid]), (width, height), interpolation=cv2.INTER_AREA
    )
    alpha = layers[..., 3]
    drop = max(1.0, min(height, width) * 0.04)
    moved = cv2.warpAffine(
        alpha, np.array([[1, 0, drop / 2], [0, 1, drop]], np.float32), (width, height)
    )
    shadow = cv2.GaussianBlur(moved, (0, 0), drop) * SHADOW_ALPHA
    layers[..., 3] = (alpha + shadow * (1 - alpha)) * 255
    return layers.astype(np.uint8)
