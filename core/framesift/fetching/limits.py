"""What a video from a stranger may cost, and where it may come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from pydantic import Field

from framesift.types.options import Amount, NotNegative, Options
from framesift.types.video import MAX_PIXELS

MAX_ADDRESS: Final = 8192
"""Longest path or link, in characters; a data: URI is held by its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits(Options):
    """What a video may cost and where it may come from; safe by default for URLs from strangers."""

    max_bytes: Amount = 2 * 1024**3
    """Largest download, held while streaming, whatever the server claims."""
    max_duration_seconds: NotNegative = 4 * 3600.0
    """Longest video that a site may announce."""
    max_pixels: Amount = MAX_PIXELS
    """Most pixels of a picture, in files of this machine as well: a decoder refuses larger ones
    from the header."""
    total_seconds: NotNegative = 1800.0
    """Longest time for the whole download."""
    idle_seconds: NotNegative = 20.0
    """Longest wait for the next bytes."""
    max_redirects: Amount = 5
    """Most redirects from a link to the video."""
    allow_private: bool = False
    """Whether loopback and private addresses may be fetched. Metadata services never are."""
    ports: tuple[Annotated[int, Field(ge=0, lt=2**16)], ...] = (80, 443, 8080, 8443)
    """Ports that may be connected to; not held where `allow_private` is set."""
    allow_files: bool = True
    """Whether text may name a file of this machine; switch it off for text from strangers. A
    `Path` object, which no stranger can send, always may."""

    allow_cookies: bool | None = None
    """Whether pages may be opened with the cookies that `SiteOptions` name, since strangers who
    give addresses would see what only their owner may; None where text may name files, too."""

    @classmethod
    def untrusted(cls, **limits: Any) -> Self:
        """Returns limits for addresses from strangers: public links, no files, no login.

        Args:
            **limits: other values than the defaults, by name.
        """
        return cls(**{"allow_files": False, **limits})
