"""The videos in the harness's messages, and what frames of them take their place."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from PIL import Image

from framesift import LocalVideo, open_video
from framesift.errors import InvalidOptionError
from framesift.serving import cut

Message = Mapping[str, Any]
"""A message of the harness: `role`, and `content` as a list of items with a `type`."""
FramesAs = Literal["video", "images"]
ADDRESSES: Final = ("url", "path", "video")
"""Where an item that is itself a dictionary holds its address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedFrames:
    """Frames of one video in time order, with the times at which they are shown."""

    images: tuple[Image.Image, ...]
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.images or len(self.images) != len(self.seconds):
            raise ValueError(
                f"images ({len(self.images)}) and seconds ({len(self.seconds)}) must agree and "
                "hold at least one frame"
            )


def open_item(item: Message) -> LocalVideo:
    """Returns the video that an item names, as the part of it that the item means.

    Raises:
        InvalidOptionError: the item holds frames instead of an address, or an empty part.
        SourceError: the video cannot be brought.
    """
    address, start, end = item.get("url"), item.get("start_time"), item.get("end_time")
    if isinstance(address, Mapping):
        start, end = address.get("video_start", start), address.get("video_end", end)
        address = next((address[name] for name in ADDRESSES if name in address), None)
    if not isinstance(address, str):
        raise InvalidOptionError(
            f"the task gives a video as {type(address).__name__}; frames are selected from a path "
            "or link only, so take the form of the task that gives the video itself"
        )
    local = open_video(address)
    if start is None and end is None:
        return local
    return replace(local, part_seconds=(float(start or 0), math.inf if end is None else float(end)))


def with_frames(
    messages: Sequence[Message],
    select: Callable[[Message], SelectedFrames],
    frames_as: FramesAs,
) -> tuple[list[dict[str, Any]], list[SelectedFrames]]:
    """Returns new messages with frames in the place of each video, and these frames.

    Args:
        messages: what the task asks.
        select: gives the frames for an item of type `"video"`.
        frames_as: `"video"` leaves a video, now a list of pictures, whose times a processor must
            be told; `"images"` writes each time as text before its picture.

    Raises:
        InvalidOptionError: there is no video in the messages.
    """
    selected: list[SelectedFrames] = []
    rewritten: list[dict[str, Any]] = []
    for message in messages:
        content: list[dict[str, Any]] = []
        for item in message["content"]:
            if item["type"] != "video":
                content.append(item)
                continue
            selected.append(select(item))
            content.extend(_items(selected[-1], frames_as))
        rewritten.append({**message, "content": content})
    if not selected:
        kinds = [str(item["type"]) for message in messages for item in message["content"]]
        raise InvalidOptionError(
            f"the task asks with content {kinds} and no video, so there is nothing to select from; "
            "take the form of the task that gives the video itself"
        )
    return rewritten, selected


def _items(frames: SelectedFrames, frames_as: FramesAs) -> list[dict[str, Any]]:
    if frames_as == "video":
        return [{"type": "video", "url": list(frames.images)}]
    return [
        item
        for image, seconds in zip(frames.images, frames.seconds, strict=True)
        for item in (
            {"type": "text", "text": f"[{cut(seconds, 1):.1f} s]"},
            {"type": "image", "url": image},
        )
    ]
