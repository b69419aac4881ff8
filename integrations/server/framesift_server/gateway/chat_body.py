"""The body of a chat request, without a second copy of the videos that it holds in base64."""

from __future__ import annotations

import binascii
import hashlib
import secrets
from binascii import a2b_base64
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from framesift import FetchLimits, LocalVideo, SiteOptions, open_video
from framesift.errors import ForbiddenAddressError, UnsupportedSourceError
from framesift.serving import Media, edited_json, local_copy, read_json, split_part

MARKS: Final = (b"video", b'"file', b'"media"', b'"framesift"', b"inline_data", b"inlineData")
"""What stands in every body that has a video or knobs; where none of them does, none is parsed."""
LEAST_PICTURES: Final = 8
"""Of a message that may be frames of a video."""
START: Final = b'"data:video/'
MOST_HEAD: Final = 200
MOST_PART: Final = 100
"""Letters of `#t=START,END` behind a video."""
NAME: Final = b"framesift-"
NAME_LETTERS: Final = len(NAME) + 32
"""Of what stands in the place of a long video while the rest is read."""
KEYS: Final = (b'"base64"', b'"data"', b'"bytes"', b'"file_data"', b'"fileData"')
"""Under which base64 stands without a head."""
OTHERS: Final = (b"data:", b"/9j/", b"iVBOR", b"R0lGOD", b"UklGR")
"""How what is no bare base64 of a video begins: a data: URI, a JPEG, PNG, GIF or WebP file."""
LONG: Final = 2**16
MOST_SPACE: Final = 20
BACKSLASH: Final = ord("\\")
PIECE: Final = 2**20
"""Base64 letters that are decoded at once; a multiple of 4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video of a chat request, which is not opened yet."""

    media: Media
    key: str
    """The same for the same content, or the same link."""
    payload: memoryview | None = field(default=None, repr=False)
    """Its base64 letters, where they stand in the body."""

    def open(self, limits: FetchLimits, *, synthetic: bool) -> LocalVideo:
        """Returns the video as a file; closing it removes that.

        Raises:
            FramesiftError: it cannot be had.
        """
        address, part_seconds = split_part(self.media.uri)
        if self.payload is None:
            if address[:12].lower() == "synthetic://" and not synthetic:
                raise ForbiddenAddressError(
                    f"{address[:200]!r} is synthetic, which this gateway does not open; give a "
                    "link or the bytes, or start it with --allow-synthetic"
                )
            return open_video(self.media.uri, limits, site=SiteOptions())
        kind = address[5:].partition(";")[0][:80]
        local = local_copy(
            f"data:{kind};sha256={self.key[:16]}",
            self._write,
            size_bytes=len(self.payload) // 4 * 3,
            limits=limits,
        )
        return replace(local, part_seconds=part_seconds)

    def _write(self, path: Path) -> None:
        assert self.payload is not None
        with path.open("wb") as file:
            for start in range(0, len(self.payload), PIECE):
                try:
                    file.write(a2b_base64(self.payload[start : start + PIECE], strict_mode=True))
                except binascii.Error as error:
                    raise UnsupportedSourceError(
                        f"the data: URI of a video is not base64 ({error}); encode the bytes of "
                        "the file again"
                    ) from error


