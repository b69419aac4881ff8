"""Messages with videos, rewritten so that any chat model takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.callbacks import CallbackManagerForChainRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import run_in_executor
from pydantic import Field, PrivateAttr

from framesift.serving import Media, Remembered, check_names, content_parts
from langchain_framesift._settings import Dumped
from langchain_framesift.compressor import VideoCompressor, messages_of
from langchain_framesift.video_prompt import VideoPrompt

HELD: Final = 8
"""Videos that a `CompressVideoBlocks` remembers, about a megabyte each."""


class CompressVideoBlocks(Dumped, RunnableSerializable[LanguageModelInput, list[BaseMessage]]):
    """Puts what a compressor makes of a video in the place of each video block.

    It stands before a chat model that takes pictures but no videos: `CompressVideoBlocks() | chat`.
    Every spelling of a video block is read, or refused by name where only its provider can read it;
    all other blocks stay as they are. The text of a message is the question for its videos. The
    last 8 videos are remembered, since chat models are handed the whole conversation with every
    turn. Warnings about the videos of a message stand in its `response_metadata["warnings"]`, which
    goes to no model.
    """

    compressor: VideoCompressor = Field(default_factory=VideoCompressor)
    """Makes the pictures or tokens, and says what may be opened."""

    _held: Remembered = PrivateAttr(default_factory=lambda: Remembered(HELD))

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[BaseMessage]:
        """Returns the messages without video blocks.

        Raises:
            InvalidOptionError: a video block is malformed.
            UnsupportedSourceError: it refers to a file that only its provider has.
            SourceError: a video cannot be fetched, or may not be.
            DecodeError: a file cannot be decoded.
        """
        check_names("invoke", kwargs, ())
        return self._call_with_config(self._run, input, config)

    def rewrite(
        self, messages: Sequence[BaseMessage], config: RunnableConfig | None = None
    ) -> list[BaseMessage]:
        """Returns what `invoke` does, without a run of its own in traces, as middleware needs it.

        A message without videos is the very same object. Progress goes to the run that `config`
        belongs to; to nobody for None.
        """
        return [self._rewritten(message, config) for message in messages]

    async def arewrite(
        self, messages: Sequence[BaseMessage], config: RunnableConfig | None = None
    ) -> list[BaseMessage]:
        """Returns what `rewrite` does, from a thread of its own."""
        return await run_in_executor(config, self.rewrite, messages, config)

    def _run(
        self,
        input: LanguageModelInput,
        run_manager: CallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> list[BaseMessage]:
        return self.rewrite(messages_of(input), config)

    def _rewritten(self, message: BaseMessage, config: RunnableConfig | None) -> BaseMessage:
        if isinstance(message.content, str):
            return message
        read = list(content_parts(message.content, only="video"))
        if not any(isinstance(part, Media) for part in read):
            return message
        question = "\n".join(part for part in read if isinstance(part, str)) or None
        content: list[Any] = []
        notes: list[str] = []
        for block, part in zip(message.content, read, strict=True):
            if isinstance(part, Media):
                shown = self._shown(part, question, config)
                content.extend(_in_place_of(block, shown))
                notes.extend(shown.warnings)
            else:
                content.append(block)
        known = message.response_metadata
        if notes:
            known = {**known, "warnings": [*known.get("warnings", []), *dict.fromkeys(notes)]}
        return message.model_copy(update={"content": content, "response_metadata": known})

    def _shown(
        self, video: Media, question: str | None, config: RunnableConfig | None
    ) -> VideoPrompt:
        """Returns what stands for a video; a conversation shows the same one with every turn."""
        key = video.id, question, self.compressor.identity
        shown: VideoPrompt | None = self._held.get(key)
        if shown is None:
            shown = self.compressor.show(video, question, config=config)
            self._held.keep(key, shown)
        return shown


def _in_place_of(block: Any, shown: VideoPrompt) -> list[dict[str, Any]]:
    """Returns the blocks that show a video; a mark for a prompt cache stays at their end."""
    blocks, extras = shown.content_blocks, block.get("extras")
    stated = block if "cache_control" in block else extras if isinstance(extras, Mapping) else {}
    mark = stated.get("cache_control")
    return [*blocks[:-1], {**blocks[-1], "cache_control": mark}] if mark else blocks
