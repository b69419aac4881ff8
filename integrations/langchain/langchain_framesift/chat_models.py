"""A chat model of LangChain over local vision LLMs that read reduced videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, ClassVar

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import (
    BaseChatModel,
    LangSmithParams,
    LanguageModelInput,
    ModelProfile,
)
from langchain_core.load import dumpd
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_messages
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from framesift import Answer, EvidenceKind, Generation
from framesift.errors import BudgetError
from framesift.serving import GenerationFields, check_names, tool_calls
from langchain_framesift._conversation import conversation
from langchain_framesift._settings import VideoSettings
from langchain_framesift._tool_calls import chosen, parse
from langchain_framesift.compressor import messages_of


class PromptTooLongError(ContextOverflowError, BudgetError):
    """Prompt and answer do not fit into the model's context; says how many tokens to keep."""


class ChatFramesift(VideoSettings, GenerationFields, BaseChatModel):
    """Answers about text, pictures and videos by a vision LLM on this machine.

    Videos and pictures may stand in any message, by link, in base64 or, where `limits` allow files,
    by path, in the spelling of any provider. Of each video the model reads the tokens that `keep`
    leaves; a conversation that goes on about the same video reads only what is new.

    Tools are called in plain text: the model reads their schemas and answers with a JSON object
    (see `serving.tool_calls`), so whether it does depends on the model; text that is not a proper
    call becomes an `invalid_tool_calls` entry. `with_structured_output` works the same way.

    ```python
    chat = ChatFramesift(model="tiny")
    video = {"type": "video", "url": "synthetic://number?seed=3"}
    question = {"type": "text", "text": "What number flashes?"}
    answer = chat.invoke([{"role": "user", "content": [video, question]}])
    answer.usage_metadata, answer.response_metadata["visual_tokens_after"]
    ```
    """

    also_taken: ClassVar[frozenset[str]] = frozenset(
        {"api_key", "max_retries", "streaming", "timeout"}
    )
    """What LangChain gives any chat model; a model on this machine has no use for it."""

    model: str
    """A name, hub id or folder, as `framesift.load_vlm` takes it; `"tiny"` is the embedded toy."""
    stop: list[str] | None = None
    """An answer ends before the first of these; a call's own `stop` takes their place."""
    evidence: EvidenceKind | None = "auto"
    """By which weights the stretches in `response_metadata["evidence"]` are found."""

    @property
    def _llm_type(self) -> str:
        return "framesift"

    @property
    def _serialized(self) -> dict[str, Any]:
        # LangChain's own is cached, and a copy with other settings would have that of the original.
        written: dict[str, Any] = dumpd(self)
        return written

    @property
    def _identifying_params(self) -> dict[str, Any]:
        names = ("model", "temperature", "max_tokens", "top_p", "top_k", "seed", "stop", "evidence")
        return {**{name: getattr(self, name) for name in names}, **self.identity}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        params["ls_provider"] = "framesift"
        params["ls_model_name"] = kwargs.get("model", self.model)
        return params

    def _resolve_model_profile(self) -> ModelProfile:
        return {
            "name": self.model,
            "max_output_tokens": self.max_tokens,
            "text_inputs": True,
            "text_outputs": True,
            "image_inputs": True,
            "image_url_inputs": True,
            "video_inputs": True,
            "image_tool_message": True,
            "tool_calling": True,
            "tool_choice": True,
            "structured_output": False,
            "open_weights": True,
        }

    def get_token_ids(self, text: str) -> list[int]:
        """Returns the tokens of a text by the model's own tokenizer, without any marks."""
        vlm = self.assistant(self.model).compressor.answering_vlm
        ids: list[int] = vlm.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def get_num_tokens_from_messages(
        self,
        messages: Sequence[BaseMessage | dict[str, Any]],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
        **kwargs: Any,
    ) -> int:
        """Returns how many tokens the prompt of a conversation has, visual ones included.

        It is `usage_metadata["input_tokens"]` of the answer. Videos are compressed for that, and
        held for the answer.

        Args:
            messages: the conversation.
            tools: anything that LangChain makes a tool of; the prompt describes each.
            **kwargs: `tool_choice` and `model` of the call, as `invoke` takes them.

        Raises:
            InvalidOptionError: there is no such option, or a block cannot be read.
        """
        check_names("get_num_tokens_from_messages", kwargs, ("tool_choice", "model"))
        formatted = [convert_to_openai_tool(tool) for tool in tools or ()]
        system, *_ = _told(formatted, kwargs.get("tool_choice"))
        return self.assistant(kwargs.get("model", self.model)).prompt_tokens(
            conversation(convert_to_messages(messages), system),
            **self.prompt_text,
        )

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Returns the model with tools that it may call, or must with a `tool_choice`.

        Args:
            tools: anything that LangChain makes a tool of.
            tool_choice: None or "auto", "none", "any", "required" or True, or a tool's name.
            **kwargs: options of each call.

        Raises:
            ValueError: there is no tool of the name in `tool_choice`.
        """
        formatted = [convert_to_openai_tool(tool) for tool in tools]
        chosen(formatted, tool_choice)
        return self.bind(tools=formatted, tool_choice=tool_choice, **kwargs)

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        # LangChain's own line about an input that holds no messages has several lines.
        if isinstance(model_input, PromptValue):
            return model_input
        return ChatPromptValue(messages=messages_of(model_input))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        system, functions, must_call = _told(kwargs.get("tools", ()), kwargs.get("tool_choice"))
        with _overflow_errors():
            answer = self.assistant(kwargs.get("model", self.model)).reply(
                conversation(messages, system),
                generation=self._chosen(stop, kwargs),
                evidence=self.evidence,
                **self.prompt_text,
            )
        parsed = parse(answer.text, must_call=must_call) if functions else None
        message = AIMessage(
            content=answer.text if parsed is None else parsed.text,
            tool_calls=[] if parsed is None else list(parsed.calls),
            invalid_tool_calls=[] if parsed is None else list(parsed.invalid),
            usage_metadata=_usage(answer),
            response_metadata=self._metadata(answer, kwargs),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        system, functions, must_call = _told(kwargs.get("tools", ()), kwargs.get("tool_choice"))
        with _overflow_errors():
            stream = self.assistant(kwargs.get("model", self.model)).stream(
                conversation(messages, system),
                generation=self._chosen(stop, kwargs),
                evidence=self.evidence,
                **self.prompt_text,
            )
            held = ""
            with closing(stream):
                for piece in stream:
                    held += piece
                    if functions and (must_call or tool_calls.may_be_call(held)):
                        continue
                    chunk = ChatGenerationChunk(message=AIMessageChunk(content=held))
                    if run_manager is not None:
                        run_manager.on_llm_new_token(held, chunk=chunk)
                    yield chunk
                    held, functions = "", []
        assert stream.answer is not None
        parsed = parse(held, must_call=must_call) if functions else None
        last = ChatGenerationChunk(
            message=AIMessageChunk(
                content=held if parsed is None else parsed.text,
                tool_call_chunks=[] if parsed is None else parsed.chunks(),
                usage_metadata=_usage(stream.answer),
                response_metadata=self._metadata(stream.answer, kwargs),
                chunk_position="last",
            )
        )
        if run_manager is not None:
            run_manager.on_llm_new_token(last.text, chunk=last)
        yield last

    def _chosen(self, stop: list[str] | None, kwargs: dict[str, Any]) -> Generation:
        """Returns how the answer of one call is chosen."""
        own = ("model", "tools", "tool_choice")
        given = {name: value for name, value in kwargs.items() if name not in own}
        return self.generation(self.stop if stop is None else stop, given)

    def _metadata(self, answer: Answer, kwargs: dict[str, Any]) -> dict[str, Any]:
        usage = answer.usage
        return {
            "model_name": kwargs.get("model", self.model),
            "model_provider": "framesift",
            "finish_reason": usage.finish_reason,
            "visual_tokens_before": usage.visual_tokens_before,
            "visual_tokens_after": usage.visual_tokens_after,
            "text_tokens": usage.text_tokens,
            "not_shown": answer.not_shown,
            "evidence": [segment.model_dump(mode="json") for segment in answer.evidence],
            "warnings": answer.warnings,
        }


def _told(tools: Sequence[Any], tool_choice: Any) -> tuple[str, list[Any], bool]:
    """Returns what the prompt says of tools, the functions, and whether one must be called."""
    functions, must_call = chosen(tools, tool_choice)
    told = tool_calls.instructions(functions, must_call=must_call) if functions else ""
    return told, functions, must_call


def _usage(answer: Answer) -> UsageMetadata:
    usage = answer.usage
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.answer_tokens,
        total_tokens=usage.prompt_tokens + usage.answer_tokens,
        input_token_details=InputTokenDetails(cache_read=usage.cached_tokens),
    )


@contextmanager
def _overflow_errors() -> Iterator[None]:
    """Raises the error by which LangChain knows that a conversation must be shortened."""
    try:
        yield
    except BudgetError as error:
        raise PromptTooLongError(str(error)) from error
