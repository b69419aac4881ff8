"""Puts pictures in the place of videos in the messages of a chat request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

MOVED: Final = {"type": "text", "text": "[a video, which follows]"}
"""What stands in a message that cannot hold pictures."""
Content = list[Any]


def videos_replaced(
    messages: Sequence[Any],
    places: Mapping[tuple[int, int], int],
    instead: Sequence[Content],
) -> list[Any]:
    """Returns messages of OpenAI's form with parts in the place of each video.

    Pictures stand in messages of the user alone, since no engine takes them elsewhere. Those of
    another message begin the next one of the user, or one that is put in before the model's next
    turn; so two messages of the user follow each other only where they did before.

    Args:
        messages: of a request, which stay as they are.
        places: number of the video at each message and part.
        instead: what stands for each video.
    """
    made: list[Any] = []
    waiting: Content = []
    for row, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if waiting and role == "assistant":
            made.append({"role": "user", "content": waiting})
            waiting = []
        if any(place[0] == row for place in places):
            kept: Content = []
            for column, part in enumerate(message["content"]):
                number = places.get((row, column))
                if number is None:
                    kept.append(part)
                elif role == "user":
                    kept += instead[number]
                else:
                    kept.append(MOVED)
                    waiting = [*waiting, *instead[number]]
            message = {**message, "content": kept}
        if waiting and role == "user":
            message = {**message, "content": [*waiting, *_listed(message.get("content"))]}
            waiting = []
        made.append(message)
    return [*made, {"role": "user", "content": waiting}] if waiting else made


def _listed(content: Any) -> Content:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []
