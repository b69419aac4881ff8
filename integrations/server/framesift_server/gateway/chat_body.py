"""The body of a chat request, without a second copy of the videos that it holds in base64."""

from __future__ import annotations

import binascii
import hashlib
import json
import secrets
from binascii import a2b_base64
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from framesift import FetchLimits, LocalVideo, SiteOptions, open_video
from framesift.errors import ForbiddenAddressError, UnsupportedSourceError
from framesift.serving import Media, local_copy, split_part

MARKS: Final = (b"video", b'"file', b'"media"', b'"framesift"', b"inline_data", b"inlineData")
"""What stands in every body that has a video or knobs; where none of them does, none is parsed."""
START: Final = b'"data:video/'
MOST_HEAD: Final = 200
MOST_PART: Final = 100
"""Letters of `#t=START,END` behind a video."""
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

    @property
    def may_hold_video(self) -> bool:
        """Whether it is worth parsing."""
        return any(mark in self.content for mark in MARKS)

    def parsed(self) -> dict[str, Any] | None:
        """Returns the JSON, None where it is none or not a chat request; the upstream says why."""
        try:
            body = json.loads(self._without_payloads())
        except (ValueError, RecursionError):
            return None
        whole = isinstance(body, dict) and isinstance(body.get("messages"), list)
        return body if whole else None

    def without_field(self, name: str) -> bytes:
        """Returns the JSON as it was, with its videos, but without one field."""
        body = json.loads(self.content)
        body.pop(name, None)
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")

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

    def _without_payloads(self) -> bytes:
        kept, done = [], 0
        start = self.content.find(START)
        while start >= 0:
            comma = self.content.find(b",", start, start + MOST_HEAD)
            end = self.content.find(b'"', start + 1)
            head = bytes(self.content[start:comma]).lower()
            # Frames as JPEG files, and slashes that are escaped, are read from the text.
            whole = comma >= 0 and head.endswith(b";base64") and b"video/jpeg" not in head
            if whole and self.content[start - 1 : start] != b"\\" and end > comma:
                mark = self.content.find(b"#", max(comma, end - MOST_PART), end)
                name = f"framesift-{secrets.token_hex(16)}"
                kept += [bytes(self.content[done : comma + 1]), name.encode()]
                done = mark if mark >= 0 else end
                self._spans[name] = slice(comma + 1, done)
            start = self.content.find(START, max(end, start + 1))
        return b"".join([*kept, bytes(self.content[done:])])
