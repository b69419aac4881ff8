"""Documents of a video: one for the whole, one with a picture for each segment."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from llama_index.core.schema import (
    Document,
    ImageDocument,
    MediaResource,
    NodeRelationship,
    RelatedNodeInfo,
)

from framesift import Segment, Shelved
from framesift.serving import clock

FOR_THE_LLM: Final = frozenset({"source", "start_seconds", "end_seconds"})
"""Metadata that a model is shown; the text already says the rest that matters to it."""


def documents(video: Shelved, extra_info: dict[str, Any]) -> list[Document]:
    """Returns the document of a video, then those of its segments in the order of time.

    Their ids depend on the source and the part of it that is meant alone, so that a changed video
    replaces the old one.

    Args:
        video: its segments and their pictures.
        extra_info: goes into the metadata of every document.
    """
    shared = {
        **extra_info,
        "source": video.source,
        "title": video.title or PurePath(video.source).stem or video.source,
        "video_id": str(uuid5(NAMESPACE_URL, video.address)),
        "content_sha256": video.content_sha256,
        "compressor": video.settings,
        "segments": len(video.segments),
        **({"warnings": "\n".join(video.warnings)} if video.warnings else {}),
    }
    parts = [
        _segment(
            str(uuid5(NAMESPACE_URL, f"{video.address}#segment={number}")),
            segment,
            image,
            {**shared, "segment": number},
        )
        for number, (segment, image) in enumerate(video.segments, 1)
    ]
    return [_video(video, shared, parts), *parts]


def _video(video: Shelved, shared: dict[str, Any], parts: list[Document]) -> Document:
    segments = [segment for segment, _ in video.segments]
    length = segments[-1].end_seconds - segments[0].start_seconds
    chapters = dict.fromkeys(segment.title for segment in segments if segment.title)
    lines = [f"{shared['title']}, a video of {clock(length)}", *chapters]
    metadata = {**shared, "duration_seconds": round(length, 3)}
    is_link = "://" in video.source
    return Document(
        id_=metadata["video_id"],
        text="\n".join(line for line in lines if line != metadata["title"]),
        video_resource=MediaResource(
            url=video.address if is_link else None, path=None if is_link else video.source
        ),
        metadata=metadata,
        relationships={
            NodeRelationship.CHILD: [RelatedNodeInfo(node_id=part.id_) for part in parts]
        },
        **_excluded(metadata),
    )


def _segment(name: str, segment: Segment, image: Path, shared: dict[str, Any]) -> Document:
    place = f"part {shared['segment']} of {shared['segments']}"
    metadata = {
        **shared,
        "start_seconds": segment.start_seconds,
        "end_seconds": segment.end_seconds,
        "keyframe_seconds": segment.keyframe_seconds,
        "reason": segment.reason,
    }
    return ImageDocument(
        id_=name,
        text=segment.caption(f"{segment.title or shared['title']}, {place}"),
        # A path, since a store drops bytes, and image_path= would open the file to look at it.
        image_resource=MediaResource(path=image, mimetype="image/jpeg"),
        metadata=metadata,
        relationships={NodeRelationship.PARENT: RelatedNodeInfo(node_id=shared["video_id"])},
        **_excluded(metadata),
    )


def _excluded(metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "excluded_embed_metadata_keys": list(metadata),
        "excluded_llm_metadata_keys": [key for key in metadata if key not in FOR_THE_LLM],
    }
