"""The route `local`: a vision LLM on this machine answers, and no upstream is asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

import anyio
from anyio import from_thread
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from framesift import Answer, Assistant, CompressionReport, Message, VideoCompressor
from framesift.serving import ChatReply, ChatRequest
from framesift_server.gateway.chat_body import ChatBody, Video
from framesift_server.gateway.incoming import Incoming
from framesift_server.gateway.knobs import Knobs
from framesift_server.gateway.openai_errors import error_response
from framesift_server.gateway.told import Savings, told_headers
from framesift_server.gateway.tower import Tower
from framesift_server.gateway.upstream import Raw
from framesift_server.host import Host
from framesift_server.metering import Meter

KIND: Final = "chat"
"""Of the work, in the line before the model."""
SHOWN: Final = {"uri", "start_seconds", "end_seconds", "keyframe_seconds", "score", "box"}
"""What is told of a stretch that an answer rests on."""
OnText = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRequest:
    """A chat request that the model of this machine answers."""

    asked: ChatRequest
    body: ChatBody
    """Holds its videos."""
    knobs: Knobs
    client: str
    """Who is billed."""


class Reply(ChatReply):
    """An answer, and what its client is told of the videos."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self._told: dict[str, Any] = {}

    def note(self, reports: Sequence[CompressionReport]) -> None:
        """Notes how the videos of the conversation were compressed, before it is answered."""
        self._told = {
            "route": "local",
            "frames_before": sum(each.frames_in for each in reports),
            "frames_after": sum(each.frames_out for each in reports),
            "visual_tokens_before": sum(each.tokens_in for each in reports),
            "visual_tokens_after": sum(each.tokens_out for each in reports),
        }

    @property
    def tokens(self) -> tuple[int, int]:
        """Visual tokens before and after."""
        return self._told["visual_tokens_before"], self._told["visual_tokens_after"]

    @property
    def headers(self) -> Raw:
        """What tells how the videos were shortened."""
        return told_headers(self._told["route"], self._told["frames_after"], *self.tokens)

    def told(self, answer: Answer) -> dict[str, Any]:
        """Returns what stands in the usage."""
        evidence = [each.model_dump(mode="json", include=SHOWN) for each in answer.evidence]
        more = {"evidence": evidence, "not_shown": answer.not_shown, "warnings": answer.warnings}
        return {**self._told, **more}


class Local:
    """Answers chat requests; the video of a conversation is read once."""

    def __init__(self, tower: Tower, host: Host, savings: Savings) -> None:
        self._tower, self._host, self._savings = tower, host, savings
        self._assistant = Assistant(
            lambda: VideoCompressor(vlm=self._tower.vlm, limits=self._tower.limits)
        )

    async def answer(
        self, request: LocalRequest, incoming: Incoming, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Sends the answer, at once or as a stream of events.

        Raises:
            ClientLeftError: there is nobody to answer; the work has ended.
            Exception: there is no answer, and nothing of it was sent.
        """
        reply = Reply(self._tower.name)
        if request.asked.stream:
            await self._stream(request, incoming, reply, send)
            return
        answer = await self._worked(request, incoming, reply, _ignored)
        body = reply.whole(answer, reply.told(answer))
        headers = {name.decode(): value.decode() for name, value in reply.headers}
        await JSONResponse(body, headers=headers)(scope, receive, send)

    async def _stream(
        self, request: LocalRequest, incoming: Incoming, reply: Reply, send: Send
    ) -> None:
        """Sends pieces as they come; a slow reader does not hold the model.

        The head waits for the first piece, so that what is wrong before is an error of its own.
        """
        put, pieces = anyio.create_memory_object_stream[str](math.inf)
        answers: list[Answer] = []
        failures: list[Exception] = []

        def put_piece(piece: str) -> None:
            from_thread.run_sync(put.send_nowait, piece)

        async def work() -> None:
            with put:
                # Caught here, since a task group would wrap it.
                try:
                    answers.append(await self._worked(request, incoming, reply, put_piece))
                except Exception as error:
                    failures.append(error)

        began = False
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            with pieces:
                async for piece in pieces:
                    if not began:
                        await _head(send, reply)
                        began = True
                    await _body(send, reply.chunk(piece))
        if failures and not began:
            raise failures[0]
        if not began:
            await _head(send, reply)
        if failures:
            await _body(send, b"data: " + bytes(error_response(failures[0]).body) + b"\n\n")
        else:
            (answer,) = answers
            usage = request.asked.include_usage
            await _body(send, reply.last(answer, reply.told(answer), include_usage=usage))
        await send({"type": "http.response.body", "body": b""})

    async def _worked(
        self, request: LocalRequest, incoming: Incoming, reply: Reply, on_text: OnText
    ) -> Answer:
        do = partial(self._do, request, reply, on_text)
        name = self._tower.name
        return await self._host.worked(incoming, name, KIND, do, client=request.client)

    def _do(self, request: LocalRequest, reply: Reply, on_text: OnText, meter: Meter) -> Answer:
        with meter.running():
            asked = request.asked
            turns = [[request.body.video(media) for media in turn.media] for turn in asked.messages]
            shown: list[Video] = list(chain.from_iterable(turns))
            videos = {
                video.key: self._tower.compressed(video, request.knobs, asked.question)
                for video in shown
            }
            reply.note([videos[video.key].report for video in shown])
            messages = [
                Message(
                    role=turn.role,
                    text=turn.text,
                    videos=tuple(videos[video.key] for video in of_turn),
                )
                for turn, of_turn in zip(asked.messages, turns, strict=True)
            ]
            answer = self._assistant.reply(messages, generation=asked.generation, on_text=on_text)
            before, after = reply.tokens
            seconds = sum(video.report.duration_seconds for video in videos.values())
            meter.note(
                video_milliseconds=round(1000 * seconds),
                tokens_in=before,
                tokens_out=after,
                answer_tokens=answer.usage.answer_tokens,
            )
        self._savings.note(before, after)
        return answer


def _ignored(_: str) -> None:
    return None


async def _head(send: Send, reply: Reply) -> None:
    kind: list[Any] = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": [*kind, *reply.headers]})


async def _body(send: Send, part: bytes) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})
