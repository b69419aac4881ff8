"""Keyframes as JPEG files in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from framesift.disk.content_files import holds, save_content
from framesift.disk.writing import as_path, storing, write_atomically, writing_to
from framesift.types.clock import cut
from framesift.types.compressed import Keyframe

KEYFRAMES: Final = "keyframes.json"
_KEYFRAME: Final = re.compile(r"keyframe-\d{5,}\.\d\ds(-[0-9a-f]{8})?\.jpg", re.ASCII)


def save_keyframe(frame: Keyframe, folder: str | os.PathLike[str], *, quality: int = 90) -> Path:
    """Returns the JPEG file in `folder` that holds a keyframe, named by a hash of its content.

    Equal pictures are one file, so an index may point at it whatever is loaded again.

    Raises:
        StorageError: the folder cannot be written to.
    """
    return save_content(frame.jpeg(quality=quality), folder, ".jpg")


def save_keyframes(frames: Sequence[Keyframe], folder: str | os.PathLike[str]) -> list[Path]:
    """Returns the JPEG files in `folder` that hold keyframes, named by time and content.

    `keyframes.json`, which is written last, lists them; then those of an earlier call are removed,
    so that a folder holds the keyframes of one call.

    Raises:
        StorageError: the folder cannot be written to.
    """
    folder = as_path(folder, "folder")
    entries, files = [], []
    with writing_to(folder):
        for frame in frames:
            content = frame.jpeg()
            digest = hashlib.sha256(content).hexdigest()
            path = folder / f"keyframe-{cut(frame.pts_seconds, 2):08.2f}s-{digest[:8]}.jpg"
            files.append(path if holds(path, content) else write_atomically(path, content))
            entries.append({"file": path.name, "sha256": digest, **frame.metadata()})
        write_atomically(folder / KEYFRAMES, f"{json.dumps(entries, indent=2)}\n".encode())
        with storing(folder):
            for path in folder.iterdir():
                if _KEYFRAME.fullmatch(path.name) and path not in files:
                    path.unlink(missing_ok=True)
    return files
