"""Chat requests on their way to the upstream: their videos are put into another form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import Scope

from framesift.export import jpeg_video
from framesift.serving import chat_request
from framesift_server.gateway.chat_body import ChatBody
from framesift_server.gateway.conversation import Conversation
from framesift_server.gateway.embeds import Embeds, Instead
from framesift_server.gateway.frames import LINE, Picked, Picker, free_line
from framesift_server.gateway.images import Dropped, Images
from framesift_server.gateway.incoming import Incoming
from framesift_server.gateway.knobs import FIELD, PREFIX, Knobs, check_meant
from framesift_server.gateway.local import LocalRequest
from framesift_server.gateway.models import no_model
from framesift_server.gateway.openai_errors import GatewayError
from framesift_server.gateway.relay import Changes
from framesift_server.gateway.settings import GatewaySettings, Route
from framesift_server.gateway.told import Savings, Told
from framesift_server.gateway.tower import Tower
from framesift_server.host import Host
from framesift_server.keys import ANYBODY
from framesift_server.usage import Used

CHAT: Final = "/v1/chat/completions"
NOT_READ: Final = "{} cannot be obeyed; send a chat request as JSON in UTF-8, not packed"
SMALL_BYTES: Final = 2**16
"""Largest body that is parsed at once; others are in a thread, so that nobody waits for it."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A chat request as it goes to the upstream."""

    body: Sequence[bytes | bytearray | memoryview] = field(repr=False)
    """In pieces."""
    rewritten: bool = False
    changes: Changes = field(default_factory=Changes)
    """Of the answer."""


