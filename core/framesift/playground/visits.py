"""Who is at the page: each has an open video and looks at it that nobody else sees."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import framesift
from framesift.playground.look import Look
from framesift.playground.setting import Setting
from framesift.vlms.base import VLM


@dataclass(slots=True, kw_only=True)
class Visit:
    """The video that one person has open."""

    opener: Callable[[str | Path], framesift.LocalVideo]
    source: str | Path | None = None
    local: framesift.LocalVideo | None = None
    token: str = field(default_factory=secrets.token_urlsafe)
    """Part of the address of the clip that nobody else can guess."""
    uploads: set[Path] = field(default_factory=set)
    looks: dict[Setting, Look] = field(default_factory=dict)

    def open(self, source: str | Path) -> framesift.LocalVideo:
        """Returns the video behind a link or a file; one that is open already stays open.

        Raises:
            FramesiftError: it cannot be fetched; the video of before is closed all the same.
        """
        if self.local is None or source != self.source:
            self.close_video()
            self.local = self.opener(source)
            self.source, self.token = source, secrets.token_urlsafe()
        return self.local

    def look(self, setting: Setting, vlm: VLM) -> Look:
        """Returns what a setting keeps of the open video, at once where it was looked at before.

        Raises:
            FramesiftError: an option is wrong, or the video cannot be read.
        """
        assert self.local is not None
        if setting not in self.looks:
            made = Look.at(self.local, setting, vlm)
            # Two sides with and without a question: older ones would only take memory.
            self.looks = dict([*self.looks.items()][-3:])
            self.looks[setting] = made
        return self.looks[setting]

    def close_video(self) -> None:
        """Lets the open video go."""
        if self.local is not None:
            self.local.close()
        self.local, self.source = None, None
        self.looks.clear()

    def close(self) -> None:
        """Lets everything go; safe to call twice."""
        self.close_video()
        for upload in self.uploads:
            shutil.rmtree(upload.parent, ignore_errors=True)
        self.uploads.clear()


class Visits:
    """Everybody who is at the page."""

    def __init__(self, opener: Callable[[str | Path], framesift.LocalVideo], *, most: int) -> None:
        """Knows nobody yet.

        Args:
            opener: opens a video by its name, or refuses to.
            most: how many have a video open; one more ends the visit of who was away for longest.
        """
        self._opener, self._most = opener, most
        self._visits: dict[str, Visit] = {}

    @contextmanager
    def at(self, session: str) -> Iterator[Visit]:
        """Yields the visit of a session, a new one where it has none.

        One that ended meanwhile holds nothing afterwards.
        """
        visit = self._visits.pop(session, None) or Visit(opener=self._opener)
        self._visits[session] = visit
        for longest_away in list(self._visits)[: -self._most]:
            self.end(longest_away)
        try:
            yield visit
        finally:
            if self._visits.get(session) is not visit:
                visit.close()

    def end(self, session: str) -> None:
        """Lets go what a session held."""
        if visit := self._visits.pop(session, None):
            visit.close()

    def end_all(self) -> None:
        """Lets go what all held."""
        for session in list(self._visits):
            self.end(session)

    def clip(self, token: str) -> Path | None:
        """Returns the file of the visit that has this token; None where there is none."""
        for visit in list(self._visits.values()):
            if visit.local is not None and secrets.compare_digest(visit.token, token):
                return visit.local.path
        return None
