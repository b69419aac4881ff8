"""Pictures that lie beside a chat history: taken out of it, and shown to a model again."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeGuard

from langchain_core.messages import ToolMessage
from PIL import Image

from framesift.errors import FramesiftError
from framesift.serving import content_id, media_of, save_content, saved_content

MOST_BYTES: Final = 64 * 2**20
"""Most bytes of pictures that stay in memory; the oldest go."""
PICTURES: Final = "framesift_pictures"
"""Key in the `response_metadata` of a tool's message: the name of each picture, by the block."""
ASIDE: Final = "[picture]"
"""What stands in a history in the place of a picture."""
PICTURE_TYPES: Final = ("image", "image_url", "input_image")
PX_PER_TOKEN: Final = 28
"""Side of the square that providers count as about one token."""


class PictureStore:
    """Pictures by a hash of their bytes: in a folder, else the last ones in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: dict[str, bytes] = {}
        self._lock = Lock()

    def put(self, content: bytes, suffix: str) -> str:
        """Returns the name under which a picture is found again."""
        if self._folder is not None:
            return save_content(content, self._folder, suffix).name
        name = f"{content_id(content)}{suffix}"
        with self._lock:
            self._held.pop(name, None)
            self._held[name] = content
            total = sum(map(len, self._held.values()))
            for oldest in list(self._held)[:-1]:
                if total <= MOST_BYTES:
                    break
                total -= len(self._held.pop(oldest))
        return name

    def get(self, name: str) -> bytes | None:
        """Returns a picture, None where it is no longer there."""
        if self._folder is not None:
            return saved_content(name, self._folder)
        with self._lock:
            return self._held.get(name)


def put_aside(message: ToolMessage, store: PictureStore) -> ToolMessage:
    """Returns a tool's message whose pictures lie in `store`; the same one where it has none."""
    names = dict(_names(message))
    content: list[Any] = [] if isinstance(message.content, str) else list(message.content)
    for place, block in enumerate(content):
        if (held := _bytes_of(block)) is not None:
            names[str(place)] = store.put(*held)
            content[place] = {"type": "text", "text": ASIDE}
    if names == _names(message):
        return message
    known = {**message.response_metadata, PICTURES: names}
    return message.model_copy(update={"content": content, "response_metadata": known})


def picture_name(message: ToolMessage, place: int) -> str | None:
    """Returns the name of the picture that was put aside from a block, None for other blocks."""
    block: Any = message.content[place]
    is_marked = isinstance(block, Mapping) and block.get("text") == ASIDE
    name = _names(message).get(str(place))
    return name if is_marked and isinstance(name, str) else None


def _names(message: ToolMessage) -> Mapping[str, Any]:
    names = message.response_metadata.get(PICTURES)
    return names if isinstance(names, Mapping) else {}


def image_block(content: bytes, name: str) -> dict[str, Any]:
    """Returns a picture as every chat model of LangChain takes it."""
    mime_type = f"image/{Path(name).suffix[1:]}"
    return {"type": "image", "base64": b64encode(content).decode(), "mime_type": mime_type}


def is_picture(block: Any) -> TypeGuard[Mapping[str, Any]]:
    """Returns whether a block is a picture, in the spelling of any provider."""
    return isinstance(block, Mapping) and block.get("type") in PICTURE_TYPES


def tokens_of(block: Mapping[str, Any]) -> int:
    """Returns about how many tokens a picture is to a model, 0 for one that is only a link."""
    held = _bytes_of(block)
    if held is None:
        return 0
    try:
        with Image.open(io.BytesIO(held[0])) as picture:
            width, height = picture.size
    except OSError:
        return 0
    return ceil(width / PX_PER_TOKEN) * ceil(height / PX_PER_TOKEN)


def _bytes_of(block: Any) -> tuple[bytes, str] | None:
    """Returns the file in a block of a picture and the suffix of its name; None for any other."""
    if not is_picture(block):
        return None
    with suppress(FramesiftError, ValueError):
        media = media_of(block)
        head, _, body = ("" if media is None else media.uri).partition(",")
        kind = head.removeprefix("data:image/").removesuffix(";base64")
        if head == f"data:image/{kind};base64" and kind.isalnum():
            return b64decode(body, validate=True), f".{kind}"
    return None
