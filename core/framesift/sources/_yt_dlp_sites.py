"""The closed list of sites whose pages are given to yt-dlp, and the extractors that may run.

It is a table, so that a link is recognised offline and without yt-dlp installed. The generic
extractor, which fetches any page, is never among them.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

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

FILE_SUFFIXES: Final = (".mp4", ".m4v", ".webm", ".mkv", ".mov", ".avi")


def is_known_page(uri: str) -> bool:
    """Returns whether `uri` is a page of a listed site, rather than a file that it serves."""
    try:
        parts = urlsplit(uri.strip())
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or _is_file(parts.path, host):
        return False
    labels = host.split(".")
    return any(".".join(labels[start:]) in EXTRACTORS for start in range(len(labels)))


def allowed_extractors() -> list[str]:
    """Returns the extractors that may run, as the patterns that yt-dlp's option takes."""
    names = (name for names in EXTRACTORS.values() for name in names)
    return [name.replace(".", r"\.") for name in dict.fromkeys(names)]


def _is_file(path: str, host: str) -> bool:
    return path.lower().endswith(FILE_SUFFIXES) and not host.endswith("dropbox.com")
