"""The route `embeds`: the upstream gets the visual tokens that are left, not pictures."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from framesift.export import embeds_parts
from framesift_server.gateway.conversation import Conversation
from framesift_server.gateway.incoming import Incoming
from framesift_server.gateway.knobs import Knobs
from framesift_server.gateway.settings import GatewaySettings
from framesift_server.gateway.told import Told
from framesift_server.gateway.tower import Tower
from framesift_server.host import Host
from framesift_server.metering import Meter

KIND: Final = "embeds"
"""Of the work, in the line before the model."""
Instead = list[list[dict[str, Any]]]
"""For each video of a conversation what stands in its place."""


class Embeds:
    """Compresses videos by the tower of the model that the upstream serves."""

    def __init__(self, tower: Tower, settings: GatewaySettings, host: Host) -> None:
        self._tower, self._form, self._host = tower, settings.embeds_form, host

    async def instead(
        self, conversation: Conversation, knobs: Knobs, incoming: Incoming, client: str
    ) -> tuple[Instead, Told]:
        """Returns what stands in the place of each video, and what the client is told."""
        do = partial(self._do, conversation, knobs)
        return await self._host.worked(incoming, self._tower.name, KIND, do, client=client)

    def _do(self, conversation: Conversation, knobs: Knobs, meter: Meter) -> tuple[Instead, Told]:
        with meter.running():
            question = conversation.question
            videos = [
                self._tower.compressed(video, knobs, question) for video in conversation.videos
            ]
            parts = [embeds_parts(self._tower.vlm, video, self._form) for video in videos]
            told = Told.of_tokens(KIND, conversation.shown(videos))
            meter.note(
                video_milliseconds=round(
                    1000 * sum(video.report.duration_seconds for video in videos)
                ),
                tokens_in=told.visual_tokens_before,
                tokens_out=told.visual_tokens_after,
            )
        return parts, told
