"""What a request in OpenAI's chat form asks of a model; what it cannot do is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from framesift.answering.generation import Generation
from framesift.errors import ChatRequestError, FramesiftError
from framesift.serving.lines import error_line, option_error
from framesift.serving.media import Media, content_parts
from framesift.serving.roles import Role, role_of

NOTHING_ASKED: Final[Mapping[str, tuple[Any, ...]]] = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "repetition_penalty": (1,),
    "logit_bias": ({},),
    "modalities": (["text"],),
}
"""Values by which a field asks for nothing that an answer has not anyway."""
ABOUT_THE_CLIENT: Final = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
"""Fields that say nothing of the answer; `parallel_tool_calls` means nothing without tools."""


class StreamOptions(BaseModel):
    """What a stream has besides the answer."""

    include_usage: StrictBool = False
    include_obfuscation: StrictBool = False
    """Has padding be left out, which there is none of."""


class Fields(BaseModel):
    """The fields of a request that are honoured."""

    model_config = ConfigDict(extra="forbid", title="a chat request")

    model: str | None = None
    messages: Annotated[list[Any], Field(min_length=1)]
    stream: StrictBool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: str | list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurn:
    """One message of a chat request."""

    role: Role
    text: str
    media: tuple[Media, ...]
    """Its videos and pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A conversation that a model is to go on with."""

    messages: Sequence[ChatTurn]
    generation: Generation
    stream: bool
    include_usage: bool
    """Whether a stream ends with its usage."""

    @property
    def question(self) -> str:
        """What the user said last."""
        said = (each.text for each in reversed(self.messages) if each.role == "user" and each.text)
        return next(said, "")


def chat_request(body: Mapping[str, Any], *, model: str, answer_tokens: int) -> ChatRequest:
    """Returns what a request asks.

    Fields that ask for nothing, such as `n` of 1, are taken; no other one is ignored.

    Args:
        body: its JSON, as OpenAI's `/v1/chat/completions` takes it.
        model: what it is called, for errors.
        answer_tokens: most tokens of the answer where the request does not say.

    Raises:
        ChatRequestError: it asks for what the model cannot do, or is malformed.
    """
    given = {field: value for field, value in body.items() if value is not None}
    honoured = {*Fields.model_fields, *ABOUT_THE_CLIENT}
    for field, value in given.items():
        if field not in honoured and value not in NOTHING_ASKED.get(field, ()):
            raise _cannot(field, model)
    try:
        fields = Fields(**{k: v for k, v in given.items() if k in Fields.model_fields})
        stop = (fields.stop,) if isinstance(fields.stop, str) else tuple(fields.stop or ())
        generation = Generation(
            max_new_tokens=fields.max_completion_tokens or fields.max_tokens or answer_tokens,
            temperature=fields.temperature,
            top_p=fields.top_p,
            top_k=fields.top_k,
            seed=fields.seed,
            stop=stop,
        )
    except ValidationError as error:
        line = error_line(option_error(error))
        raise ChatRequestError(line, param=str(error.errors()[0]["loc"][0])) from error
    except FramesiftError as error:
        raise ChatRequestError(error_line(error)) from error
    options = fields.stream_options or StreamOptions()
    return ChatRequest(
        messages=[_turn(each, row, model) for row, each in enumerate(fields.messages)],
        generation=generation,
        stream=fields.stream,
        include_usage=options.include_usage,
    )


def _turn(message: Any, row: int, model: str) -> ChatTurn:
    where = f"messages[{row}]"
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise ChatRequestError(f"{where} must be an object with a role and content", param=where)
    if message["role"] in ("tool", "function") or message.get("tool_calls"):
        raise _cannot("a call of a tool", model, where)
    content = message.get("content") or ""
    blocks = content if isinstance(content, list) else [content]
    if not all(isinstance(block, str | dict) for block in blocks):
        raise ChatRequestError(f"{where}.content must be text or a list of parts", param=where)
    try:
        role, parts = role_of(message["role"]), list(content_parts(blocks))
    except FramesiftError as error:
        raise ChatRequestError(error_line(error), param=where) from error
    for part in parts:
        if isinstance(part, dict):
            raise _cannot(f"content of the type {str(part.get('type'))[:80]!r}", model, where)
    return ChatTurn(
        role=role,
        text="\n".join(part for part in parts if isinstance(part, str) and part),
        media=tuple(part for part in parts if isinstance(part, Media)),
    )


def _cannot(what: str, model: str, where: str | None = None) -> ChatRequestError:
    return ChatRequestError(
        f"{what} is not supported by {model!r}, a vision LLM of framesift; leave it out",
        param=where or what,
        code="unsupported_parameter",
    )
