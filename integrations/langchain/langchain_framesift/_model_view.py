"""What a chat model is shown of a history with videos, and with pictures of tools beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from langchain_framesift._pictures import PictureStore, image_block, is_picture, picture_name
from langchain_framesift.chat_models import ChatFramesift

GONE: Final = "[picture, not shown any more]"
GONE_OF_TOOL: Final = "[picture, not shown any more; call the tool again to see it]"
UNREAD: Final = "[picture, not shown: this model reads no pictures]"
SENT_ON: Final = "These are the pictures of the results above."


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What a chat model reads."""

    videos: bool
    """Whether it takes video blocks as they are and compresses them by itself."""
    pictures: bool
    in_tools: bool
    """Whether pictures may stand in results of tools, or the user has to show them."""

    @classmethod
    def of(cls, model: BaseChatModel) -> Reads:
        """Returns what a model reads, by its class and profile; pictures where it does not say.

        The chat endpoint of OpenAI refuses pictures in results of tools, whatever profiles say;
        only the endpoint for responses takes them. Models that say nothing are shown them by the
        user, which all take.
        """
        profile = getattr(model, "profile", None) or {}
        by_profile = profile.get("image_tool_message") is True
        return cls(
            videos=isinstance(model, ChatFramesift),
            pictures=profile.get("image_inputs") is not False,
            in_tools=getattr(model, "use_responses_api", by_profile) is True,
        )


EVERYTHING: Final = Reads(videos=False, pictures=True, in_tools=True)


def pictures_in(messages: Sequence[BaseMessage]) -> list[Mapping[str, Any]]:
    """Returns the blocks of all pictures in messages."""
    contents = [each.content for each in messages if not isinstance(each.content, str)]
    return [block for content in contents for block in content if is_picture(block)]


def with_newest(
    messages: Sequence[BaseMessage],
    history: Sequence[BaseMessage],
    store: PictureStore,
    *,
    most: int,
    instead: str | None = None,
) -> list[BaseMessage]:
    """Returns messages with the newest of the pictures that tools and videos have brought.

    Args:
        messages: where pictures stand in the place of videos.
        history: the same ones before; pictures of the user's in them stay, whatever their number.
        store: where the pictures of tools lie.
        most: pictures that are shown; of the message where they end, evenly over its pictures.
        instead: what stands in the place of the others; None for words on what became of them.
    """
    left, newest = most, list[BaseMessage]()
    for message, before in zip(reversed(messages), reversed(history), strict=True):
        brought = _brought(message, before, store)
        there = [place for place, picture in brought.items() if picture is not None]
        shown = set(_spread(there, left))
        left -= len(shown)
        content: list[Any] = list(message.content)
        words = instead or (GONE_OF_TOOL if isinstance(message, ToolMessage) else GONE)
        for place, picture in brought.items():
            content[place] = picture if place in shown else {"type": "text", "text": words}
        newest.append(message.model_copy(update={"content": content}) if brought else message)
    return newest[::-1]


def _spread(places: Sequence[int], most: int) -> Sequence[int]:
    """Returns at most so many of these places, evenly over them."""
    if len(places) <= most:
        return places
    return [places[(2 * n + 1) * len(places) // (2 * most)] for n in range(most)]


def _brought(
    message: BaseMessage, before: BaseMessage, store: PictureStore
) -> dict[int, Mapping[str, Any] | None]:
    """Returns the pictures that a tool or a video has brought, by place; None for a lost one."""
    brought: dict[int, Mapping[str, Any] | None] = {}
    for place, block in enumerate([] if isinstance(message.content, str) else message.content):
        if not isinstance(message, ToolMessage):
            if is_picture(block) and block not in before.content:
                brought[place] = block
        elif (name := picture_name(message, place)) is not None:
            content = store.get(name)
            brought[place] = None if content is None else image_block(content, name)
        elif is_picture(block):
            brought[place] = block
    return brought


def shown_by_user(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Returns messages where the user shows the pictures of tools, after all results in a row."""
    result: list[BaseMessage] = []
    pictures: list[dict[str, Any]] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            result.append(_sent_on(message, pictures))
            continue
        if pictures:
            result.append(_shown(pictures))
            pictures = []
        result.append(message)
    return [*result, _shown(pictures)] if pictures else result


def _sent_on(message: ToolMessage, pictures: list[dict[str, Any]]) -> ToolMessage:
    """Returns a tool's message without its pictures, which are added to `pictures`."""
    if isinstance(message.content, str):
        return message
    content: list[Any] = []
    for block in message.content:
        if is_picture(block):
            pictures.append(dict(block))
            text = f"[picture {len(pictures)}, shown after the results]"
            content.append({"type": "text", "text": text})
        else:
            content.append(block)
    return message.model_copy(update={"content": content})


def _shown(pictures: Sequence[dict[str, Any]]) -> HumanMessage:
    content: list[str | dict[Any, Any]] = [{"type": "text", "text": SENT_ON}]
    for number, block in enumerate(pictures, start=1):
        content += [{"type": "text", "text": f"Picture {number}:"}, block]
    return HumanMessage(content=content)
