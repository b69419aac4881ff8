"""Judges frames by a model behind an address, which may tell how sure it is of its words."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from framesift.answering.judging import (
    AGAIN,
    CAPTION,
    CHOOSE,
    JUDGE,
    asked,
    captioned,
    chosen_in,
    evaluation_in,
)
from framesift.errors import EndpointError, ReplyError
from framesift.fetching.endpoint import Endpoint

Value = TypeVar("Value")

ALTERNATIVES: Final = 20
"""Likeliest tokens at each place that servers name at most."""
OPTIONAL: Final = ("top_logprobs", "logprobs", "temperature", "max_tokens")
"""Settings that some servers refuse; without them a request is sent again."""
_NOT_LETTERS: Final = re.compile(r"[^A-Za-z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge makes of one frame."""

    value: float
    """Probability of True among True and False, in [0, 1]."""
    is_probability: bool
    """Whether the model's own probabilities were read, and not only its word."""


class EndpointJudge:
    """A vision LLM behind an address, and a text model there that chooses by captions."""

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        *,
        text_model: str | None = None,
        max_new_tokens: int = 512,
    ) -> None:
        """Takes what answers.

        Args:
            endpoint: where it is asked.
            model: its name there.
            text_model: what chooses by captions; None for the same model.
            max_new_tokens: longest reply.
        """
        self.endpoint: Final = endpoint
        self._model: Final = model
        self._text_model: Final = text_model or model
        self._most: Final = max_new_tokens
        self._refused: set[str] = set()

    @property
    def called(self) -> str:
        """The names of the models."""
        return " + ".join(dict.fromkeys((self._model, self._text_model)))

    def truth(self, picture: bytes, question: str, choices: Sequence[str] = ()) -> Verdict:
        """Returns whether a frame helps to answer a question.

        Args:
            picture: the frame as a JPEG file.
            question: about the video.
            choices: answers to choose from, where they are to be shown.

        Raises:
            EndpointError: the model cannot be asked, or says nothing that is an evaluation.
        """
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": JUDGE},
            {"role": "user", "content": [_shown(picture), _text(asked(question, choices))]},
        ]
        read = self._ask(self._model, messages, _verdict, probabilities=True)
        if "unfinished" in read:
            told = {"role": "assistant", "content": read["unfinished"]}
            again = {"role": "user", "content": AGAIN}
            read = self._ask(
                self._model, [*messages, told, again], _last_verdict, probabilities=True
            )
        return Verdict(value=float(read["value"]), is_probability=bool(read["is_probability"]))

    def caption(self, picture: bytes) -> str:
        """Returns what a frame, a JPEG file, shows, in a sentence."""
        messages = [{"role": "user", "content": [_shown(picture), _text(CAPTION)]}]
        return self._ask(self._model, messages, _words)

    def choose(
        self, captions: Sequence[str], question: str, choices: Sequence[str] = ()
    ) -> tuple[list[int], int]:
        """Returns the frames that help most, and how many entries of the reply named none.

        Raises:
            ReplyError: each time the reply held no list, or named none of the frames.
        """

        def read(reply: dict[str, Any]) -> list[Any]:
            text = _words(reply)
            found = chosen_in(text, len(captions))
            if found is None:
                raise ReplyError(f"the reply holds no JSON list of frames: {text[:80]!r}")
            if found.dropped and not found.indices:
                raise ReplyError(
                    f"the reply names none of the frames 0 to {len(captions) - 1}: {text[:80]!r}"
                )
            return [list(found.indices), found.dropped]

        messages = [
            {"role": "system", "content": CHOOSE},
            {"role": "user", "content": captioned(captions, question, choices)},
        ]
        indices, dropped = self._ask(self._text_model, messages, read)
        return [int(index) for index in indices], int(dropped)

    def _ask(
        self,
        model: str,
        messages: Sequence[dict[str, Any]],
        read: Callable[[dict[str, Any]], Value],
        *,
        probabilities: bool = False,
    ) -> Value:
        """Returns what `read` makes of a reply; settings that the server refuses are left out."""
        request = {
            "model": model,
            "messages": list(messages),
            "temperature": 0,
            "max_tokens": self._most,
        }
        if probabilities:
            request |= {"logprobs": True, "top_logprobs": ALTERNATIVES}
        while True:
            sent = {name: value for name, value in request.items() if name not in self._refused}
            try:
                return self.endpoint.ask(sent, read)
            except ReplyError:
                raise
            except EndpointError as error:
                refused = [name for name in OPTIONAL if name in sent and name in str(error)]
                if not refused:
                    raise
                self._refused |= set(refused)


def _verdict(reply: dict[str, Any]) -> dict[str, Any]:
    text = _words(reply)
    found = evaluation_in(text)
    if found is None:
        return {"unfinished": text}
    share = _probability(reply)
    if share is not None:
        return {"value": share, "is_probability": True}
    return {"value": float(found[1].lower() == "true"), "is_probability": False}


def _last_verdict(reply: dict[str, Any]) -> dict[str, Any]:
    read = _verdict(reply)
    if "unfinished" in read:
        raise ReplyError(f"the reply ends with no evaluation: {read['unfinished'][-80:]!r}")
    return read


def _words(reply: dict[str, Any]) -> str:
    """Returns the text of a reply.

    Raises:
        ReplyError: it holds none.
    """
    try:
        content = reply["choices"][0]["message"]["content"]
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ReplyError("the reply holds no message of a model") from error
    if not isinstance(content, str) or not content.strip():
        raise ReplyError("the reply holds no text")
    return content


def _probability(reply: dict[str, Any]) -> float | None:
    """Returns the probability of True among True and False at the last evaluation of a reply.

    None where the reply does not say how probable its tokens are.
    """
    try:
        tokens = reply["choices"][0]["logprobs"]["content"]
        words = [str(token["token"]) for token in tokens]
        found = evaluation_in("".join(words))
        if found is None:
            return None
        place, end = -1, 0
        while end <= found.start(1):
            place += 1
            end += len(words[place])
        named = [tokens[place], *(tokens[place].get("top_logprobs") or ())]
        known = {str(each["token"]): float(each["logprob"]) for each in named}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None
    return _share_of_true(known)


def _share_of_true(logs: dict[str, float]) -> float | None:
    """Returns the share of True, from the log-probabilities of tokens at one place.

    Tokens with and without a space before the word are two spellings; that with the mass counts.
    """
    masses: dict[bool, list[float]] = {True: [0.0, 0.0], False: [0.0, 0.0]}
    for token, log in logs.items():
        letters = _NOT_LETTERS.sub("", token).lower()
        for word, kind in (("true", 0), ("false", 1)):
            if letters and word.startswith(letters) and math.isfinite(log):
                masses[token[:1].isspace()][kind] += math.exp(min(log, 0.0))
    true, false = max(masses.values(), key=sum)
    return true / (true + false) if true + false > 0 else None


def _shown(picture: bytes) -> dict[str, Any]:
    url = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}
