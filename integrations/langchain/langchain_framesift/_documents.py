"""Stretches of videos as documents, and documents as what a chat model is shown."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from langchain_core.documents import Document

from framesift import Moment, save_keyframe
from framesift.serving import HomePath, OptionFields, saved_keyframe

FACTS: Final = (
    *("title", "chapter", "uploader", "date", "description"),
    *("start_seconds", "end_seconds", "keyframe_seconds"),
)
"""What the metadata of a document have of its segment, beside the addresses."""


class PictureFolder(OptionFields):
    """Where the pictures of documents are kept."""

    keyframe_folder: HomePath | None = None
    """Where pictures, and what was read, are kept; None for `framesift/keyframes` in the user's
    cache folder. Nothing is removed from it."""

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
        segment, known = moment.segment, moment.metadata()
        assert moment.keyframe is not None, "what covers a video that is open has pictures"
        part = f"{video}#t={segment.start_seconds:.3f},{segment.end_seconds:.3f}"
        return Document(
            id=str(uuid5(NAMESPACE_URL, part)),
            page_content=segment.caption(),
            metadata={
                "source": segment.link,
                "video": segment.uri,
                "start_timestamp": segment.clock,
                # What is not known has no key, since indexes take no empty values.
                **{name: known[name] for name in FACTS if known[name] is not None},
                "keyframe_path": str(save_keyframe(moment.keyframe, self.folder)),
                **facts,
            },
        )


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
            picture = b64encode(saved_keyframe(path)).decode()
            blocks.append({"type": "image", "base64": picture, "mime_type": "image/jpeg"})
            shown += 1
    return blocks
