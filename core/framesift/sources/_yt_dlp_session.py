"""A `YoutubeDL` whose every request goes through our HTTP client, and whose options are closed.

yt-dlp's own request handlers are not loaded, so pages, redirects, manifests, fragments and captions
all meet the same judgement of addresses and the same allowance of bytes and seconds. Downloaders
that run another program (ffmpeg, rtmpdump) or open sockets of their own are ruled out by the choice
of formats. Left unguarded are the JavaScript runtime that yt-dlp starts for YouTube, which it runs
without network access where that is deno, and plugins that the user installed into yt-dlp.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from yt_dlp import YoutubeDL
from yt_dlp.networking.common import Request, RequestHandler, Response
from yt_dlp.networking.exceptions import HTTPError, RequestError, TransportError
from yt_dlp.utils import DownloadCancelled

from framesift.errors import ForbiddenAddressError, SourceError, VideoTooLargeError
from framesift.fetching import client
from framesift.fetching.site_options import SiteOptions
from framesift.sources._cookies import cookie_options, load_cookies
from framesift.sources.sites import LIST_NAMES, allowed_extractors

logger = logging.getLogger(__name__)

PROTOCOLS: Final = "^(https?|m3u8|m3u8_native|http_dash_segments)$"
"""Protocols whose downloaders fetch through the session and start no other program."""


class FetchEndedError(RequestError, DownloadCancelled):  # type: ignore[misc]
    """Carries a `SourceError` out of yt-dlp, which lets cancellations pass and retries the rest."""

    def __init__(self, reason: SourceError) -> None:
        super().__init__(msg=str(reason), cause=reason)
        self.reason = reason


class Downloader(YoutubeDL):  # type: ignore[misc]
    """Extracts and downloads one video into `folder`, through `client` alone."""

    def __init__(self, client: client.Client, folder: Path, site: SiteOptions) -> None:
        self._client = client
        super().__init__(_options(client, folder, site.max_height_px) | cookie_options(site))
        load_cookies(self, site)

    def lists(self, uri: str, name: object) -> bool:
        """Returns whether a link that a list holds leads to a further list.

        Args:
            uri: the link.
            name: of the extractor that is to read it, where the entry says so.
        """
        extractors = (
            each
            for key, each in self._ies.items()
            if (key == name if isinstance(name, str) else each.suitable(uri))
        )
        found = next(extractors, None)
        return found is not None and found.IE_NAME.lower() in LIST_NAMES

    def build_request_director(self, handlers: Iterable[Any], preferences: Any = None) -> Any:
        """Returns a director with our handler in the place of all `handlers`."""
        return super().build_request_director([partial(ClientRH, client=self._client)])


class ClientRH(RequestHandler):  # type: ignore[misc]
    """The request handler that fetches through our client; yt-dlp wants the name to end in RH."""

    _SUPPORTED_URL_SCHEMES = ("http", "https")

    def __init__(self, *, client: client.Client, **options: Any) -> None:
        super().__init__(**options)
        self._client = client

    def _check_extensions(self, extensions: dict[str, Any]) -> None:
        super()._check_extensions(extensions)
        for name in ("cookiejar", "timeout", "legacy_ssl", "keep_header_casing"):
            extensions.pop(name, None)

    def _send(self, request: Request) -> Response:
        data = request.data
        try:
            answer = self._client.send(
                request.url,
                method=request.method,
                headers=self._get_headers(request),
                body=data if data is None or isinstance(data, bytes) else b"".join(data),
                cookies=self._get_cookiejar(request),
            )
        except SourceError as error:
            raise _carried(error, self._client) from error
        response = _ClientResponse(answer, self._client)
        if not 200 <= answer.status < 300:
            raise HTTPError(response)
        return response


class _ClientResponse(Response):  # type: ignore[misc]
    def __init__(self, answer: client.Response, client: client.Client) -> None:
        body = io.BufferedReader(_Body(answer))
        super().__init__(body, answer.url, answer.headers, answer.status)
        self._client = client

    def read(self, amt: int | None = None) -> bytes:
        try:
            return bytes(self.fp.read(amt))
        except SourceError as error:
            raise _carried(error, self._client) from error


class _Body(io.RawIOBase):
    """The chunks of an answer as a file."""

    def __init__(self, answer: client.Response) -> None:
        self._answer = answer
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._answer.chunks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        self._answer.close()
        super().close()


def _carried(error: SourceError, client: client.Client) -> RequestError:
    final = isinstance(error, ForbiddenAddressError | VideoTooLargeError)
    if final or client.allowance.is_over:
        return FetchEndedError(error)
    return TransportError(cause=error)


def _options(client: client.Client, folder: Path, max_height_px: int) -> dict[str, Any]:
    safe = f"[protocol~='{PROTOCOLS}']"
    return {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "color": "never",
        "logger": SimpleNamespace(debug=logger.debug, warning=logger.debug, error=logger.debug),
        "noplaylist": True,
        "playlist_items": "1",
        "cachedir": False,
        "ignoreerrors": False,
        "proxy": "",
        "socket_timeout": client.limits.idle_seconds,
        "retries": 3,
        "fragment_retries": 3,
        "skip_unavailable_fragments": False,
        "format": f"bv*[height<=?{max_height_px}]{safe}/bv*{safe}",
        "format_sort": [f"res:{max_height_px}", "+size"],
        "paths": {"home": str(folder), "temp": str(folder)},
        "outtmpl": "%(id).80B.%(ext)s",
        "restrictfilenames": True,
        "overwrites": True,
        "allowed_extractors": allowed_extractors(),
        "external_downloader": "native",
        "hls_prefer_native": True,
        "ffmpeg_location": str(folder),
        "fixup": "never",  # It would start ffmpeg; decoders mend a clock that jumps, as in HLS.
        "postprocessors": [],
    }
