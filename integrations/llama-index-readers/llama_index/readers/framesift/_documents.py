"""Documents of a video: one for the whole, one with a picture for each segment."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any, Final, Self
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5

from llama_index.core.schema import (
    Document,
    ImageDocument,
    MediaResource,
    NodeRelationship,
    RelatedNodeInfo,
)
from pydantic import (
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from framesift import Segment, Shelved
from framesift.errors import FramesiftError
from framesift.serving import clock, error_line, whole_characters

FOR_THE_LLM: Final = frozenset({"source", "start_seconds", "end_seconds"})
"""Metadata that a model is shown; the text already says the rest that matters to it."""


class _Related(Document):
    """A document whose relations follow it when it is given another id.

    `SimpleDirectoryReader(filename_as_id=True)` renames what it is given, which would leave video
    and segments pointing at documents that there are not.
    """

    _pointers: list[RelatedNodeInfo] = PrivateAttr(default_factory=list)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "id_":
            for pointer in self._pointers:
                pointer.node_id = value

    def __copy__(self) -> Self:
        copy = super().__copy__()
        copy._pointers = []  # a copy has an id of its own
        return copy


class VideoDocument(_Related):
    """The document of a whole video; a store gives it back as a `Document`."""

    @model_serializer(mode="wrap")
    def custom_model_dump(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Returns the document for a store, with its link as text: JSON takes no `AnyUrl`."""
        data = super().custom_model_dump(handler, info)
        if (held := data.get("video_resource")) and held.get("url"):
            held["url"] = str(held["url"])
        return data


class SegmentDocument(_Related, ImageDocument):
    """The document of a segment; a store gives it back as an `ImageDocument`."""


def documents(video: Shelved, extra_info: dict[str, Any]) -> list[Document]:
    """Returns the document of a video, then those of its segments in the order of time.

    Their ids depend on the source and the part of it that is meant alone, so that a changed video
    replaces the old one.

    Args:
        video: its segments and their pictures.
        extra_info: goes into the metadata of every document.
    """
    shared = {
        **_encodable(extra_info),
        **_named(video.source, video.title),
        **_known(video.segments[0][0], "uploader", "date", "description"),
        "video_id": _id_of(video.address),
        "content_sha256": video.content_sha256,
        "compressor": video.settings,
        "segments": len(video.segments),
        **({"warnings": "\n".join(video.warnings)} if video.warnings else {}),
    }
    whole = _video(video, shared)
    parts = [
        _segment(_id_of(f"{video.address}#segment={number}"), segment, image, number, shared)
        for number, (segment, image) in enumerate(video.segments, 1)
    ]
    to_whole = RelatedNodeInfo(node_id=whole.id_)
    to_parts = [RelatedNodeInfo(node_id=part.id_) for part in parts]
    for part, pointer in zip(parts, to_parts, strict=True):
        part.relationships[NodeRelationship.PARENT] = to_whole
        part._pointers = [pointer]
    whole.relationships[NodeRelationship.CHILD] = to_parts
    whole._pointers = [to_whole]
    return [whole, *parts]


def left_out(source: str, error: FramesiftError, extra_info: dict[str, Any]) -> Document:
    """Returns what stands for a video that could not be read: why, in `metadata["problem"]`.

    Args:
        source: what was to be read.
        error: why it was not.
        extra_info: goes into the metadata.
    """
    line = error_line(error)
    metadata = {
        **_encodable(extra_info),
        **_named(source, None),
        "video_id": _id_of(source),
        "problem": line,
    }
    return VideoDocument(
        id_=metadata["video_id"],
        text=f"{metadata['title']}: {line}",
        metadata=metadata,
        **_excluded(metadata),
    )


def stored(row: dict[str, Any], folder: Path) -> Document:
    """Returns the document of a segment from its row in the results of a batch.

    Args:
        row: its columns.
        folder: where the picture lies below.
    """
    names = ("segment", "segments", "start_seconds", "end_seconds", "keyframe_seconds", "link")
    metadata = {
        **_named(row["video"], row["title"]),
        "video_id": row["id"],
        **{name: row[name] for name in names},
        **{name: row[name] for name in ("chapter", "reason") if row[name]},
        **({"warnings": "\n".join(row["warnings"])} if row["warnings"] else {}),
    }
    picture = row["picture"]
    image = None if picture is None else folder / picture
    return SegmentDocument(
        id_=_id_of(f"{row['id']}#segment={row['segment']}"),
        text=row["caption"],
        image_resource=None if image is None else MediaResource(path=image, mimetype="image/jpeg"),
        metadata=metadata,
        **_excluded(metadata),
    )


def missing(row: dict[str, Any]) -> Document:
    """Returns what stands for a video that failed in a batch: why, in `metadata["problem"]`."""
    metadata = {
        **_named(row["video"], row["title"]),
        "video_id": row["id"],
        "problem": row["error"],
    }
    return VideoDocument(
        id_=_id_of(row["id"]),
        text=f"{metadata['title']}: {row['error']}",
        metadata=metadata,
        **_excluded(metadata),
    )


def _named(source: str, title: str | None) -> dict[str, Any]:
    path = unquote(source) if source.startswith("file://") else source
    return {"source": source, "title": title or PurePath(path).stem or source}


def _known(segment: Segment, *names: str) -> dict[str, str]:
    """Returns the facts that there are: stores take no None."""
    return {name: value for name in names if (value := getattr(segment, name))}


def _id_of(address: str) -> str:
    return str(uuid5(NAMESPACE_URL, address))


def _encodable(value: Any) -> Any:
    """Returns metadata that stores can write: names of files may be no UTF-8."""
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    return whole_characters(value) if isinstance(value, str) else value


def _video(video: Shelved, shared: dict[str, Any]) -> VideoDocument:
    segments = [segment for segment, _ in video.segments]
    length = segments[-1].end_seconds - segments[0].start_seconds
    chapters = dict.fromkeys(segment.chapter for segment in segments if segment.chapter)
    lines = [f"{shared['title']}, a video of {clock(length)}", *chapters]
    lines += [shared["description"]] if "description" in shared else []
    metadata = {**shared, "duration_seconds": round(length, 3)}
    is_link = "://" in video.source
    return VideoDocument(
        id_=metadata["video_id"],
        text="\n".join(line for line in lines if line != metadata["title"]),
        video_resource=MediaResource(
            url=video.address if is_link else None, path=None if is_link else video.source
        ),
        metadata=metadata,
        **_excluded(metadata),
    )


def _segment(
    id_: str, segment: Segment, image: Path, number: int, shared: dict[str, Any]
) -> SegmentDocument:
    place = f"part {number} of {shared['segments']}"
    metadata = {
        **shared,
        "segment": number,
        "start_seconds": segment.start_seconds,
        "end_seconds": segment.end_seconds,
        "keyframe_seconds": segment.keyframe_seconds,
        "link": segment.link,
        **_known(segment, "chapter"),
        "reason": segment.reason,
    }
    return SegmentDocument(
        id_=id_,
        text=segment.caption(f"{segment.chapter or shared['title']}, {place}"),
        # A path, since a store drops bytes, and image_path= would open the file to look at it.
        image_resource=MediaResource(path=image, mimetype="image/jpeg"),
        metadata=metadata,
        **_excluded(metadata),
    )


def _excluded(metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "excluded_embed_metadata_keys": list(metadata),
        "excluded_llm_metadata_keys": [key for key in metadata if key not in FOR_THE_LLM],
    }
