"""Names the colours that set a picture apart from others of the same video, without weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE_PX: Final = 256
"""Pictures are squashed to a square of this side before pixels are counted."""
LEAST_CHROMA: Final = 18.0
"""Distance from gray in CIELAB below which a pixel has no colour that a viewer would name."""
LEAST_LIGHTNESS: Final = 12.0
"""CIELAB lightness below which a pixel looks black, whatever its colour."""
LEAST_SHARE: Final = 0.005
"""Share of the picture that a colour must have beyond its share in the others."""
MOST_NAMES: Final = 3

NAMES: Final = ("red", "orange", "brown", "yellow", "green", "blue", "purple", "pink")
HUE_ENDS: Final = (50, 85, 115, 190, 315, 340)
"""Hue angles in CIELAB, in degrees, where red, orange, yellow, green, blue and purple end."""
HUE_NAMES: Final = ("red", "orange", "yellow", "green", "blue", "purple", "red")
DARK_ORANGE: Final = 55.0
"""Lightness below which orange is called brown."""
LIGHT_RED: Final = 70.0
"""Lightness above which red is called pink."""


def standing_out(images: Sequence[Image.Image]) -> list[tuple[str, ...]]:
    """Returns for each picture of a video up to three colours that set it apart, strongest first.

    A colour stands out where its share of the picture exceeds the median of its shares in all the
    others, so what every picture shows is not named; a picture alone is compared with none. Black,
    white and gray are left out, since light alone moves a surface from one to the next. This says
    nothing about what has the colour.
    """
    shares = np.array([_shares(image) for image in images])
    names = []
    for row, own in enumerate(shares):
        others = np.delete(shares, row, axis=0)
        excess = own - (np.median(others, axis=0) if len(others) else 0)
        order = np.argsort(-excess, kind="stable")[:MOST_NAMES]
        names.append(tuple(NAMES[i] for i in order if excess[i] >= LEAST_SHARE))
    return names


def _shares(image: Image.Image) -> npt.NDArray[np.float64]:
    """Returns the share of the picture that each of `NAMES` has, `(8,)`."""
    pixels = np.asarray(image.convert("RGB"))
    small = cv2.resize(pixels, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab).reshape(-1, 3)
    lightness, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    angle = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    number = np.array([NAMES.index(name) for name in HUE_NAMES])[np.digitize(angle, HUE_ENDS)]
    orange, red = NAMES.index("orange"), NAMES.index("red")
    number[(number == orange) & (lightness < DARK_ORANGE)] = NAMES.index("brown")
    number[(number == red) & (lightness > LIGHT_RED)] = NAMES.index("pink")
    colored = (chroma > LEAST_CHROMA) & (lightness > LEAST_LIGHTNESS)
    return np.bincount(number[colored], minlength=len(NAMES)) / len(lab)
