"""What a client is told of its videos: in headers, in `usage`, and in errors of the upstream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from framesift import CompressedVideo
from framesift.serving import edited_json, frames_that_fit, read_json, tokens_over
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

    def beside(self, pictures: Told) -> Told:
        """Returns what is told of these videos and of pictures that are frames, together."""
        return Told(
            route=self.route,
            **{
                name: getattr(self, name) + getattr(pictures, name)
                for name in self.__slots__
                if name != "route"
            },
        )

    def changes(self) -> Changes:
        """Returns what is different about the upstream's answer."""
        before, after = self.visual_tokens_before, self.visual_tokens_after
        headers = told_headers(self.route, self.frames_after, before, after)
        return Changes(headers=headers, body=self._body, event=self._events)

    def _usage(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def _body(self, status: int, body: bytes) -> bytes:
        return self._told(body, must_tell=status < 400)

    def _events(self, events: bytes) -> bytes:
        """Returns events of a stream, of which the one that has `usage` says more, or an error."""
        if b'"usage"' not in events and b'"error"' not in events:
            return events
        return b"\n".join(map(self._line, events.split(b"\n")))

    def _line(self, line: bytes) -> bytes:
        head, brace, rest = line.partition(b"{")
        is_data = head in (b"data: ", b"data:")
        return head + self._told(brace + rest, must_tell=False) if is_data else line

    def _told(self, content: bytes, *, must_tell: bool) -> bytes:
        """Returns an answer or event whose `usage` says more, or whose error has advice."""
        try:
            text = content.decode()
            came = read_json(text)
        except ValueError:
            return content
        if not isinstance(came, dict):
            return content
        usage = came.get("usage")
        now = self._advised(came)
        if isinstance(usage, dict) or must_tell:
            own = usage if isinstance(usage, dict) else {}
            now = {**came, "usage": {**own, FIELD: self._usage()}}
        return content if now is None else edited_json(text, came, now).encode()

    def _advised(self, came: dict[str, Any]) -> dict[str, Any] | None:
        """Returns an error that says how many frames fit, where the prompt was too long."""
        error = came.get("error", came)
        message = error.get("message") if isinstance(error, dict) else None
        if not isinstance(message, str) or (advice := self._advice(message)) is None:
            return None
        told = {**error, "message": f"{message.rstrip('. ')}. {FIELD}: {advice}"}
        return told if error is came else {**came, "error": told}

    def _advice(self, message: str) -> str | None:
        """Returns what to ask for, None where the error is not that the prompt is too long."""
        if self.route == "embeds":
            over = tokens_over(message)
            if over is None:
                return None
            share = 1 - over / self.visual_tokens_after if over else 0.5
            return (
                f"the tokens fit where 'keep' is {share:.2f} times what it is; ask for that by "
                f"extra_body={{'{FIELD}': {{'keep': ...}}}}"
                if share > 0
                else "not even one visual token fits; say less"
            )
        each = self.visual_tokens_after // self.frames_after
        fit = frames_that_fit(message, self.frames_after, each)
        if fit is None:
            return None
        videos = len(self.times_seconds)
        count, of_each = fit // videos, " of each video" if videos > 1 else ""
        return (
            f"about {fit} of the {self.frames_after} frames that were sent fit; ask for them by "
            f"extra_body={{'{FIELD}': {{'frames': {count}}}}}{of_each}"
            if count
            else "not even one frame fits; ask for smaller ones by max_side_px, or say less"
        )
