"""Direct links to files of videos and pictures."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from framesift.disk import temporary
from framesift.errors import DownloadError
from framesift.fetching.client import Client, Response
from framesift.fetching.limits import FetchLimits
from framesift.fetching.links import checked_link, without_secrets
from framesift.run import progress_bar
from framesift.sources._landing import landed, not_a_video
from framesift.sources.base import Source
from framesift.sources.sites import is_link
from framesift.types.video import LocalVideo

HEAD_BYTES: Final = 512
_CONTROL: Final = frozenset(range(32)) - frozenset(b"\t\n\f\r")


@dataclass(frozen=True, kw_only=True)
class Http(Source):
    """Streams a link into a private folder, within `FetchLimits`, and checks that it is a video.

    A direct link carries no text, so `text_only` gives an empty video and downloads nothing.
    """

    summary: ClassVar[str] = "direct http(s) links to files of videos and pictures"

    def matches(self, uri: str) -> bool:
        """Returns whether `uri` is an http(s) link."""
        return is_link(uri)

    def open(self, uri: str, limits: FetchLimits, *, text_only: bool = False) -> LocalVideo:
        """Returns the downloaded file; closing it removes the file."""
        checked_link(uri, limits)
        shown = without_secrets(uri)
        if text_only:
            return LocalVideo(path=None, uri=shown)
        with temporary.kept_on_success() as folder, Client(limits) as client:
            path = folder / "video"
            with closing(client.send(uri)) as response:
                _save(response, path, shown)
            return LocalVideo(path=landed(path, shown), uri=shown, temporary_folder=folder)


def _save(response: Response, path: Path, shown: str) -> None:
    if response.status != 200:
        raise DownloadError(
            f"{shown!r} answered with HTTP status {response.status}; only 200 brings a video; "
            "check that the link opens without a login"
        )
    head = bytearray()
    with (
        path.open("wb") as file,
        progress_bar("download", total=response.length_bytes, unit="B") as bar,
    ):
        for chunk in response.chunks:
            if len(head) < HEAD_BYTES:
                head += chunk[:HEAD_BYTES]
                _refuse_text(head, response, shown, at_end=False)
            file.write(chunk)
            bar.update(len(chunk))
    _refuse_text(head, response, shown, at_end=True)


def _refuse_text(head: bytearray, response: Response, shown: str, *, at_end: bool) -> None:
    """Ends the download of a page early: text has no control bytes, video containers do."""
    if (at_end or len(head) >= HEAD_BYTES) and _CONTROL.isdisjoint(head):
        kind = response.headers.get_content_type() if head else "an empty body"
        raise DownloadError(not_a_video(shown, kind))