class ChatBody:
    """A chat request as it came, and its JSON with names in the place of long videos."""

    def __init__(self, content: bytearray) -> None:
        """Takes the bytes, which must not change any more."""
        self.content = content
        self._spans: dict[str, slice] = {}
        self._came: dict[str, Any] = {}
        self._short: bytes | None = None

    @property
    def may_hold_video(self) -> bool:
        """Whether it is worth parsing."""
        pictures = self.content.count(b'"image_url"') >= LEAST_PICTURES
        return pictures or any(mark in self.content for mark in MARKS)

    def parsed(self) -> dict[str, Any] | None:
        """Returns the JSON, None where it is none or not a chat request; the upstream says why."""
        try:
            # JSON between programs is UTF-8 (RFC 8259); Python would read UTF-16 as well.
            text = self._without_payloads().decode("utf-8", "surrogatepass")
            body = read_json(text.removeprefix("\ufeff"))
        except (ValueError, RecursionError):
            return None
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return None
        self._came = dict(body)
        return body

    def written(self, body: dict[str, Any]) -> list[bytes | memoryview]:
        """Returns the JSON of a body that `parsed` has given, in pieces.

        Members that are the same objects keep their bytes; videos that are still there are views of
        what came.
        """
        text = self._without_payloads().decode("utf-8", "surrogatepass")
        made = edited_json(text, self._came, body)
        return list(self._with_payloads(made.encode("utf-8", "surrogatepass")))

    def video(self, media: Media) -> Video:
        """Returns the video that a block of the parsed body refers to."""
        address, _, part = media.uri.partition("#")
        head, _, name = address.rpartition(",")
        span = self._spans.get(name)
        if span is None:
            return Video(media=media, key=media.id)
        payload = memoryview(self.content)[span]
        digest = hashlib.sha256(payload).hexdigest()
        uri = f"{head}," + (f"#{part}" if part else "")
        key = f"{digest} {part} {media.fps}"
        return Video(media=replace(media, uri=uri), key=key, payload=payload)

    def _with_payloads(self, made: bytes) -> Iterator[bytes | memoryview]:
        """Yields bytes with the videos in the place of their names."""
        start = made.find(NAME)
        while start >= 0:
            span = self._spans.get(made[start : start + NAME_LETTERS].decode("latin-1"))
            if span is None:
                start = made.find(NAME, start + 1)
                continue
            yield made[:start]
            yield memoryview(self.content)[span]
            made = made[start + NAME_LETTERS :]
            start = made.find(NAME)
        yield made

    def _without_payloads(self) -> bytes:
        if self._short is not None:
            return self._short
        kept, done = [], 0
        for payload in sorted([*self._in_addresses(), *self._under_keys()]):
            name = f"{NAME.decode()}{secrets.token_hex(16)}"
            kept += [bytes(self.content[done : payload[0]]), name.encode()]
            self._spans[name], done = slice(*payload), payload[1]
        self._short = b"".join([*kept, bytes(self.content[done:])])
        return self._short

    def _in_addresses(self) -> Iterator[tuple[int, int]]:
        """Yields where the letters of videos in data: URIs stand."""
        start = self.content.find(START)
        while start >= 0:
            comma = self.content.find(b",", start, start + MOST_HEAD)
            end = self.content.find(b'"', start + 1)
            head = bytes(self.content[start:comma]).lower()
            # Frames as JPEG files, and slashes that are escaped, are read from the text.
            whole = comma >= 0 and head.endswith(b";base64") and b"video/jpeg" not in head
            if whole and self.content[start - 1 : start] != b"\\" and end > comma:
                mark = self.content.find(b"#", max(comma, end - MOST_PART), end)
                yield comma + 1, mark if mark >= 0 else end
            start = self.content.find(START, max(end, start + 1))

    def _under_keys(self) -> Iterator[tuple[int, int]]:
        """Yields where long bare base64 letters stand that are no picture."""
        for key in KEYS:
            start = self.content.find(key)
            while start >= 0:
                space = bytes(self.content[start + len(key) : start + len(key) + MOST_SPACE])
                quote = space.find(b'"')
                first = start + len(key) + quote + 1
                is_key = space[:quote].strip() == b":" and self.content[start - 1] != BACKSLASH
                if quote >= 0 and is_key and not self.content.startswith(OTHERS, first):
                    last = self.content.find(b'"', first)
                    if last - first >= LONG and self.content.find(b"\\", first, last) < 0:
                        yield first, last
                        start = last
                start = self.content.find(key, start + 1)
