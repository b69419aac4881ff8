"""The messages of a chat request: where videos stand in them, and what is put in their place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from framesift.errors import FramesiftError
from framesift.serving import content_parts, error_line, media_of, picture_runs, videos_replaced
from framesift_server.gateway.chat_body import ChatBody, Video
from framesift_server.gateway.knobs import MOST_FPS
from framesift_server.gateway.openai_errors import GatewayError
from framesift_server.gateway.settings import Images

Of = TypeVar("Of")


class Conversation:
    """The messages of one request, in which videos are found and replaced."""

    def __init__(self, body: ChatBody, messages: list[Any], images: Images = "keep") -> None:
        """Finds the videos, and pictures that are frames of one.

        Args:
            body: of the request.
            messages: of it.
            images: which pictures are frames.

        Raises:
            GatewayError: a block of a video is malformed.
        """
        self._messages = messages
        self._places: dict[tuple[int, int], int] = {}
        self.runs = [] if images == "keep" else picture_runs(messages, timed=images == "timed")
        self.videos: list[Video] = []
        """Each once, in the order of the messages."""
        known: dict[str, int] = {}
        for row, message in enumerate(messages):
            content = message.get("content") if isinstance(message, dict) else None
            for column, part in enumerate(content if isinstance(content, list) else ()):
                if (video := _video(body, part, row)) is not None:
                    number = known.setdefault(video.key, len(self.videos))
                    if number == len(self.videos):
                        self.videos.append(video)
                    self._places[row, column] = number

    @property
    def count(self) -> int:
        """How many videos the messages show, those that come again among them."""
        return len(self._places)

    def shown(self, of_videos: Sequence[Of]) -> list[Of]:
        """Returns what belongs to each video as often as the messages show it, in their order."""
        return [of_videos[number] for number in self._places.values()]

    @property
    def question(self) -> str:
        """What the user said last."""
        for message in reversed(self._messages):
            if isinstance(message, dict) and message.get("role") == "user":
                content = message.get("content") or ""
                if isinstance(content, list):
                    content = [part for part in content if isinstance(part, dict | str)]
                texts = (part for part in content_parts(content, only="video"))
                return "\n".join(text for text in texts if isinstance(text, str))
        return ""

    def replaced(
        self, instead: Sequence[list[Any]], dropped: Collection[tuple[int, int]] = ()
    ) -> list[Any]:
        """Returns the messages with other parts in the place of each video.

        Args:
            instead: of each video.
            dropped: message and number of parts that are left out.
        """
        places = self._places | dict.fromkeys(dropped, len(instead))
        return videos_replaced(self._messages, places, [*instead, []])


def _video(body: ChatBody, part: Any, row: int) -> Video | None:
    if not isinstance(part, dict):
        return None
    try:
        media = media_of(part, only="video")
    except FramesiftError as error:
        raise GatewayError(400, error_line(error), param=f"messages[{row}]") from error
    if media is not None and (media.fps or 0) > MOST_FPS:  # what is told and billed counts by it
        line = f"fps={media.fps:g} of a video is not allowed; give {MOST_FPS:g} or less"
        raise GatewayError(400, line, param=f"messages[{row}]")
    return None if media is None else body.video(media)
