"""What is taken of the pages of video sites: language, height, and whose login is used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainSerializer

from framesift.disk.writing import home_path
from framesift.errors import ForbiddenAddressError, InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.types.options import Count, Options, shown

MOST_LANGUAGES: Final = 16
BROWSERS: Final = (
    "brave",
    "chrome",
    "chromium",
    "edge",
    "firefox",
    "opera",
    "safari",
    "vivaldi",
    "whale",
)
"""Browsers whose cookies yt-dlp reads."""
_TAG: Final = r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,4}"


def _languages(given: Any) -> Any:
    """Returns `"de, en"` as its two languages, and anything else as it is."""
    return tuple(part.strip() for part in given.split(",")) if isinstance(given, str) else given


def _path(given: Any) -> Any:
    return home_path(given, "cookies_file") if isinstance(given, str | os.PathLike) else given


Languages = Annotated[
    tuple[Annotated[str, Field(pattern=f"^{_TAG}$")], ...],
    Field(min_length=1, max_length=MOST_LANGUAGES),
    BeforeValidator(
        _languages,
        json_schema_input_type=str
        | Annotated[list[str], Field(min_length=1, max_length=MOST_LANGUAGES)],
    ),
]
"""Language tags such as `de` or `pt-BR`, the preferred one first; `"de,en"` means two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions(Options):
    """What is taken of the pages of video sites, and whose login is used for it: nobody's."""

    language: Languages = ("en",)
    """Languages of the subtitles such as `de` or `pt-BR`, at most 16, the preferred one first;
    subtitles by people go before captions that a machine made, and those before captions that it
    translated."""
    max_height_px: Count = 720
    """The largest picture of at most this height is downloaded, or else the smallest above."""
    cookies_file: Annotated[Path, BeforeValidator(_path), PlainSerializer(str)] | None = None
    """Cookies in Netscape's format, as `yt-dlp --cookies` takes them: the login for private pages.
    The file is read, and never written to."""
    cookies_from_browser: str | None = None
    """Browser whose cookies are used, as `yt-dlp --cookies-from-browser` spells it:
    `firefox`, `chrome+gnomekeyring:Profile 1`, `firefox:default::Work`."""

    def __post_init__(self) -> None:
        if self.cookies_from_browser is not None:
            browser_parts(self.cookies_from_browser)

    @property
    def has_cookies(self) -> bool:
        """Whether pages are opened with somebody's login."""
        return self.cookies_file is not None or self.cookies_from_browser is not None

    def metadata(self) -> dict[str, Any]:
        """Returns the options, JSON-safe, without naming whose cookies they use."""
        return {
            "language": list(self.language),
            "max_height_px": self.max_height_px,
            "has_cookies": self.has_cookies,
        }

    def check(self, limits: FetchLimits) -> None:
        """Makes sure that no login is lent to strangers.

        Raises:
            ForbiddenAddressError: there are cookies, and `limits` are those for strangers.
        """
        trusted = limits.allow_files if limits.allow_cookies is None else limits.allow_cookies
        if self.has_cookies and not trusted:
            name = "cookies_file" if self.cookies_file else "cookies_from_browser"
            raise ForbiddenAddressError(
                f"{name} would open private pages for anybody who may give an address; leave it "
                "out, or allow it: FetchLimits.untrusted(allow_cookies=True)"
            )


def browser_parts(text: str) -> tuple[str, str | None, str | None, str | None]:
    """Returns browser, profile, keyring and container, of which all but the browser may be None.

    Raises:
        InvalidOptionError: no cookies are read from that browser.
    """
    head, _, container = text.partition("::")
    head, _, profile = head.partition(":")
    browser, _, keyring = head.partition("+")
    if browser.strip().lower() not in BROWSERS:
        raise InvalidOptionError(
            f"cookies_from_browser={shown(text)} must be BROWSER[+KEYRING][:PROFILE][::CONTAINER] "
            f"with one of: {', '.join(BROWSERS)}"
        )
    parts = (part.strip() or None for part in (profile, keyring.upper(), container))
    return browser.strip().lower(), *parts  # type: ignore[return-value]
