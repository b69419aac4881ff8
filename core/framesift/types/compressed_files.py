"""A compressed video in a folder: tokens in safetensors, and JSON that says which ones.

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
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as tensors_from
from torch import Tensor

from framesift.disk.tensors import TensorFile
from framesift.disk.writing import (
    as_path,
    json_bytes,
    json_value,
    read_file,
    storing,
    write_atomically,
    writing_to,
)
from framesift.errors import InvalidTokensError, StorageError
from framesift.types._restoring import restored
from framesift.types.compressed import CompressedVideo, CompressionReport

TOKENS: Final = "tokens.safetensors"
REPORT: Final = "report.json"
MOST_REPORT_BYTES: Final = 256 * 2**20
"""Longest report that is read: one number for each frame stands in it."""
_WAITING: Final = re.compile(r"tokens-[0-9a-f]{16}\.safetensors")
_TRIES: Final = 8
_HINT: Final = "give a folder that `framesift compress --out` or CompressedVideo.save wrote"


class _Saved(CompressionReport):
    """The report as it lies in a folder: with the hash of the tokens that it is about."""

    tokens_sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="Of the file with the tokens; None where an older version wrote the folder.",
    )


def token_tensors(video: CompressedVideo) -> dict[str, Tensor]:
    """Returns what a file holds of a video: tokens, positions, times, the plan that made them.

    They are `tokens` `(M, D)`, `positions` `(M, 3)`, `pts_seconds` `(M,)`, `frame_seconds`
    `(T,)`, the entries `plan.dst`, `plan.src`, `plan.weight` `(E,)`, and, where there
    are, `layers`, the times of all frames of each time step, `step_seconds` `(T, S)`, and the times
    at which the tokens were encoded, `encoded_seconds` `(M,)`.
    """
    plan = video.plan
    tensors = {
        "tokens": video.tokens,
        "positions": video.positions,
        "pts_seconds": video.pts_seconds,
        "frame_seconds": video.frame_seconds,
        "plan.dst": plan.dst,
        "plan.src": plan.src,
        "plan.weight": plan.weight.double(),
    }
    if video.layers is not None:
        tensors["layers"] = video.layers
    if video.step_seconds is not None:
        tensors["step_seconds"] = video.step_seconds
    if video.encoded_seconds is not None:
        tensors["encoded_seconds"] = video.encoded_seconds
    return tensors


def save(video: CompressedVideo, folder: str | os.PathLike[str]) -> list[Path]:
    """Does the work of `CompressedVideo.save`."""
    folder = as_path(folder, "folder")
    file, sha = TensorFile(token_tensors(video)), hashlib.sha256()
    for piece in file.pieces():
        sha.update(piece)
    digest = sha.hexdigest()
    saved = _Saved(**video.report.model_dump(), tokens_sha256=digest)
    tokens, report = folder / TOKENS, folder / REPORT
    with writing_to(folder):
        _finish(folder)
        waiting = write_atomically(_waiting(folder, digest), file.pieces())
        write_atomically(report, json_bytes(saved))
        with storing(tokens):
            waiting.replace(tokens)
    return [tokens, report]


def load(folder: str | os.PathLike[str]) -> CompressedVideo:
    """Returns the compressed video that `CompressedVideo.save` wrote to a folder.

    Nothing in the files is trusted: they are checked before anything rests on them.

    Raises:
        StorageError: the folder holds no compressed video, or it cannot be read.
        InvalidTokensError: a file is another program's or damaged, or tokens and report do not
            belong together.
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
    leftovers = [path for path in folder.iterdir() if _WAITING.fullmatch(path.name)]
    if not leftovers:
        return
    try:
        wanted = _report(folder).tokens_sha256
    except (StorageError, InvalidTokensError):
        wanted = None
    for path in leftovers:
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
            f"{str(folder / REPORT)!r} is not a report of compressed tokens: {wrong}; "
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
        return restored(tensors_from(content), report)
    # What torch and safetensors raise on bytes of a stranger is theirs to choose.
    except (SafetensorError, ValueError, TypeError, RuntimeError, LookupError) as error:
        raise InvalidTokensError(
            f"{str(folder / TOKENS)!r} does not hold what its report says: "
            f"{' '.join(str(error).split())}; compress the video again"
        ) from error
