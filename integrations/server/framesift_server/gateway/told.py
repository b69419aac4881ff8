"""What a client is told of its videos: in headers, in `usage`, and in errors of the upstream."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from framesift import CompressedVideo
from framesift_server.gateway.frames import Picked
from framesift_server.gateway.knobs import FIELD
from framesift_server.gateway.relay import Changes
from framesift_server.gateway.upstream import Raw
from framesift_server.host import Host


def told_headers(route: str, frames: int, tokens_before: int, tokens_after: int) -> Raw:
    """Returns the headers that tell how the videos of one request were shortened."""
    facts = {
        b"route": route,
        b"frames": frames,
        b"tokens-before": tokens_before,
        b"tokens-after": tokens_after,
    }
    return [(b"x-framesift-" + name, str(fact).encode()) for name, fact in facts.items()]


class Savings:
    """Counts visual tokens before and after, and the money that was saved."""

    def __init__(self, host: Host, price_per_million: float) -> None:
        self._host, self._price = host, price_per_million
        self._saved = Counter(
            "framesift_saved_money",
            "Price of the visual tokens that were not sent, at --price-per-million.",
            registry=host.registry,
        )

    def note(self, before: int, after: int) -> None:
        """Counts the videos of one request."""
        self._host.count(before, after)
        self._saved.inc((before - after) / 1e6 * self._price)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How the videos of one request went to the upstream."""

    route: str
    frames_before: int
    frames_after: int
    visual_tokens_before: int
    visual_tokens_after: int
    times_seconds: list[list[float]]
    """Of the frames of each video."""

    @classmethod
    def of(cls, route: str, picked: Sequence[Picked]) -> Told:
        """Returns what is told of these videos."""
        return cls(
            route=route,
            frames_before=sum(each.frames_in for each in picked),
            frames_after=sum(len(each.times_seconds) for each in picked),
            visual_tokens_before=sum(each.tokens_in for each in picked),
            visual_tokens_after=sum(each.tokens_out for each in picked),
            times_seconds=[[round(t, 3) for t in each.times_seconds] for each in picked],
        )

    @classmethod
    def of_tokens(cls, route: str, videos: Sequence[CompressedVideo]) -> Told:
        """Returns what is told of videos whose tokens are sent."""
        reports = [video.report for video in videos]
        left = [
            zip(video.frame_seconds.tolist(), video.report.tokens_per_frame_kept, strict=True)
            for video in videos
        ]
        return cls(
            route=route,
            frames_before=sum(each.frames_in for each in reports),
            frames_after=sum(each.frames_out for each in reports),
            visual_tokens_before=sum(each.tokens_in for each in reports),
            visual_tokens_after=sum(each.tokens_out for each in reports),
            times_seconds=[[round(t, 3) for t, tokens in each if tokens] for each in left],
        )

    def changes(self) -> Changes:
        """Returns what is different about the upstream's answer."""
        before, after = self.visual_tokens_before, self.visual_tokens_after
        headers = told_headers(self.route, self.frames_after, before, after)
        return Changes(headers=headers, body=self._body, event=self._events)

    def _usage(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def _body(self, status: int, body: bytes) -> bytes:
        try:
            answer = json.loads(body)
        except ValueError:
            return body
        if not isinstance(answer, dict):
            return body
        if status < 400:
            answer["usage"] = {**(answer.get("usage") or {}), FIELD: self._usage()}
        elif not self._advise(answer):
            return body
        return json.dumps(answer).encode()

    def _events(self, events: bytes) -> bytes:
        """Returns events of a stream, of which the one that has `usage` says more."""
        if b'"usage"' not in events:
            return events
        return b"\n".join(map(self._line, events.split(b"\n")))

    def _line(self, line: bytes) -> bytes:
        if not line.startswith(b"data: {"):
            return line
        try:
            event = json.loads(line[6:])
        except ValueError:
            return line
        if not isinstance(event.get("usage"), dict):
            return line
        event["usage"][FIELD] = self._usage()
        return b"data: " + json.dumps(event).encode()

    def _advise(self, answer: dict[str, Any]) -> bool:
        """Says how many frames fit, where the prompt is too long for the upstream's context."""
        error = answer.get("error", answer)
        message = error.get("message") if isinstance(error, dict) else None
        if not isinstance(message, str) or ("token" not in message and "length" not in message):
            return False
        room, numbers = _numbers(message.partition("maximum")[2])[:1], _numbers(message)
        if not room or (over := max(numbers) - room[0]) <= 0:
            return False
        advice = self._fitting(over)
        error["message"] = f"{message.rstrip('. ')}. {FIELD}: {advice}"
        return True

    def _fitting(self, over: int) -> str:
        """Returns what to ask for where the prompt has `over` tokens too many."""
        if self.route == "embeds":
            share = 1 - over / self.visual_tokens_after
            return (
                f"the tokens fit where 'keep' is {share:.2f} times what it is; ask for that by "
                f"extra_body={{'{FIELD}': {{'keep': ...}}}}"
                if share > 0
                else "not even one visual token fits; say less"
            )
        each = max(1, self.visual_tokens_after // self.frames_after)
        fit = self.frames_after - math.ceil(over / each)
        return (
            f"about {fit} of the {self.frames_after} frames that were sent fit; ask for them by "
            f"extra_body={{'{FIELD}': {{'frames': {fit}}}}}"
            if fit > 0
            else "not even one frame fits; ask for smaller ones by max_side_px, or say less"
        )


def _numbers(text: str) -> list[int]:
    """Returns the whole numbers in a text."""
    digits = "".join(c if c in "0123456789" else " " for c in text)
    return [int(number) for number in digits.split() if len(number) < 10]
