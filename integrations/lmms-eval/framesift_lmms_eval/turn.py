"""The one message of a sample as visuals and a text, for `framesift_tokens`."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final, Self

from PIL import Image

from framesift import LocalVideo
from framesift.errors import InvalidOptionError
from framesift_lmms_eval.videos import Message, open_item

READABLE: Final = "framesift_tokens reads one user message, its videos and pictures before its text"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTurn:
    """Videos and pictures, and the text behind them."""

    visuals: tuple[Message, ...]
    text: str

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Self:
        """Returns what the messages of a sample say.

        Raises:
            InvalidOptionError: there are several messages, text before a picture, sound, or
                nothing to look at.
        """
        roles = [str(message["role"]) for message in messages]
        content: list[Message] = [item for message in messages for item in message["content"]]
        kinds = [str(item["type"]) for item in content]
        visuals = tuple(item for item in content if item["type"] in ("video", "image"))
        in_order = all(kind == "text" for kind in kinds[len(visuals) :])
        if roles != ["user"] or not in_order or not visuals:
            raise InvalidOptionError(
                f"the task asks with roles {roles} and content {kinds}; {READABLE}; take another "
                "form of the task, or framesift_frames with an inner model"
            )
        text = "\n".join(str(item["text"]) for item in content if item["type"] == "text")
        return cls(visuals=visuals, text=text)

    @property
    def key(self) -> Hashable | None:
        """What two samples about the same visuals share; None for pictures without an address."""
        if any(isinstance(item["url"], Image.Image) for item in self.visuals):
            return None
        names = ("type", "url", "start_time", "end_time")
        return tuple(str([item.get(name) for name in names]) for item in self.visuals)

    def opened(self, stack: ExitStack) -> list[LocalVideo | Image.Image | str]:
        """Returns the visuals ready to compress; `stack` removes downloads at its end."""
        return [
            stack.enter_context(open_item(item)) if item["type"] == "video" else item["url"]
            for item in self.visuals
        ]
