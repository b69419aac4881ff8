"""Reads the videos of a playlist, channel or folder off its page, as far as somebody asks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from framesift.errors import UnsupportedSourceError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.links import without_secrets
from framesift.sources import _yt_dlp_page as page
from framesift.sources._facts import line, number
from framesift.sources._yt_dlp_errors import plain_error
from framesift.sources._yt_dlp_page import Info
from framesift.sources.sites import is_link
from framesift.types.video_list import ListedVideo, VideoList

if TYPE_CHECKING:
    from framesift.sources._yt_dlp_session import Downloader

MOST_PAGES: Final = 50
"""Pages that one list may lead to: a channel has one for videos, for shorts and for streams."""
MOST_DEPTH: Final = 3
_GONE: Final = ("[private video]", "[deleted video]")
"""What YouTube lists in the place of a title."""
_END: Final = object()


def listed_page(session: Downloader, uri: str, limits: FetchLimits, most: int) -> VideoList:
    """Returns the videos that a page lists, or the one video that it is about.

    Raises:
        SourceError: the page cannot be read.
    """
    walk = _Walk(session)
    found = list(islice(walk.videos(uri, None, 0), most + 1))
    videos = tuple(_listed(info, limits, uri) for info in found[:most])
    warnings = list(walk.warnings)
    if len(found) > most:
        count = f" of {walk.count}" if walk.count and walk.count > most else ""
        warnings.append(
            f"{without_secrets(uri)!r} lists more videos than the first {most}{count} that were "
            "taken; raise most"
        )
    if not videos:
        warnings.append(f"{without_secrets(uri)!r} lists no video")
    return VideoList(videos=videos, warnings=tuple(warnings))


class _Walk:
    """Follows a list to its videos, page after page, no further than it is asked."""

    def __init__(self, session: Downloader) -> None:
        self._session = session
        self._pages = 0
        self.warnings: list[str] = []
        self.count: int | None = None
        """How many videos the page says that it lists."""

    def videos(self, uri: str, extractor: str | None, depth: int) -> Iterator[Info]:
        """Yields what is known of each video of a page."""
        info = self._page(uri, extractor)
        if info.get("_type") in ("url", "url_transparent"):
            yield from self._behind(info, depth)
        elif "entries" in info:
            if depth == 0:
                self.count = int(number(info.get("playlist_count")) or 0) or None
            yield from self._entries(info["entries"], uri, depth)
        else:
            yield {"webpage_url": uri, **info}

    def _entries(self, entries: Iterable[Any], uri: str, depth: int) -> Iterator[Info]:
        rest = iter(entries)
        while True:
            try:
                entry = next(rest, _END)
            except Exception as error:  # a further page of the list could not be read
                reason = plain_error(error, without_secrets(uri))
                if depth == 0 and self._pages == 1:
                    self.warnings.append(f"the list ends early: {reason}")
                    return
                raise reason from error
            if entry is _END:
                return
            if isinstance(entry, dict):
                yield from self._behind(entry, depth)

    def _behind(self, entry: Info, depth: int) -> Iterator[Info]:
        """Yields the video that an entry is, or those of the list that it leads to."""
        link, name = entry.get("url"), entry.get("ie_key")
        is_reference = entry.get("_type") in ("url", "url_transparent") and isinstance(link, str)
        if not is_reference or not self._is_list(str(link), name):
            yield entry
        elif depth >= MOST_DEPTH or self._pages >= MOST_PAGES:
            self.warnings.append(
                f"{without_secrets(str(link))!r} was not looked into; list it alone"
            )
        else:
            yield from self.videos(str(link), name if isinstance(name, str) else None, depth + 1)

    def _is_list(self, uri: str, name: object) -> bool:
        return is_link(uri) and self._session.lists(uri, name)

    def _page(self, uri: str, extractor: str | None) -> Info:
        self._pages += 1
        try:
            info = self._session.extract_info(uri, download=False, process=False, ie_key=extractor)
        except Exception as error:
            raise plain_error(error, without_secrets(uri)) from error
        if not isinstance(info, dict):
            raise UnsupportedSourceError(
                f"{without_secrets(uri)!r} is not the page of a video or of a list of some; give "
                "the link of one"
            )
        return info


def _listed(info: Info, limits: FetchLimits, uri: str) -> ListedVideo:
    """Returns an entry of a list, with what its page says against it."""
    links = (info.get(name) for name in ("webpage_url", "original_url", "url"))
    address = next((link for link in links if isinstance(link, str) and is_link(link)), None)
    title, seconds = page.title(info), page.duration_seconds(info)
    return ListedVideo(
        uri=address or uri,
        title=title,
        duration_seconds=seconds,
        problem=_problem(info, address, title, seconds or 0.0, limits.max_duration_seconds),
    )


def _problem(
    info: Info, address: str | None, title: str | None, seconds: float, longest_seconds: float
) -> str | None:
    if address is None:
        return "the list gives no link for this video; open it in a browser and give its own link"
    if (title or "").lower() in _GONE or line(info.get("availability")) == "private":
        return f"{without_secrets(address)!r} is private or deleted"
    if page.is_live(info):
        return f"{without_secrets(address)!r} is a live or upcoming stream"
    if seconds > longest_seconds and math.isfinite(seconds):
        return (
            f"{without_secrets(address)!r} lasts {seconds:g} s; allowed are {longest_seconds:g} s"
        )
    return None
