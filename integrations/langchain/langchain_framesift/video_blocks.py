"""Messages with videos, rewritten so that any chat model takes them."""

from __future__ import annotations

from typing import Any, Final

from langchain_core.callbacks import CallbackManagerForChainRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import Field, PrivateAttr

from framesift.serving import Media, content_parts
from langchain_framesift.compressor import VideoCompressor, messages_of
from langchain_framesift.video_prompt import VideoPrompt

HELD: Final = 8
"""Videos that a `CompressVideoBlocks` remembers, about a megabyte each."""


class CompressVideoBlocks(RunnableSerializable[LanguageModelInput, list[BaseMessage]]):
    """Puts what a compressor makes of a video in the place of each video block.

    It stands before a chat model that takes pictures but no videos: `CompressVideoBlocks() | chat`.
    Every spelling of a video block is read; all other blocks stay as they are. The text of a
    message is the question for its videos. The last 8 videos are remembered, since chat models are
    handed the whole conversation with every turn. Warnings about the videos of a message stand in
    its `response_metadata["warnings"]`, which goes to no model.
    """

    compressor: VideoCompressor = Field(default_factory=VideoCompressor)
    """Makes the pictures or tokens, and says what may be opened."""

    _held: dict[tuple[str, str | None], VideoPrompt] = PrivateAttr(default_factory=dict)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Returns that `dumpd` and `load` may handle it."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Returns where LangChain's `load` finds the class."""
        return ["langchain_framesift", "video_blocks"]

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[BaseMessage]:
        """Returns the messages without video blocks.

        Raises:
            InvalidOptionError: a video block is malformed.
            SourceError: a video cannot be fetched, or may not be.
            DecodeError: a file cannot be decoded.
        """
        return self._call_with_config(self._run, input, config)

    def _run(
        self,
        input: LanguageModelInput,
        run_manager: CallbackManagerForChainRun,
        config: RunnableConfig,
    ) -> list[BaseMessage]:
        return [self._rewritten(message, config) for message in messages_of(input)]

    def _rewritten(self, message: BaseMessage, config: RunnableConfig) -> BaseMessage:
        if isinstance(message.content, str):
            return message
        read = list(content_parts(message.content))
        question = "\n".join(part for part in read if isinstance(part, str)) or None
        content: list[Any] = []
        notes: list[str] = []
        for block, part in zip(message.content, read, strict=True):
            if isinstance(part, Media) and part.kind == "video":
                shown = self._shown(part, question, config)
                content.extend(shown.content_blocks)
                notes.extend(shown.warnings)
            else:
                content.append(block)
        known = message.response_metadata
        if notes:
            known = {**known, "warnings": [*known.get("warnings", []), *dict.fromkeys(notes)]}
        return message.model_copy(update={"content": content, "response_metadata": known})

    def _shown(self, video: Media, question: str | None, config: RunnableConfig) -> VideoPrompt:
        """Returns what stands for a video; a conversation shows the same one with every turn."""
        key = video.id, question
        shown = self._held.pop(key, None) or self.compressor.show(video, question, config=config)
        self._held[key] = shown
        for oldest in list(self._held)[:-HELD]:
            self._held.pop(oldest, None)
        return shown
