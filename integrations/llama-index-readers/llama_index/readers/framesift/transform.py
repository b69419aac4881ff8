"""A step of an ingestion pipeline: documents that hold a video become nodes with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self
from uuid import uuid4

from llama_index.core.schema import (
    BaseNode,
    ImageDocument,
    ImageNode,
    Node,
    NodeRelationship,
    TransformComponent,
)
from pydantic import Field

from framesift.serving import OptionFields
from llama_index.readers.framesift._documents import VideoDocument
from llama_index.readers.framesift.base import FramesiftVideoReader


class FramesiftVideoSplitter(OptionFields, TransformComponent):
    """Turns each document that holds a video into image nodes, one for each segment.

    Use it where another reader made documents with a `video_resource`, whose video a text splitter
    would drop. Documents of `FramesiftVideoReader` are split already and, as all others, stay. So
    does one whose video cannot be read, with the reason as `problem` in its metadata, unless
    the reader has `raise_on_error`.
    """

    reader: FramesiftVideoReader = Field(default_factory=FramesiftVideoReader)
    """How videos are read."""

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which the step is stored."""
        return "FramesiftVideoSplitter"

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """Returns the step as JSON takes it, never twice the same.

        The cache of an ingestion pipeline goes by this and by texts and metadata, and would give
        the segments of another video to documents that differ in their videos alone. Videos that
        were read before are not decoded again: that is the reader's own cache.
        """
        return {**super().to_dict(**kwargs), "unique": uuid4().hex}

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """Returns the step that `to_dict` has written."""
        return super().from_dict({k: v for k, v in data.items() if k != "unique"}, **kwargs)

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:
        """Returns the nodes, with those that hold a video replaced by its segments.

        Raises:
            SourceError: a video cannot be fetched, and the reader has `raise_on_error`.
            DecodeError: a file cannot be decoded, likewise.
        """
        return [part for node in nodes for part in self._split(node)]

    def _split(self, node: BaseNode) -> list[BaseNode]:
        held = node.video_resource if isinstance(node, Node) else None
        source = held and (held.path or (held.url and str(held.url)))
        if not source or isinstance(node, VideoDocument) or "content_sha256" in node.metadata:
            return [node]
        if "problem" in (unseen := node.excluded_embed_metadata_keys):  # of an earlier try
            unseen.remove("problem")
            node.metadata.pop("problem", None)
        parts = self.reader.load_data([source], extra_info=node.metadata)
        if "content_sha256" not in parts[0].metadata:
            # Not a copy: a docstore then knows the document as changed, and it is tried again.
            node.metadata["problem"] = parts[0].metadata["problem"]
            node.excluded_embed_metadata_keys.append("problem")
            return [node]
        return [_image_node(part, node) for part in parts if isinstance(part, ImageDocument)]


def _image_node(part: ImageDocument, document: BaseNode) -> ImageNode:
    return ImageNode(
        id_=part.id_,
        text=part.text,
        image_resource=part.image_resource,
        metadata=part.metadata,
        excluded_embed_metadata_keys=part.excluded_embed_metadata_keys,
        excluded_llm_metadata_keys=part.excluded_llm_metadata_keys,
        relationships={NodeRelationship.SOURCE: document.as_related_node_info()},
    )
