"""An answer in OpenAI's chat form: whole, or as the events of a stream."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any, Final

from framesift.types.answer import Answer

FIELD: Final = "framesift"
"""Where an answer tells what no field of OpenAI's holds."""


class ChatReply:
    """One answer on its way to a client."""

    def __init__(self, model: str) -> None:
        """Takes what the client calls the model."""
        self._model = model
        self._id, self._created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())
        self._began = False

    def whole(self, answer: Answer, told: dict[str, Any]) -> dict[str, Any]:
        """Returns the body of an answer that is not streamed.

        Args:
            answer: of the model.
            told: what stands in its usage under `framesift`.
        """
        message = {"role": "assistant", "content": answer.text, "refusal": None}
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": _finish_reason(answer),
        }
        usage = _usage(answer, told)
        return {**self._facts("chat.completion"), "choices": [choice], "usage": usage}

    def chunk(self, text: str) -> bytes:
        """Returns the event of a piece of an answer."""
        delta = {"content": text}
        if not self._began:
            delta = {"role": "assistant", **delta}
        self._began = True
        return self._event(choices=[_delta(delta, None)])

    def last(self, answer: Answer, told: dict[str, Any], *, include_usage: bool) -> bytes:
        """Returns the events that end a stream.

        Args:
            answer: of the model.
            told: stands in the usage under `framesift`, and where the client wants none beside the
                end of the text.
            include_usage: whether the client wants it.
        """
        delta = {} if self._began else {"role": "assistant", "content": ""}
        choices = [_delta(delta, _finish_reason(answer))]
        if include_usage:
            usage = _usage(answer, told)
            events = self._event(choices=choices) + self._event(choices=[], usage=usage)
        else:
            events = self._event(choices=choices, **{FIELD: told})
        return events + b"data: [DONE]\n\n"

    def _facts(self, kind: str) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": self._created, "model": self._model}

    def _event(self, **fields: Any) -> bytes:
        event = {**self._facts("chat.completion.chunk"), **fields}
        return b"data: " + json.dumps(event).encode() + b"\n\n"


def _usage(answer: Answer, told: dict[str, Any]) -> dict[str, Any]:
    usage = answer.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.answer_tokens,
        "total_tokens": usage.prompt_tokens + usage.answer_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        FIELD: told,
    }


def _finish_reason(answer: Answer) -> str:
    return "length" if answer.usage.finish_reason == "length" else "stop"


def _delta(delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
