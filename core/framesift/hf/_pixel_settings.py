"""Checks the settings by which a checkpoint prepares pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from framesift.errors import ModelError
from framesift.hf.checkpoint_files import called

MOST_PX: Final = 8192
"""Longest side of a picture that a tower is given."""
MOST_FRAMES: Final = 1024
"""Frames of a video whose pixels are counted together."""
FILTERS: Final = range(6)
"""Numbers of pillow's ways to resize."""
SIDES: Final = ("height", "width", "shortest_edge", "longest_edge")
SIZES: Final = ("size", "crop_size", "max_image_size", "pad_size")
COUNTS: Final = ("min_pixels", "max_pixels", "max_video_tokens")
LONGEST: Final = "longest_edge"
EDGES: Final = frozenset({"shortest_edge", LONGEST})
COLORS: Final = ("image_mean", "image_std")


def check_pixel_settings(model: str, settings: Mapping[str, Any]) -> None:
    """Refuses sizes, colours and filters that no vision tower takes.

    Args:
        model: local folder or hub id.
        settings: what its preprocessor file says.

    Raises:
        ModelError: one of them is of another type, or beyond what pictures have.
    """
    for name in COLORS:
        if (given := settings.get(name)) is not None and not _is_color(given, name):
            _refuse(model, name, given, "one number or three, none of them 0 in image_std")
    scale = settings.get("rescale_factor")
    if scale is not None and not (_is_number(scale) and 0 < scale <= 1e4):
        _refuse(model, "rescale_factor", scale, "a number above 0")
    for name in COUNTS:
        if (given := settings.get(name)) is not None and not (
            _is_number(given) and 0 < given <= MOST_PX**2
        ):
            _refuse(model, name, given, f"a number from 1 to {MOST_PX**2}")
    resample = settings.get("resample")
    if resample is not None and resample not in FILTERS:
        _refuse(model, "resample", resample, f"from 0 to {FILTERS[-1]}")
    sampling = settings.get("video_sampling")
    video = sampling.get("video_size") if isinstance(sampling, Mapping) else None
    size = settings.get("size")
    counts = isinstance(size, Mapping) and size.keys() >= EDGES
    for name, given in [*((name, settings.get(name)) for name in SIZES), ("video_size", video)]:
        if given is not None:
            _check_size(model, name, given, counts and name == "max_image_size")


def _check_size(model: str, name: str, given: Any, counts: bool) -> None:
    """Refuses sides that no picture has.

    Args:
        model: local folder or hub id.
        name: of the setting.
        given: its value.
        counts: whether an edge counts the pixels of a picture, as another setting has it.
    """
    if not isinstance(given, Mapping):
        if not (_is_number(given) and 0 < given <= MOST_PX):
            _refuse(model, name, given, f"sides in pixels of 1 to {MOST_PX}")
        return
    sides = {key: given[key] for key in SIDES if given.get(key) is not None}
    # Both edges together bound how many pixels a picture has, or all frames of a video.
    area = counts or sides.keys() >= EDGES
    for side, number in sides.items():
        most = MOST_PX if not area else MOST_PX**2 * (MOST_FRAMES if side == LONGEST else 1)
        if not (_is_number(number) and 0 < number <= most):
            _refuse(model, name, dict(given), f"sides in pixels of 1 to {MOST_PX}")


def _is_color(given: Any, name: str) -> bool:
    numbers = list(given) if isinstance(given, list | tuple) else []
    if len(numbers) not in (1, 3) or not all(map(_is_number, numbers)):
        return False
    return name != "image_std" or all(abs(number) > 1e-6 for number in numbers)


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given)


def _refuse(model: str, name: str, given: object, allowed: str) -> None:
    raise ModelError(
        f"{called(model)!r} prepares pictures by {name}={str(given)[:80]}; it must be {allowed}; "
        "take the preprocessor file that came with the model"
    )
