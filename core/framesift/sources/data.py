"""Opens data: URIs, videos and pictures that are written out in their address."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import unquote

from framesift.disk import temporary
from framesift.errors import UnsupportedSourceError, VideoTooLargeError
from framesift.fetching.limits import FetchLimits
from framesift.sources._jpeg_frames import KIND, NO_TIMES, write_frames
from framesift.sources._landing import landed
from framesift.sources.base import Source
from framesift.types.video import LocalVideo


@dataclass(frozen=True, kw_only=True)
class Data(Source):
    """Writes the bytes of a data: URI to a private folder and proves what they are (RFC 2397).

    Those of `video/jpeg` are the frames of a video, JPEG files with commas between them.
    Reports and evidence name them by a hash, `data:video/mp4;sha256=0123456789abcdef`, so equal
    bytes have one name and no message holds them all.
    """

    summary: ClassVar[str] = "data: URIs that hold a video or picture in base64"

    def matches(self, uri: str) -> bool:
        """Returns whether `uri` is a data: URI."""
        return uri[:5].lower() == "data:"

    def open(self, uri: str, limits: FetchLimits, *, text_only: bool = False) -> LocalVideo:
        """Returns the bytes as a file; closing it removes the file.

        Raises:
            UnsupportedSourceError: this is not base64.
            VideoTooLargeError: there are more bytes than `limits` allow.
            DownloadError: the bytes are neither a video nor a picture.
        """
        head, _, body = uri.partition(",")
        kind = head[5:].partition(";")[0][:80] or "application/octet-stream"
        if not head.lower().endswith(";base64"):
            raise UnsupportedSourceError(
                f"{head[:80]!r} holds no base64; write data:video/mp4;base64,... or give a link"
            )
        if len(body) // 4 * 3 > limits.max_bytes + 2:
            raise VideoTooLargeError(
                f"the data: URI of {kind!r} holds about {len(body) // 4 * 3} bytes, allowed are "
                f"{limits.max_bytes}; give a smaller video or raise max_bytes"
            )
        as_frames = kind.lower() == KIND
        files = [_decoded(each, kind) for each in (body.split(",") if as_frames else [body])]
        content = b"".join(files)
        shown = f"data:{kind};sha256={hashlib.sha256(content).hexdigest()[:16]}"
        if text_only:
            return LocalVideo(path=None, uri=shown)
        with temporary.kept_on_success() as folder:
            path = folder / "video"
            if as_frames:
                write_frames(path, files, limits.max_pixels)
            else:
                path.write_bytes(content)
            return LocalVideo(
                path=landed(path, shown),
                uri=shown,
                warnings=(NO_TIMES,) if as_frames else (),
                temporary_folder=folder,
            )


def _decoded(body: str, kind: str) -> bytes:
    """Returns the bytes of base64 text, which may be broken into lines and escaped by `%`."""
    if "%" in body:
        body = unquote(body)
    try:
        content = b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnsupportedSourceError(
            f"the data: URI of {kind!r} is not base64 ({error}); encode the bytes of the file again"
        ) from error
    if not content:
        raise UnsupportedSourceError(f"the data: URI of {kind!r} is empty; give a video file")
    return content
