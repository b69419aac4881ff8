"""Stretches of videos as documents, and documents as what a chat model is shown."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from langchain_core.documents import Document
from pydantic import field_validator

from framesift import Moment, Segment, save_keyframe
from framesift.errors import InvalidOptionError
from framesift.serving import OptionFields, home_path

JPEG: Final = b"\xff\xd8\xff"
"""How a JPEG file begins."""
MOST_BYTES: Final = 32 * 1024**2
"""Largest picture that is read into a message."""


class PictureFolder(OptionFields):
    """Where the pictures of documents are kept."""

    keyframe_folder: Path | None = None
    """Where pictures, and what was read, are kept; None for `framesift/keyframes` in the user's
    cache folder. Nothing is removed from it."""

    @field_validator("keyframe_folder", mode="before")
    @classmethod
    def _as_path(cls, folder: Any) -> Path | None:
        return None if folder is None else home_path(folder, "keyframe_folder")

    @property
    def folder(self) -> Path:
        """Where pictures are kept."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return self.keyframe_folder or cache / "framesift" / "keyframes"

    def document(self, video: str, moment: Moment, **facts: Any) -> Document:
        """Returns a moment as a document, with its picture in the folder.

        Args:
            video: address of the video, which ends in `#t=START,END` for a part.
            moment: of the video.
            **facts: go into the metadata.
        """
        segment = moment.segment
        assert moment.keyframe is not None, "what covers a video that is open has pictures"
        part = f"{video}#t={segment.start_seconds:.3f},{segment.end_seconds:.3f}"
        return Document(
            id=str(uuid5(NAMESPACE_URL, part)),
            page_content=segment.caption(),
            metadata={
                **segment_metadata(segment),
                "keyframe_path": str(save_keyframe(moment.keyframe, self.folder)),
                **facts,
            },
        )


def segment_metadata(segment: Segment) -> dict[str, Any]:
    """Returns what is known of a stretch; what is not known has no key, as indexes want it."""
    known = {
        "source": segment.link,
        "video": segment.uri,
        "title": segment.title,
        "chapter": segment.chapter,
        "uploader": segment.uploader,
        "date": segment.date,
        "description": segment.description,
        "start_seconds": segment.start_seconds,
        "end_seconds": segment.end_seconds,
        "start_timestamp": segment.clock,
        "keyframe_seconds": segment.keyframe_seconds,
    }
    return {name: value for name, value in known.items() if value is not None}


def image_blocks(documents: Iterable[Document], *, most: int = 8) -> list[dict[str, Any]]:
    """Returns documents of videos as blocks of a message: the text of each, then its picture.

    Args:
        documents: of `VideoLoader` or `VideoRetriever`, or of an index that holds them; one without
            a picture is its text alone.
        most: pictures that are shown; later documents are their text alone.

    Raises:
        InvalidOptionError: a `keyframe_path` is no JPEG file of this machine.
    """
    blocks: list[dict[str, Any]] = []
    shown = 0
    for document in documents:
        blocks.append({"type": "text", "text": document.page_content})
        path = document.metadata.get("keyframe_path")
        if path is not None and shown < most:
            picture = b64encode(_jpeg(path)).decode()
            blocks.append({"type": "image", "base64": picture, "mime_type": "image/jpeg"})
            shown += 1
    return blocks


def _jpeg(path: Any) -> bytes:
    """Returns a picture; metadata of an index might name any file, which no chat model is sent."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidOptionError(
            f"keyframe_path={str(path)[:200]!r} of a document cannot be read ({reason}); load the "
            "video again"
        ) from error
    if not content.startswith(JPEG) or len(content) > MOST_BYTES:
        raise InvalidOptionError(
            f"keyframe_path={str(path)[:200]!r} of a document is no keyframe; load the video again"
        )
    return content
