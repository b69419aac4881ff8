"""The source contract: a URI in, a video file on this machine out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from framesift.errors import UnsupportedSourceError
from framesift.types.video import LocalVideo


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What a download may cost and where it may go; safe by default for URLs from strangers."""

    max_bytes: int = 2 * 1024**3
    """Largest download, held while streaming, whatever the server claims."""
    max_duration_seconds: float = 4 * 3600.0
    """Longest video that a site may announce."""
    total_seconds: float = 1800.0
    """Longest time for the whole download."""
    idle_seconds: float = 20.0
    """Longest wait for the next bytes."""
    max_redirects: int = 5
    allow_private: bool = False
    """Whether loopback and private addresses may be fetched. Metadata services never are."""
    ports: tuple[int, ...] = (80, 443, 8080, 8443)
    """Ports that may be connected to; not held where `allow_private` is set."""


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """A kind of address that videos come from."""

    summary: ClassVar[str]
    """One line for tables and listings."""
    priority: ClassVar[int] = 0
    """Where two sources match one URI, the higher priority opens it."""

    @abstractmethod
    def matches(self, uri: str) -> bool:
        """Returns whether this source opens `uri`; must not touch the network."""

    @abstractmethod
    def open(self, uri: str, limits: FetchLimits, *, text_only: bool = False) -> LocalVideo:
        """Returns the video as a file on this machine, or only its text where `text_only`.

        Raises:
            SourceError: the video cannot be brought; the subclass says why.
        """


def open_video(
    uri: str, limits: FetchLimits | None = None, *, text_only: bool = False
) -> LocalVideo:
    """Returns the video behind `uri`, opened by the source that matches it.

    Raises:
        UnsupportedSourceError: no source matches.
        SourceError: the video cannot be brought; the subclass says why.
    """
    from framesift.sources import registry

    parts: list[Source] = [registry.create(name) for name in registry.names()]
    matching = sorted((p for p in parts if p.matches(uri)), key=lambda part: -part.priority)
    if not matching:
        raise UnsupportedSourceError(
            f"no source opens {uri!r}; give a file path, an http(s):// link to a video, a page of "
            "a site that yt-dlp knows, or synthetic://NAME"
        )
    return matching[0].open(uri, limits or FetchLimits(), text_only=text_only)
