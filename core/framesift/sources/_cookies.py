"""Cookies of the user, handed to yt-dlp so that they can leave no trace.

A cookie is a login. yt-dlp writes lines of a file that it cannot read to the terminal, names them
in its errors, and saves the file at the end; so it gets a copy of the lines that are right.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from framesift.errors import InvalidOptionError
from framesift.fetching.site_options import SiteOptions, browser_parts
from framesift.sources._yt_dlp_errors import causes_of
from framesift.types.options import shown

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

MAX_BYTES: Final = 16 * 1024**2
"""Largest file of cookies."""
_MARK: Final = "#HttpOnly_"
_HEADER: Final = "# Netscape HTTP Cookie File\n"
_EXPORT: Final = "export it from a browser as Netscape's cookies.txt"


def cookie_options(site: SiteOptions) -> dict[str, Any]:
    """Returns the options of yt-dlp for the cookies that `site` names.

    Raises:
        InvalidOptionError: the file holds none, or cannot be read.
    """
    options: dict[str, Any] = {}
    if site.cookies_file is not None:
        options["cookiefile"] = io.StringIO(_HEADER + _lines(site.cookies_file))
    if site.cookies_from_browser is not None:
        options["cookiesfrombrowser"] = browser_parts(site.cookies_from_browser)
    return options


def load_cookies(session: YoutubeDL, site: SiteOptions) -> None:
    """Has yt-dlp read its cookies now, so that what is wrong with them is said once and plainly.

    Raises:
        InvalidOptionError: the browser has none, or they cannot be decrypted.
    """
    try:
        _ = session.cookiejar
    except Exception as error:  # the file was read before, so this is the browser
        missing = any(isinstance(cause, FileNotFoundError) for cause in causes_of(error))
        reason = "there is no such browser or profile here" if missing else "they cannot be read"
        raise InvalidOptionError(
            f"cookies_from_browser={shown(site.cookies_from_browser)} gives no cookies: {reason}; "
            "name a browser and profile of this user, or give cookies_file"
        ) from None


def _lines(path: Path) -> str:
    """Returns the cookies of a file, one a line, without what is not a cookie.

    Messages name the file but not its folder, since they may reach who sent the address.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InvalidOptionError(
            f"cookies_file {path.name!r} cannot be read: {error.strerror}; {_EXPORT}"
        ) from None
    if len(content) > MAX_BYTES:
        raise InvalidOptionError(
            f"cookies_file {path.name!r} holds more than {MAX_BYTES} bytes; {_EXPORT}"
        )
    text = content.decode("utf-8-sig", errors="replace")
    kept = [line for line in text.splitlines() if _is_cookie(line)]
    if not kept:
        raise InvalidOptionError(f"cookies_file {path.name!r} holds no cookie; {_EXPORT}")
    return "".join(f"{line}\n" for line in kept)


def _is_cookie(line: str) -> bool:
    """Returns whether a line has the seven fields of a cookie."""
    fields = line.removeprefix(_MARK).split("\t")
    return (
        len(fields) == 7
        and not fields[0].startswith("#")
        and {fields[1], fields[3]} <= {"TRUE", "FALSE"}
        and _is_time(fields[4])
        and "".join(fields).isprintable()
    )


def _is_time(text: str) -> bool:
    """Returns whether a cookie ends at this second; one without ends with the browser."""
    digits = text.replace(".", "", 1)
    return len(text) <= 20 and text.isascii() and (digits.isdecimal() or not text)
