"""Says in one line why yt-dlp brought no video, as an error of ours."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from typing import Final

from framesift.disk import temporary
from framesift.errors import DownloadError, SourceError, StorageError, UnsupportedSourceError

_REASONS: Final = (
    (
        r"not a bot|captcha|rate.?limit|too many requests",
        "the site takes this machine for a bot; open it with your cookies (cookies_file or "
        "cookies_from_browser), try from another network, or download it and give the file",
    ),
    (
        r"in your (country|location|region)|geo.?restrict",
        "it is not available in this country; download it where it is and give the file",
    ),
    (r"\bdrm\b", "it is protected by DRM, which is not decrypted; give an unprotected video"),
    (
        r"\blive\b|premieres? (in|will)",
        "it is a live or upcoming stream; give it again when the recording is there",
    ),
    (
        r"password|log ?in|logged|sign ?in|cookies|private|members|registered|purchase|premium",
        "it needs a login; make it public, open it with your cookies (cookies_file or "
        "cookies_from_browser), or download it yourself and give the file",
    ),
    (
        r"unavailable|removed|deleted|terminated|not exist|no longer|http error 4(04|10)",
        "it is unavailable or removed; check that the page plays in a browser",
    ),
    (
        r"requested format is not available|no video formats",
        "the site offers no plain video stream; download it yourself and give the file",
    ),
)
_UNSUPPORTED: Final = re.compile(r"(?i)no suitable extractor|unsupported url")
_NAMES: Final = re.compile(r"https?://\S+|\[[^\[\]]{0,100}\] [^:\s]{1,200}:")
"""Links and video ids, which may hold any word."""
_NOISE: Final = re.compile(
    r"^(ERROR: )?(\[[^\[\]]{0,100}\] )?|; please report this issue.*|\n.*", re.S
)
MOST_LETTERS: Final = 1000
"""Letters that are read of one error; some hold the page that caused them."""
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


def plain_error(error: BaseException, uri: str) -> SourceError | StorageError:
    """Returns the error of ours that says what `error`, raised by yt-dlp over `uri`, means."""
    causes = list(causes_of(error))
    for cause in causes:
        if isinstance(cause, SourceError | StorageError):
            return cause
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in FULL:
            return temporary.storage_error(cause.errno)
    text = " ".join(f"{type(cause).__name__} {str(cause)[:MOST_LETTERS]}" for cause in causes[:8])
    text = _NAMES.sub("", text)
    if _UNSUPPORTED.search(text):
        return UnsupportedSourceError(
            f"{uri!r} is not the page of a video; give the link of one video of the site"
        )
    for pattern, meaning in _REASONS:
        if re.search(f"(?i){pattern}", text):
            return DownloadError(f"{uri!r} brought no video: {meaning}")
    reason = _NOISE.sub("", str(error)[:MOST_LETTERS])
    return DownloadError(
        f"{uri!r} brought no video: {reason!r}; update yt-dlp, or download the video yourself and "
        "give the file"
    )


def causes_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yields `error` and what caused it, along all the ways in which yt-dlp keeps causes."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [getattr(current, "cause", None), current.__cause__, current.__context__]
        waiting += [(getattr(current, "exc_info", None) or (None, None, None))[1]]
