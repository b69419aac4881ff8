"""Pictures that an index names, read back for a chat model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from framesift.errors import InvalidOptionError
from framesift.types.options import shown

JPEG: Final = b"\xff\xd8\xff"
"""How a JPEG file begins."""
MOST_BYTES: Final = 32 * 1024**2
"""Largest picture that is read."""


def saved_keyframe(path: Any) -> bytes:
    """Returns the JPEG file that the metadata of a document name as a keyframe.

    They come from an index, which might name any file of this machine; no chat model is sent one
    that is no picture.

    Raises:
        InvalidOptionError: it cannot be read, or is no JPEG file.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidOptionError(
            f"keyframe_path={shown(path)} of a document cannot be read ({reason}); load the video "
            "again"
        ) from error
    if not content.startswith(JPEG) or len(content) > MOST_BYTES:
        raise InvalidOptionError(
            f"keyframe_path={shown(path)} of a document is no keyframe; load the video again"
        )
    return content
