"""Pages of video sites: YouTube, Loom, Vimeo and the others of a closed list, through yt-dlp."""

from __future__ import annotations

from contextlib import closing
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from framesift.disk import temporary
from framesift.errors import (
    DownloadError,
    ForbiddenAddressError,
    SourceError,
    UnsupportedSourceError,
    VideoTooLargeError,
)
from framesift.fetching.client import Client
from framesift.fetching.limits import FetchLimits
from framesift.fetching.links import checked_link, without_secrets
from framesift.fetching.site_options import SiteOptions
from framesift.registry import require
from framesift.run import progress_bar
from framesift.sources import _yt_dlp_page as page
from framesift.sources._facts import number
from framesift.sources._landing import require_video
from framesift.sources._yt_dlp_errors import plain_error
from framesift.sources._yt_dlp_list import listed_page
from framesift.sources._yt_dlp_page import Info
from framesift.sources.base import Source
from framesift.sources.sites import is_known_page, split_start
from framesift.sources.timed_text import MAX_BYTES, parse_timed_text
from framesift.sources.tracks import chosen_track
from framesift.types.video import LocalVideo, TimedText
from framesift.types.video_list import VideoList

if TYPE_CHECKING:
    from framesift.sources._yt_dlp_session import Downloader

MOST_FORMATS: Final = 3
"""Formats of one track of subtitles that are tried, where the first cannot be read."""


@dataclass(frozen=True, kw_only=True)
class YtDlp(Source):
    """Reads what a page says about its video, checks it, and only then downloads the picture track.

    Sound is never downloaded. Every byte counts towards `FetchLimits.max_bytes`, pages included.
    """

    summary: ClassVar[str] = "video pages of YouTube, Loom, Vimeo and others, with their subtitles"
    priority: ClassVar[int] = 10

    site: SiteOptions = field(default=SiteOptions(), init=False)
    """What is taken of a page, and whose login is used; `with_site` sets it."""

    def matches(self, uri: str) -> bool:
        """Returns whether `uri` is a page of a listed site, also where yt-dlp is missing."""
        return is_known_page(uri)

    def with_site(self, site: SiteOptions) -> YtDlp:
        """Returns the source that opens pages as `site` says."""
        source = copy(self)
        object.__setattr__(source, "site", site)
        return source

    def open(self, uri: str, limits: FetchLimits, *, text_only: bool = False) -> LocalVideo:
        """Returns the video of the page with its title, chapters and subtitles."""
        uri, part_seconds = split_start(uri)
        checked_link(uri, limits)
        shown = without_secrets(uri)
        require("yt_dlp", extra="url")
        with temporary.kept_on_success() as folder, Client(limits) as client:
            with self.session(client, folder) as session:
                info = _describe(session, uri)
                _refuse(info, shown, limits)
                subtitles, warnings = self._subtitles(info, client, needed=text_only)
                path = None if text_only else _download(session, info, uri)
            video = LocalVideo(
                path=path,
                uri=shown,
                title=page.title(info),
                duration_seconds=page.duration_seconds(info),
                uploader=page.uploader(info),
                date=page.date(info),
                description=page.description(info),
                chapters=page.chapters(info),
                subtitles=page.within(subtitles, info, limits.max_duration_seconds),
                part_seconds=part_seconds or page.part(info),
                warnings=warnings,
                temporary_folder=folder,
            )
        if text_only:
            video.close()
        return video

    def listed(self, uri: str, limits: FetchLimits, most: int) -> VideoList:
        """Returns the videos of a playlist, channel or folder, or the one video of a page."""
        checked_link(uri, limits)
        require("yt_dlp", extra="url")
        with (
            temporary.kept_on_success() as folder,
            Client(limits) as client,
            self.session(client, folder) as session,
        ):
            found = listed_page(session, uri, limits, most)
        temporary.remove(folder)
        return found

    def session(self, client: Client, folder: Path) -> Downloader:
        """Returns a guarded yt-dlp; a subclass may add extractors of its own to it.

        Raises:
            ForbiddenAddressError: it has somebody's login, and would work for strangers.
        """
        from framesift.sources._yt_dlp_session import Downloader

        self.site.check(client.limits)
        return Downloader(client, folder, self.site)

    def _subtitles(
        self, info: Info, client: Client, *, needed: bool
    ) -> tuple[tuple[TimedText, ...], tuple[str, ...]]:
        """Returns the subtitles, and warnings of what of them was left out."""
        track, left_out = chosen_track(info, self.site.language)
        warnings = [left_out] if left_out else []
        reason: Exception | None = None
        for form in track.formats[:MOST_FORMATS] if track else ():
            try:
                content = form.get("data") or _body(client, form.get("url", ""))
                return parse_timed_text(content, warnings.append), tuple(warnings)
            except (SourceError, ValueError) as error:
                reason = error
        if track is None or not needed:
            if track is not None:
                warnings.append(f"the subtitles in {track.language!r} were left out: {reason}")
            return (), tuple(warnings)
        if isinstance(reason, ForbiddenAddressError):
            raise reason
        raise DownloadError(f"the subtitles could not be read: {reason}") from reason


