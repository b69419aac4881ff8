"""What a video from a stranger may cost, and where it may come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from framesift.errors import InvalidOptionError
from framesift.types.options import check_options, shown
from framesift.types.video import MAX_PIXELS

MAX_ADDRESS: Final = 8192
"""Longest path or link, in characters; a data: URI is held by its bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What a video may cost and where it may come from; safe by default for URLs from strangers."""

    max_bytes: int = 2 * 1024**3
    """Largest download, held while streaming, whatever the server claims."""
    max_duration_seconds: float = 4 * 3600.0
    """Longest video that a site may announce."""
    max_pixels: int = MAX_PIXELS
    """Most pixels of a picture, in files of this machine as well: a decoder refuses larger ones
    from the header."""
    total_seconds: float = 1800.0
    """Longest time for the whole download."""
    idle_seconds: float = 20.0
    """Longest wait for the next bytes."""
    max_redirects: int = 5
    allow_private: bool = False
    """Whether loopback and private addresses may be fetched. Metadata services never are."""
    ports: tuple[int, ...] = (80, 443, 8080, 8443)
    """Ports that may be connected to; not held where `allow_private` is set."""
    allow_files: bool = True
    """Whether text may name a file of this machine; switch it off for text from strangers. A
    `Path` object, which no stranger can send, always may."""

    def __post_init__(self) -> None:
        check_options(self)
        floors = (
            "max_bytes",
            "max_duration_seconds",
            "max_pixels",
            "total_seconds",
            "idle_seconds",
        )
        for name in floors:
            if not getattr(self, name) >= 0:
                raise InvalidOptionError(f"{name}={getattr(self, name)!r} must be at least 0")
        if self.max_redirects < 0 or not all(0 <= port < 2**16 for port in self.ports):
            raise InvalidOptionError(
                f"max_redirects={self.max_redirects!r} must be at least 0, and ports="
                f"{shown(self.ports)} from 0 to 65535"
            )
