"""Videos that can be opened one after another, and what stands in the way of some."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from framesift.types.text import whole_characters


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedVideo:
    """A video of a list, which `open_video` opens unless it has a problem."""

    uri: str
    """Its address; a file whose name would not survive as text is listed as a file:// URI."""
    title: str | None = None
    duration_seconds: float | None = None
    """As its page or its container says."""
    problem: str | None = None
    """Why it cannot be used, in one line; None where nothing is known against it."""

    def __post_init__(self) -> None:
        # An address is kept to the letter: names of files hold spaces of every kind.
        object.__setattr__(self, "uri", whole_characters(self.uri))
        for name in ("title", "problem"):
            if (text := getattr(self, name)) is not None:
                object.__setattr__(self, name, whole_characters(" ".join(text.split())))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoList:
    """Videos in the order of their folder, page or sequence; iterating gives each `ListedVideo`."""

    videos: tuple[ListedVideo, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is not in the list, and why."""

    @property
    def usable(self) -> tuple[ListedVideo, ...]:
        """Those against which nothing is known."""
        return tuple(video for video in self.videos if video.problem is None)

    def __iter__(self) -> Iterator[ListedVideo]:
        return iter(self.videos)

    def __len__(self) -> int:
        return len(self.videos)
