"""Results on disk: safetensors and JSON, of which one file says what belongs together.

A folder is rewritten in three steps. The new tokens are written beside the old ones, under a name
with their hash; `report.json`, which names that hash, is replaced; then the new tokens take the
place of the old ones. So whenever a writer dies, `report.json` and the tokens that it names are
there, of the run before or of the new one:

    step     tokens.safetensors   tokens-NEW.safetensors   report.json names
    before   old                  -                        old
    1        old                  new                      old
    2        old                  new                      new
    3        new                  -                        new
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from framesift.disk.writing import as_path, read_file, storing, write_atomically, writing_to
from framesift.errors import InvalidTokensError, StorageError
from framesift.export._restoring import restored
from framesift.types.clock import cut
from framesift.types.compressed import CompressedVideo, CompressionReport, Keyframe

TOKENS: Final = "tokens.safetensors"
REPORT: Final = "report.json"
KEYFRAMES: Final = "keyframes.json"
MOST_REPORT_BYTES: Final = 256 * 2**20
"""Longest report that is read: one number for each frame stands in it."""
_WAITING: Final = re.compile(r"tokens-[0-9a-f]{16}\.safetensors")
_KEYFRAME: Final = re.compile(r"keyframe-\d{5,}\.\d\ds(-[0-9a-f]{8})?\.jpg", re.ASCII)
_TRIES: Final = 8
_HINT: Final = "give a folder that `framesift compress --out` or save_compressed wrote"


class _Saved(CompressionReport):
    """The report as it lies in a folder: with the hash of the tokens that it is about."""

    tokens_sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="Of the file with the tokens; None where an older version wrote the folder.",
    )


def save_keyframe(frame: Keyframe, folder: str | os.PathLike[str], *, quality: int = 90) -> Path:
    """Returns the JPEG file in `folder` that holds a keyframe, named by a hash of its content.

    Equal pictures are one file, so an index may point at it whatever is loaded again.

    Raises:
        StorageError: the folder cannot be written to.
    """
    content = frame.jpeg(quality=quality)
    path = as_path(folder, "folder") / f"{hashlib.sha256(content).hexdigest()[:32]}.jpg"
    return path if holds(path, content) else write_atomically(path, content)


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


def json_bytes(model: BaseModel) -> bytes:
    """Returns a model as JSON in ASCII, so that a file name that is not UTF-8 is read back too."""
    return json.dumps(model.model_dump(mode="json"), indent=2).encode()


def json_value(content: bytes) -> Any:
    """Returns the value of a JSON file, or None, which no model takes, where it is none."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def holds(path: Path, content: bytes) -> bool:
    """Returns whether a file is there and whole: it has this content."""
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def token_bytes(video: CompressedVideo) -> bytes:
    """Returns a safetensors file: tokens, positions, times, and the plan that made them.

    Its tensors are `tokens` `(M, D)`, `positions` `(M, 3)`, `pts_seconds` `(M,)`, `frame_seconds`
    `(T,)`, the entries `plan.dst`, `plan.src`, `plan.weight` `(E,)`, and, where there
    are, `layers` and the times of all frames of each time step, `step_seconds` `(T, S)`.
    """
    plan = video.plan
    tensors = {
        "tokens": video.tokens,
        "positions": video.positions,
        "pts_seconds": video.pts_seconds,
        "frame_seconds": video.frame_seconds,
        "plan.dst": plan.dst,
        "plan.src": plan.src,
        "plan.weight": plan.weight,
    }
    if video.layers is not None:
        tensors["layers"] = video.layers
    if video.step_seconds is not None:
        tensors["step_seconds"] = video.step_seconds
    return save({name: value.cpu().contiguous() for name, value in tensors.items()})


def save_compressed(video: CompressedVideo, folder: str | os.PathLike[str]) -> list[Path]:
    """Returns the files that hold `video` in `folder`: `tokens.safetensors` and `report.json`.

    A result that was there stays until the new one is whole; of two writers the last one wins.

    Raises:
        StorageError: the folder cannot be written to.
    """
    folder = as_path(folder, "folder")
    content = token_bytes(video)
    digest = hashlib.sha256(content).hexdigest()
    saved = _Saved(**video.report.model_dump(), tokens_sha256=digest)
    tokens, report = folder / TOKENS, folder / REPORT
    with writing_to(folder):
        _finish(folder)
        waiting = write_atomically(_waiting(folder, digest), content)
        write_atomically(report, json_bytes(saved))
        with storing(tokens):
            waiting.replace(tokens)
    return [tokens, report]


def load_compressed(folder: str | os.PathLike[str]) -> CompressedVideo:
    """Returns what `save_compressed` wrote to `folder`; nothing in the files is trusted.

    Raises:
        StorageError: there is no such result, or it cannot be read.
        InvalidTokensError: a file is damaged, or tokens and report do not belong together.
    """
    folder = as_path(folder, "folder")
    for _ in range(_TRIES):
        saved = _report(folder)
        content = _tokens(folder, saved)
        if content is not None:
            return _video(folder, saved, content)
    raise InvalidTokensError(
        f"{str(folder)!r} holds other tokens than those that its {REPORT} is about; compress the "
        "video again into this folder"
    )


def _finish(folder: Path) -> None:
    """Ends what a writer that died had begun: its tokens take their place, or are removed."""
    found = [path for path in folder.iterdir() if _WAITING.fullmatch(path.name)]
    if not found:
        return
    try:
        wanted = _report(folder).tokens_sha256
    except (StorageError, InvalidTokensError):
        wanted = None
    for path in found:
        with storing(path):
            if wanted is not None and path == _waiting(folder, wanted):
                path.replace(folder / TOKENS)
            else:
                path.unlink(missing_ok=True)


def _waiting(folder: Path, digest: str) -> Path:
    """Returns where tokens wait until the report names them."""
    return folder / f"tokens-{digest[:16]}.safetensors"


def _report(folder: Path) -> _Saved:
    content = read_file(folder / REPORT, most_bytes=MOST_REPORT_BYTES, hint=_HINT)
    try:
        return _Saved.model_validate(json_value(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        wrong = f"{place}: {first['msg']}" if place else "it holds no JSON object"
        raise InvalidTokensError(
            f"{str(folder / REPORT)!r} is no report of compressed tokens: {wrong}; "
            "compress the video again"
        ) from error


def _tokens(folder: Path, saved: _Saved) -> bytes | None:
    """Returns the tokens that the report is about, or None while they are being replaced."""
    digest = saved.tokens_sha256
    if digest is None:
        return read_file(folder / TOKENS, hint=_HINT)
    if not (folder / TOKENS).is_file() and not _waiting(folder, digest).is_file():
        return read_file(folder / TOKENS, hint=_HINT)
    for path in (folder / TOKENS, _waiting(folder, digest)):
        with suppress(StorageError):  # its writer may have moved it just now
            content = read_file(path)
            if hashlib.sha256(content).hexdigest() == digest:
                return content
    return None


def _video(folder: Path, saved: _Saved, content: bytes) -> CompressedVideo:
    report = CompressionReport(**saved.model_dump(exclude={"tokens_sha256"}))
    try:
        return restored(load(content), report)
    # What torch and safetensors raise on bytes of a stranger is theirs to choose.
    except (SafetensorError, ValueError, TypeError, RuntimeError, LookupError) as error:
        raise InvalidTokensError(
            f"{str(folder / TOKENS)!r} does not hold what its report says: "
            f"{' '.join(str(error).split())}; compress the video again"
        ) from error
