"""An LLM of LlamaIndex over local vision LLMs that read reduced videos."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import closing
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool
from pydantic import Field, PrivateAttr, field_serializer

from framesift import (
    Answer,
    AnswerStream,
    Assistant,
    EvidenceKind,
    FetchLimits,
)
from framesift.serving import VLM, AssistantCache, CompressionFields, GenerationFields
from llama_index.llms.framesift._messages import conversation
from llama_index.llms.framesift._tools import calls_in, chosen


class FramesiftMultiModalLLM(CompressionFields, GenerationFields, FunctionCallingLLM):
    """Answers about text, pictures and videos by a vision LLM on this machine.

    Blocks of videos and pictures may stand in any message, by path, link or bytes. Of each video
    the model reads the tokens that `keep` leaves; a conversation that goes on about the same video
    reads only what is new. Weights load with the first answer; threads may share a model.

    `raw` of a response is the whole `framesift.Answer` as JSON: evidence with times, and usage with
    visual tokens before and after; its `completion_tokens` is what LlamaIndex counts by. Tools are
    called in plain text (see `serving.tool_calls`),
    so whether that works depends on the model.
    """

    model: str | VLM
    """A name, hub id or folder, as `framesift.load_vlm` takes it, or a loaded model; `"tiny"` is
    the embedded toy, which knows synthetic videos only."""
    limits: FetchLimits = Field(default_factory=FetchLimits.untrusted)
    """What a link may cost and where it may go; `path` of a block is always opened."""
    stop: tuple[str, ...] = ()
    """An answer ends before the first of these."""
    evidence: EvidenceKind | None = "auto"
    """By which weights the stretches that an answer rests on are found."""
    context_window: int | None = Field(default=None, ge=1, strict=True)
    """Most tokens of prompt and answer; None asks the model, and so loads it."""
    _assistants: AssistantCache = PrivateAttr(default_factory=AssistantCache)

    @classmethod
    def class_name(cls) -> str:
        """Returns the name of the class; that it contains "multi" tells LlamaIndex what it is."""
        return "framesift_multi_modal_llm"

    @field_serializer("model")
    def _spec(self, model: str | VLM) -> str:
        return model.spec if isinstance(model, VLM) else model

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex plans prompts by."""
        window = self.context_window
        if window is None:
            window = self._answering().compressor.answering_vlm.context_tokens
        return LLMMetadata(
            context_window=window,
            num_output=self.max_tokens,
            is_chat_model=True,
            is_function_calling_model=True,
            model_name=self.model if isinstance(self.model, str) else self.model.model,
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Returns the answer to a conversation.

        Args:
            messages: what was said, the user last.
            **kwargs: `temperature`, `max_tokens`, `stop` and `seed` of this call.

        Raises:
            FramesiftError: a block cannot be read or opened, or the prompt is too long.
        """
        return self._answered(messages, kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Returns what `chat` does, from a thread of its own."""
        return await asyncio.to_thread(self._answered, messages, kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Returns the answer as it grows; closing it early ends the work."""
        return self._pieces(messages, kwargs)

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Returns what `stream_chat` does, without blocking the event loop."""

        async def pieces() -> AsyncGenerator[ChatResponse, None]:
            stream, text = await asyncio.to_thread(self._stream, messages, kwargs), ""
            with closing(stream):
                while (piece := await asyncio.to_thread(next, stream, None)) is not None:
                    text += piece
                    yield _grown(text, piece)
            yield _whole(stream)

        return pieces()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Returns the answer to a text."""
        return _completion(self._answered([ChatMessage(prompt)], kwargs))

    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Returns what `complete` does, from a thread of its own."""
        return _completion(await asyncio.to_thread(self._answered, [ChatMessage(prompt)], kwargs))

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Returns the answer to a text as it grows."""
        return (_completion(piece) for piece in self._pieces([ChatMessage(prompt)], kwargs))

    @llm_completion_callback()
    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Returns what `stream_complete` does, without blocking the event loop."""
        pieces = await self.astream_chat([ChatMessage(prompt)], **kwargs)
        return (_completion(piece) async for piece in pieces)

    def tokenizer(self, text: str) -> list[int]:
        """Returns the tokens of a text as the model has them, for `Memory(tokenizer_fn=...)`."""
        tokenizer = self._answering().compressor.answering_vlm.tokenizer
        return list(tokenizer(text, add_special_tokens=False).input_ids)

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """Returns the calls that an answer makes.

        Raises:
            ValueError: it makes none, and one was expected.
        """
        calls = calls_in(response.message.content or "")
        if not calls and error_on_no_tool_call:
            raise ValueError(
                f"expected a tool call, got {(response.message.content or '')[:80]!r}; use a model "
                "that follows instructions, or ask without tools"
            )
        return calls

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(ChatMessage(user_msg) if isinstance(user_msg, str) else user_msg)
        system = chosen(tools, kwargs.pop("tool_choice", None), required=tool_required)
        if system is not None:
            messages.insert(0, ChatMessage(system, role=MessageRole.SYSTEM))
        return {"messages": messages, **kwargs}

    def _answered(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponse:
        answer = self._answering().reply(
            conversation(messages, self.fps),
            generation=self.generation(kwargs.get("stop", self.stop), kwargs),
            evidence=self.evidence,
            **self.prompt_text,
        )
        return _response(answer)

    def _pieces(
        self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]
    ) -> Generator[ChatResponse, None, None]:
        stream, text = self._stream(messages, kwargs), ""
        with closing(stream):
            for piece in stream:
                text += piece
                yield _grown(text, piece)
        yield _whole(stream)

    def _stream(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> AnswerStream:
        return self._answering().stream(
            conversation(messages, self.fps),
            generation=self.generation(kwargs.get("stop", self.stop), kwargs),
            evidence=self.evidence,
            **self.prompt_text,
        )

    def _answering(self) -> Assistant:
        """Returns what answers; the model loads when it is first asked."""
        return self._assistants.get(self.model, **self.compressor_options)


def _grown(text: str, piece: str) -> ChatResponse:
    return ChatResponse(message=ChatMessage(text, role=MessageRole.ASSISTANT), delta=piece)


def _whole(stream: AnswerStream) -> ChatResponse:
    assert stream.answer is not None
    return _response(stream.answer)


def _response(answer: Answer) -> ChatResponse:
    usage, raw = answer.usage, answer.model_dump(mode="json")
    # Its counters look here, and would take the whole answer for text to be counted.
    raw["usage"]["completion_tokens"] = usage.answer_tokens
    return ChatResponse(
        message=ChatMessage(answer.text, role=MessageRole.ASSISTANT),
        delta="",
        raw=raw,
        additional_kwargs={
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.answer_tokens,
            "total_tokens": usage.prompt_tokens + usage.answer_tokens,
        },
    )


def _completion(response: ChatResponse) -> CompletionResponse:
    return CompletionResponse(
        text=response.message.content or "",
        delta=response.delta,
        raw=response.raw,
        additional_kwargs=response.additional_kwargs,
    )
