"""Videos in chat messages that hold their bytes, in files beside the messages."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from framesift.disk.content_files import save_content, saved_content
from framesift.errors import FramesiftError
from framesift.serving.media import media_of

ASIDE: Final = "[video]"
"""What stands in a message in the place of a video."""
GONE: Final = "[video, whose file is gone]"


def keep_videos(
    content: str | Sequence[Any], folder: str | os.PathLike[str]
) -> tuple[list[Any], dict[str, Any]]:
    """Returns content without the bytes of videos, and what brings them back, JSON-safe.

    Equal videos are one file. Links, and blocks that are malformed, stay as they are.

    Args:
        content: of a message, a text or blocks in the spelling of any provider.
        folder: where the files lie.

    Raises:
        StorageError: the folder cannot be written to.
    """
    smaller: list[Any] = [content] if isinstance(content, str) else list(content)
    kept: dict[str, Any] = {}
    for place, block in enumerate(smaller):
        if (facts := _saved(block, folder)) is not None:
            kept[str(place)] = facts
            smaller[place] = {"type": "text", "text": ASIDE}
    return smaller, kept


def kept_videos(content: Sequence[Any], kept: Any, folder: str | os.PathLike[str]) -> list[Any]:
    """Returns content with its videos, or with words for those whose file is gone.

    Args:
        content: what `keep_videos` has left.
        kept: what it has returned beside it; it may come from a stranger.
        folder: where the files lie.
    """
    whole = list(content)
    for place, block in enumerate(content):
        facts = kept.get(str(place)) if isinstance(kept, Mapping) else None
        if isinstance(facts, Mapping) and isinstance(block, Mapping) and block.get("text") == ASIDE:
            whole[place] = _block(facts, folder)
    return whole


def _saved(block: Any, folder: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Returns what is known of the video in a block, now in a file; None for any other block."""
    media = None
    if isinstance(block, Mapping):
        with suppress(FramesiftError):
            media = media_of(block, only="video")
    if media is None:
        return None
    uri, _, part = media.uri.partition("#")
    head, _, body = uri.partition(";base64,")
    kind = head.removeprefix("data:video/")
    try:
        content = b64decode(body, validate=True)
    except ValueError:
        return None
    if not content or head == kind or not kind.replace("-", "").isalnum():
        return None
    return {"name": save_content(content, folder, f".{kind}").name, "part": part, "fps": media.fps}


def _block(facts: Mapping[str, Any], folder: str | os.PathLike[str]) -> dict[str, Any]:
    name = str(facts.get("name"))
    content = saved_content(name, folder)
    if content is None:
        return {"type": "text", "text": GONE}
    uri = f"data:video/{Path(name).suffix[1:]};base64,{b64encode(content).decode()}"
    part = f"#{facts['part']}" if facts.get("part") else ""
    fps = {"fps": facts["fps"]} if facts.get("fps") else {}
    return {"type": "video", "url": uri + part, **fps}
