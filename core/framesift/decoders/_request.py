"""Checks what a caller asks a decoder for, before any picture is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from framesift.errors import InvalidOptionError


def check_request(
    frame_count: int, indices: Sequence[int], size_px: tuple[int, int] | None, window: int
) -> None:
    """Returns where a decoder can do what it is asked for.

    Raises:
        InvalidOptionError: an index, the size or the window is out of range.
    """
    if any(first >= second for first, second in pairwise(indices)):
        raise InvalidOptionError("indices must ascend without repeats; use sorted(set(indices))")
    if indices and (indices[0] < 0 or indices[-1] >= frame_count):
        raise InvalidOptionError(
            f"indices {indices[0]}..{indices[-1]} must be within 0..{frame_count - 1}, the frames "
            "of this video; take them from its index"
        )
    if size_px is not None and min(size_px) < 1:
        raise InvalidOptionError(f"size_px={size_px!r} must be (height, width) of at least 1 pixel")
    if window < 1:
        raise InvalidOptionError(f"window={window!r} must be at least 1 frame")
