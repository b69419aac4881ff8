"""Pictures of a chat request that are frames of a video: those that are enough stay as they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Final

from framesift import FetchLimits, selectors
from framesift.serving import PictureRun, Remembered, enough_pictures
from framesift_server.gateway.frames import KEPT, free_line
from framesift_server.gateway.incoming import Incoming
from framesift_server.gateway.knobs import Knobs
from framesift_server.gateway.settings import GatewaySettings
from framesift_server.gateway.told import Told
from framesift_server.host import Host
from framesift_server.metering import Meter

KIND: Final = "pictures"
"""Of the work, in the line for frames."""
Dropped = set[tuple[int, int]]
"""Message and part of what is left out."""


class Images:
    """Leaves pictures out, once for each content."""

    def __init__(self, settings: GatewaySettings, host: Host) -> None:
        self._settings, self._host = settings, host
        self._limits = FetchLimits.untrusted(
            max_bytes=settings.max_body_bytes, max_pixels=settings.max_pixels
        )
        self._kept = Remembered(KEPT)

    async def dropped(
        self,
        runs: Sequence[PictureRun],
        knobs: Knobs,
        question: str,
        incoming: Incoming,
        client: str,
    ) -> tuple[Dropped, Told]:
        """Returns what is left out, and what the client is told."""
        do = partial(self._do, runs, knobs, question)
        line = free_line(self._host.workers, self._settings.videos_at_once)
        return await self._host.worked(incoming, line, KIND, do, client=client)

    def _do(
        self, runs: Sequence[PictureRun], knobs: Knobs, question: str, meter: Meter
    ) -> tuple[Dropped, Told]:
        with meter.running():
            kept = [self._enough(run, knobs, question) for run in runs]
            told = self._told(runs, kept)
            meter.note(tokens_in=told.visual_tokens_before, tokens_out=told.visual_tokens_after)
        pairs = zip(runs, kept, strict=True)
        return set().union(*(run.dropped(places) for run, places in pairs)), told

    def _enough(self, run: PictureRun, knobs: Knobs, question: str) -> list[int]:
        reads = selectors.registry.create(knobs.selector).reads_question
        key = run.key, knobs.frames, knobs.selector, question if reads else None
        kept: list[int] | None = self._kept.get(key)
        if kept is None:
            kept = enough_pictures(
                run, knobs.frames, question, selector=knobs.selector, limits=self._limits
            )
            self._kept.keep(key, kept)
        return kept

    def _told(self, runs: Sequence[PictureRun], kept: Sequence[Sequence[int]]) -> Told:
        side = self._settings.token_px
        tokens = [math.prod(math.ceil(px / side) for px in run.size_px) for run in runs]
        times = [
            [seconds for place in places if (seconds := run.times[place]) is not None]
            for run, places in zip(runs, kept, strict=True)
        ]
        return Told(
            route="frames",
            frames_before=sum(len(run.columns) for run in runs),
            frames_after=sum(map(len, kept)),
            visual_tokens_before=sum(
                each * len(run.columns) for each, run in zip(tokens, runs, strict=True)
            ),
            visual_tokens_after=sum(
                each * len(places) for each, places in zip(tokens, kept, strict=True)
            ),
            times_seconds=times,
        )
