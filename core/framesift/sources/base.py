"""The source contract: a URI in, a video file on this machine out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from framesift.errors import UnsupportedSourceError
from framesift.fetching.limits import MAX_ADDRESS, FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.registry import Part
from framesift.sources.link_times import split_part as split_part
from framesift.sources.sites import is_link, with_scheme
from framesift.types.video import LocalVideo
from framesift.types.video_list import ListedVideo, VideoList


@dataclass(frozen=True, kw_only=True)
class Source(Part):
    """A kind of address that videos come from."""

    priority: ClassVar[int] = 0
    """Where two sources match one URI, the higher priority opens it."""

    @abstractmethod
    def matches(self, uri: str) -> bool:
        """Returns whether this source opens `uri`; must not touch the network."""

    def with_site(self, site: SiteOptions) -> Source:
        """Returns the source that opens pages as `site` says; itself where it opens none."""
        return self

    def listed(self, uri: str, limits: FetchLimits, most: int) -> VideoList:
        """Returns the videos behind `uri`, at most `most`: itself where it holds no others.

        Raises:
            SourceError: it cannot be looked at; the subclass says why.
        """
        return VideoList(videos=(ListedVideo(uri=uri),))

    @abstractmethod
    def open(self, uri: str, limits: FetchLimits, *, text_only: bool = False) -> LocalVideo:
        """Returns the video as a file on this machine, or only its text where `text_only`.

        Raises:
            SourceError: the video cannot be brought; the subclass says why.
        """


def open_video(
    uri: str | Path,
    limits: FetchLimits | None = None,
    *,
    site: SiteOptions | None = None,
    text_only: bool = False,
) -> LocalVideo:
    """Returns the video behind `uri`, opened by the source that matches it.

    A text that ends in `#t=START,END`, in seconds, means that part of the video only (W3C Media
    Fragments, https://www.w3.org/TR/media-frags/); either of the two may be left out. So does the
    time in a link of a site that plays from there, such as `?t=1m30s`. Links of listed sites need
    no `https://`.

    Args:
        uri: an address or a path.
        limits: what a download may cost and where it may go.
        site: what is taken of the pages of video sites.
        text_only: whether only the text is opened, and no video downloaded.

    Raises:
        InvalidOptionError: the part holds nothing.
        UnsupportedSourceError: no source matches.
        SourceError: the video cannot be brought; the subclass says why.
        StorageError: there is no room for it.
    """
    from framesift.sources._tags import with_tags  # libav is loaded once something is opened

    limits, site = limits or FetchLimits(), site or SiteOptions()
    source, address, part_seconds = source_of(uri, limits, site)
    if isinstance(uri, Path):
        limits = replace(limits, allow_files=True)

    video = with_tags(source.open(address, limits, text_only=text_only))
    return replace(video, part_seconds=part_seconds or video.part_seconds)


def source_of(
    uri: str | Path, limits: FetchLimits, site: SiteOptions
) -> tuple[Source, str, tuple[float, float] | None]:
    """Returns the source that opens an address, the bare address, and the part that it means.

    Raises:
        InvalidOptionError: the part holds nothing.
        UnsupportedSourceError: no source matches.
    """
    from framesift.sources import registry

    part_seconds = None
    if isinstance(uri, Path):
        address = str(uri)
    else:
        address, part_seconds = split_part(_address(uri, limits))
    parts: list[Source] = [registry.create(name) for name in registry.parts()]
    matching = sorted((p for p in parts if p.matches(address)), key=lambda part: -part.priority)
    if not matching:
        raise UnsupportedSourceError(
            f"no source opens {address[:200]!r}; give a file path, an http(s):// link to a video, "
            "a page of a site that yt-dlp knows, or synthetic://NAME"
        )
    return matching[0].with_site(site), address, part_seconds


def _address(uri: object, limits: FetchLimits) -> str:
    """Returns the text that was given as an address, a link with its scheme.

    Raises:
        UnsupportedSourceError: it is empty, not text, or longer than any address.
    """
    if not isinstance(uri, str) or not uri.strip():
        raise UnsupportedSourceError(
            f"{str(uri)[:80]!r} of type {type(uri).__name__} is not an address of a video; give a "
            "path or a link as text, or a pathlib.Path",
            to_caller=f"{str(uri)[:80]!r} is not an address of a video; give a link as text",
        )
    if uri[:5].lower() == "data:":
        return uri
    if len(uri) > MAX_ADDRESS:
        raise UnsupportedSourceError(
            f"{uri[:80]!r}... has {len(uri)} characters; an address has at most {MAX_ADDRESS}; "
            "give a path, a link, or the bytes as a data: URI"
        )
    if is_link(uri.strip()):
        return uri.strip()
    return with_scheme(uri, may_be_file=limits.allow_files)