class Chat:
    """Prepares chat requests."""

    def __init__(
        self, settings: GatewaySettings, host: Host, savings: Savings, tower: Tower | None
    ) -> None:
        """Takes what does and bills the work.

        Args:
            settings: of the gateway.
            host: whose line of work it is.
            savings: told of each video.
            tower: the model on this machine, if there is one.
        """
        self._settings, self._host, self._savings = settings, host, savings
        self._picker, self._tower = Picker(settings), tower
        self._images = Images(settings, host)
        self._embeds = None if tower is None else Embeds(tower, settings, host)

    async def prepared(self, scope: Scope, incoming: Incoming) -> Prepared | LocalRequest:
        """Returns what to send in the place of a chat request; itself, where it has no video.

        One that the model on this machine is to answer is returned as what it asks.

        Raises:
            GatewayError: a knob or block is wrong, or the body too large.
            FramesiftError: a video cannot be had or read.
        """
        content = await incoming.whole(self._settings.max_body_bytes)
        headers, body = Headers(scope=scope), ChatBody(content)
        own = {name: value for name, value in headers.items() if name.startswith(PREFIX)}
        read = own or self._tower is not None or body.may_hold_video
        run_in = to_thread.run_sync if len(content) > SMALL_BYTES else _at_once
        parsed = None
        if read and "content-encoding" not in headers:
            parsed = await run_in(body.parsed)
        if parsed is None:
            if own:
                raise GatewayError(400, NOT_READ.format(", ".join(sorted(own))), param=FIELD)
            if self._settings.upstream is None:
                raise GatewayError(400, "the body is no chat request; send JSON with messages")
            return Prepared(body=[content])
        has_field = FIELD in parsed
        knobs, set_here = Knobs.of(self._settings, parsed.pop(FIELD, None), own)
        # By the route none a video is the upstream's to judge, so that none is looked for.
        messages = [] if knobs.route == "none" else parsed["messages"]
        conversation = await run_in(partial(Conversation, body, messages, knobs.images))
        client = scope.get("client_name", ANYBODY)
        tower = self._answering(parsed.get("model"), knobs, set_here, conversation)
        if tower is not None:
            check_meant("local", set_here)
            most = self._settings.answer_tokens
            asked = partial(chat_request, parsed, model=tower.name, answer_tokens=most)
            return LocalRequest(asked=await run_in(asked), body=body, knobs=knobs, client=client)
        if not (conversation.videos or conversation.runs):
            if not has_field:
                return Prepared(body=[content])
            return Prepared(body=await run_in(partial(body.written, parsed)), rewritten=True)
        told = await self._shortened(parsed, conversation, knobs, set_here, incoming, client)
        self._savings.note(told.visual_tokens_before, told.visual_tokens_after)
        sent = await run_in(partial(body.written, parsed))
        return Prepared(body=sent, rewritten=True, changes=told.changes())

    async def _shortened(
        self,
        parsed: dict[str, Any],
        conversation: Conversation,
        knobs: Knobs,
        set_here: frozenset[str],
        incoming: Incoming,
        client: str,
    ) -> Told:
        """Puts another form of its videos into a request; returns what the client is told."""
        told, instead, dropped = None, Instead(), Dropped()
        route: Route = "frames"
        if conversation.videos:
            asked_here = "route" in set_here
            route = self._route(knobs.route, conversation, parsed.get("model"), asked=asked_here)
            check_meant(route, set_here)
        if conversation.runs or route != "embeds":
            knobs = self._shared(conversation, knobs)
        if conversation.runs:
            dropped, told = await self._images.dropped(
                conversation.runs, knobs, conversation.question, incoming, client
            )
        if conversation.videos:
            if route == "embeds":
                assert self._embeds is not None
                instead, of_videos = await self._embeds.instead(
                    conversation, knobs, incoming, client
                )
            else:
                picked = await self._picked(conversation, knobs, incoming, client)
                instead = [each.content() for each in picked]
                of_videos = Told.of(route, conversation.shown(picked))
                if route == "video-jpeg":
                    given = parsed.get("media_io_kwargs")
                    instead, fields = self._as_video(*picked)
                    others = given if isinstance(given, dict) else {}
                    parsed["media_io_kwargs"] = {**others, "video": fields}
            told = of_videos if told is None else of_videos.beside(told)
        assert told is not None
        if instead or dropped:
            parsed["messages"] = conversation.replaced(instead, dropped)
        return told

    def _as_video(self, shown: Picked) -> tuple[Instead, dict[str, Any]]:
        """Returns a video whose frames have their times, and the fields that tell these."""
        part, fields = jpeg_video(
            shown.pictures,
            shown.times_seconds,
            shown.duration_seconds,
            joined=self._settings.frames_joined,
        )
        return [[part]], fields

    def _answering(
        self, model: Any, knobs: Knobs, set_here: frozenset[str], conversation: Conversation
    ) -> Tower | None:
        """Returns the model on this machine where it is to answer a request.

        It answers what names it, videos by the route `local`, and whatever asks for that route.

        Raises:
            GatewayError: nothing has a model of that name, or that is not on this machine.
        """
        tower, here = self._tower, "route" in set_here
        if tower is None:
            if knobs.route == "local":
                line = "no model is on this machine for the route 'local'; take another"
                raise GatewayError(400, line, param=FIELD, code="invalid_value")
            return None
        named = model == tower.name != self._settings.embeds_for
        if named or (model is None and self._settings.upstream is None):
            if here and knobs.route != "local":
                raise GatewayError(
                    400,
                    f"{tower.name!r} is answered on this machine by the route 'local' alone, not "
                    f"by {knobs.route!r}; leave the route out, or name a model of the upstream",
                    param=FIELD,
                    code="invalid_value",
                )
            return tower
        if self._settings.upstream is None:
            raise no_model(model, tower.name)
        by_route = knobs.route == "local" and (here or bool(conversation.videos))
        return tower if by_route else None

    def _route(self, route: Route, conversation: Conversation, model: Any, *, asked: bool) -> Route:
        """Returns the route that videos take, `frames` where the default does not suit them.

        Raises:
            GatewayError: the request itself has asked for that route.
        """
        line, taken = "", self._settings.embeds_for
        if route == "video-jpeg" and conversation.count > 1:
            line = (
                f"the messages hold {conversation.count} videos, and by the route 'video-jpeg' a "
                "request has one, since the engine takes the times of one"
            )
        elif route == "embeds" and (taken is None or model != taken):
            whose = f"by {taken!r} alone" if taken else "by no model of the upstream"
            line = f"tokens by the route 'embeds' are taken {whose}, not by {str(model)[:200]!r}"
        if line and asked:
            raise GatewayError(400, f"{line}; ask for the route 'frames'", param=FIELD)
        return "frames" if line else route

    def _shared(self, conversation: Conversation, knobs: Knobs) -> Knobs:
        """Returns knobs by which all videos together have as many pictures as are allowed.

        Raises:
            GatewayError: not even one each is allowed.
        """
        count = conversation.count + len(conversation.runs)
        share = self._settings.max_pictures // count
        if not share:
            raise GatewayError(
                400,
                f"the messages hold {count} videos, and at most {self._settings.max_pictures} "
                "pictures are sent; leave some out, or raise --max-pictures",
                param="messages",
            )
        return knobs.model_copy(update={"frames": min(knobs.frames, share)})

    async def _picked(
        self, conversation: Conversation, knobs: Knobs, incoming: Incoming, client: str
    ) -> Sequence[Picked]:
        videos, question = conversation.videos, conversation.question
        if (known := self._picker.known(videos, knobs, question)) is not None:
            tokens_in = sum(each.tokens_in for each in known)
            tokens_out = sum(each.tokens_out for each in known)
            used = Used(requests=1, tokens_in=tokens_in, tokens_out=tokens_out)
            await to_thread.run_sync(self._host.bill, client, used)
            return known
        do = partial(self._picker.pick, videos, knobs, question)
        line = free_line(self._host.workers, self._settings.videos_at_once)
        return await self._host.worked(incoming, line, LINE, do, client=client)


async def _at_once(do: Any) -> Any:
    return do()