def _describe(session: Downloader, uri: str) -> Info:
    """Returns what the page says about its one video, without downloading it."""
    shown = without_secrets(uri)
    try:
        info: Info = session.extract_info(uri, download=False)
    except Exception as error:
        raise plain_error(error, shown) from error
    if "entries" not in info:
        return info
    entries = [entry for entry in info["entries"] if entry]
    if len(entries) != 1 or info.get("playlist_count") != 1:
        raise UnsupportedSourceError(
            f"{shown!r} lists several videos; one at a time is opened; give the link of one video, "
            "which `framesift videos` and list_videos name"
        )
    return dict(entries[0])


def _refuse(info: Info, shown: str, limits: FetchLimits) -> None:
    """Raises where the page itself says that the video is live, too long or too large."""
    if page.is_live(info):
        raise DownloadError(
            f"{shown!r} is a live or upcoming stream; only finished videos are opened; give it "
            "again when the recording is there"
        )
    duration_seconds = number(info.get("duration")) or 0.0
    if duration_seconds > limits.max_duration_seconds:
        raise VideoTooLargeError(
            f"{shown!r} lasts {duration_seconds:g} s; allowed are {limits.max_duration_seconds:g} "
            "s; give a shorter video or raise max_duration_seconds",
            to_caller=f"{shown!r} lasts {duration_seconds:g} s, and at most "
            f"{limits.max_duration_seconds:g} s are fetched here; give a shorter video",
        )
    size_bytes = number(info.get("filesize")) or 0.0
    if size_bytes > limits.max_bytes:
        raise VideoTooLargeError(
            f"{shown!r} has {size_bytes:.0f} bytes; max_bytes={limits.max_bytes!r} are allowed; "
            "give a smaller video or raise the limit",
            to_caller=f"{shown!r} has {size_bytes:.0f} bytes, and at most {limits.max_bytes} are "
            "fetched here; give a smaller video, or a smaller max_height",
        )


def _download(session: Downloader, info: Info, uri: str) -> Path:
    shown = without_secrets(uri)
    with progress_bar("download", unit="B") as bar:
        session.add_progress_hook(
            lambda status: bar.update(status.get("downloaded_bytes", bar.done) - bar.done)
        )
        try:
            done = session.process_ie_result(page.whole(info), download=True)
        except Exception as error:
            raise plain_error(error, shown) from error
    paths = [entry.get("filepath") for entry in done.get("requested_downloads", ())]
    if len(paths) != 1 or paths[0] is None:
        raise DownloadError(f"{shown!r} brought no file; update yt-dlp or give another link")
    path = Path(paths[0])
    require_video(path, shown)
    return path


def _body(client: Client, uri: str) -> bytes:
    body = bytearray()
    with closing(client.send(uri)) as response:
        for chunk in response.chunks:
            body += chunk
            if len(body) > MAX_BYTES:
                raise DownloadError(f"they are larger than {MAX_BYTES} bytes")
    if response.status != 200:
        raise DownloadError(f"{without_secrets(uri)!r} answered with status {response.status}")
    return bytes(body)
