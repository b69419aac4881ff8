"""What tells one open video from another, by what is in the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from framesift.readers.base import Readable

SAMPLES, SAMPLE_BYTES = 16, 2**16
"""Pieces of a file, and their size, that tell it from another one of the same frames."""


def content_key(reader: Readable) -> str:
    """Returns what tells a video from any other: its address, packets, and pieces of the file."""
    path, index = reader.path, reader.index
    state = path.stat()
    digest = hashlib.blake2b(f"{reader.local.uri} {state.st_size}".encode())
    digest.update(index.pts_seconds.tobytes())
    if index.packet_bytes is not None:
        digest.update(index.packet_bytes.tobytes())
    with path.open("rb") as file:
        for number in range(SAMPLES):
            file.seek(number * max(0, state.st_size - SAMPLE_BYTES) // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_BYTES))
    if Path(reader.local.uri).name == path.name:  # a file of the user's, which may be written to
        digest.update(str(state.st_mtime_ns).encode())
    return digest.hexdigest()
