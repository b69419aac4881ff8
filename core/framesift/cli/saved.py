"""Folders that `framesift compress --out` wrote, as videos that can be asked about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import framesift
from framesift.errors import InvalidOptionError


def opened(uri: str) -> str | framesift.CompressedVideo:
    """Returns the compressed video that lies in a folder, or the address as it is."""
    from framesift.types.compressed_files import REPORT

    try:
        is_saved = (Path(uri).expanduser() / REPORT).is_file()
    except (OSError, RuntimeError, ValueError):
        is_saved = False
    return framesift.load(Path(uri).expanduser()) if is_saved else uri


def answering(vlm: str | None, videos: Sequence[str | framesift.CompressedVideo]) -> str | None:
    """Returns the spec of the model that answers: the one that was named, or made the tokens.

    Raises:
        InvalidOptionError: none was named, and the one that made the tokens may not be loaded just
            because a file says so.
    """
    reports = [video.report for video in videos if isinstance(video, framesift.CompressedVideo)]
    made = next((report for report in reports if report.weights is not None), None)
    if vlm is not None or made is None:
        return vlm
    if "trust_remote_code" in made.encoder:
        from framesift.vlms.origin import maker_of

        raise InvalidOptionError(
            f"the tokens of {made.uri[:200]!r} were made by {maker_of(made.encoder)!r} with code "
            "of its own, which is not run because a report names it; pass --vlm"
        )
    return made.encoder
