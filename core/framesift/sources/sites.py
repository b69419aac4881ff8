"""The closed list of sites whose pages are given to yt-dlp, and the extractors that may run.

It is a table, so that a link is recognised offline and without yt-dlp installed. The generic
extractor, which fetches any page, is never among them.
"""

from __future__ import annotations

import math
import os
from typing import Final
from urllib.parse import unquote

from framesift.fetching.limits import MAX_ADDRESS
from framesift.sources.link_times import seconds_of
from framesift.types.moment_links import STARTS, listed_domain

EXTRACTORS: Final[dict[str, tuple[str, ...]]] = {
    "youtube.com": ("youtube", "youtube:tab", "youtube:clip"),
    "youtu.be": ("youtube", "youtubeytbe"),
    "youtube-nocookie.com": ("youtube",),
    "loom.com": ("loom",),
    "vimeo.com": ("vimeo", "vimeo:channel", "vimeo:group", "vimeo:review"),
    "dailymotion.com": ("dailymotion",),
    "dai.ly": ("dailymotion",),
    "ted.com": ("tedtalk", "tedembed"),
    "twitch.tv": ("twitch:vod", "twitch:clips"),
    "facebook.com": ("facebook", "facebook:reel", "facebookpluginsvideo"),
    "x.com": ("twitter",),
    "twitter.com": ("twitter",),
    "tiktok.com": ("tiktok", "vm.tiktok"),
    "reddit.com": ("reddit",),
    "instagram.com": ("instagram",),
    "bilibili.com": ("bilibili",),
    "archive.org": ("archive.org",),
    "wistia.com": ("wistia",),
    "wistia.net": ("wistia",),
    "streamable.com": ("streamable",),
    "rumble.com": ("rumble", "rumbleembed"),
    "media.ccc.de": ("media.ccc.de",),
    "drive.google.com": ("googledrive",),
    "dropbox.com": ("dropbox",),
    "zoom.us": ("zoom", "zoom:clips"),
}
"""Names of yt-dlp's extractors for the pages of a domain and its subdomains."""

LISTS: Final[dict[str, tuple[str, ...]]] = {
    "youtube.com": ("youtube:tab", "youtube:playlist", "youtube:user"),
    "loom.com": ("loom:folder",),
    "vimeo.com": ("vimeo:album", "vimeo:channel", "vimeo:group", "vimeo:user"),
    "dailymotion.com": ("dailymotion:playlist", "dailymotion:user"),
    "ted.com": ("tedplaylist", "tedseries"),
    "twitch.tv": ("twitch:videos", "twitch:collection"),
    "tiktok.com": ("tiktok:user", "tiktok:collection"),
    "bilibili.com": ("bilibilispacevideo", "bilibilicollectionlist", "bilibiliserieslist"),
    "wistia.com": ("wistiaplaylist", "wistiachannel"),
    "wistia.net": ("wistiaplaylist", "wistiachannel"),
    "rumble.com": ("rumblechannel",),
    "media.ccc.de": ("media.ccc.de:lists",),
}
"""Names of the extractors of playlists, channels and folders of a domain."""
LIST_NAMES: Final = frozenset(name for names in LISTS.values() for name in names)

FILE_SUFFIXES: Final = (".mp4", ".m4v", ".webm", ".mkv", ".mov", ".avi")


def is_known_page(uri: str) -> bool:
    """Returns whether `uri` is a page of a listed site, rather than a file that it serves."""
    site, path = listed_domain(uri, EXTRACTORS)
    return site is not None and not (path.lower().endswith(FILE_SUFFIXES) and site != "dropbox.com")


def is_link(uri: str) -> bool:
    """Returns whether `uri` is an http(s) link."""
    return uri[:8].lower().startswith(("http://", "https://"))


def with_scheme(uri: str, *, may_be_file: bool) -> str:
    """Returns a link that was given without its scheme, such as `youtu.be/ID`, with it.

    Those of listed sites and of hosts that begin with `www.` are known. All else is returned as it
    is, and so is the name of an existing file.

    Args:
        uri: what was given.
        may_be_file: whether files may be looked at.
    """
    text = uri.strip()
    host, slash, _ = text.partition("/")
    if not slash or "." not in host or len(text) > MAX_ADDRESS:
        return uri
    link = f"https://{text}"
    if not (is_known_page(link) or host[:4].lower() == "www."):
        return uri
    try:
        is_file = may_be_file and os.path.lexists(uri)
    except (OSError, ValueError):
        is_file = False
    return uri if is_file else link


def split_start(uri: str) -> tuple[str, tuple[float, float] | None]:
    """Returns a page's link without the time in its query, and the part that it means by it."""
    site, _ = listed_domain(uri, STARTS)
    address, _, rest = uri.partition("?")
    query, mark, fragment = rest.partition("#")
    names = STARTS.get(site or "", ())
    start, end, kept = None, math.inf, []
    for pair in query.split("&"):
        key, _, text = pair.partition("=")
        seconds = seconds_of(unquote(text))
        if names and key == "end" and seconds is not None:
            end = seconds
        elif key not in names or seconds is None:
            kept.append(pair)
        elif start is None or key == names[0]:
            start = seconds
    part = start or 0.0, end
    if start is None and end == math.inf:
        return uri, None
    bare = address + (f"?{'&'.join(kept)}" if kept else "") + mark + fragment
    return bare, part if part[0] < end and part != (0.0, math.inf) else None


def allowed_extractors() -> list[str]:
    """Returns the extractors that may run, as the patterns that yt-dlp's option takes."""
    tables = (*EXTRACTORS.values(), *LISTS.values())
    names = (name for names in tables for name in names)
    return [name.replace(".", r"\.") for name in dict.fromkeys(names)]
