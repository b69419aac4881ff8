"""A step of an ingestion pipeline: documents that hold a video become nodes with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import (
    BaseNode,
    ImageDocument,
    ImageNode,
    Node,
    NodeRelationship,
    TransformComponent,
)
from pydantic import Field

from llama_index.readers.framesift.base import FramesiftVideoReader


class FramesiftVideoSplitter(TransformComponent):
    """Turns each document that holds a video into image nodes, one for each segment.

    Use it where another reader made documents with a `video_resource`, whose video a text splitter
    would drop. Documents of `FramesiftVideoReader` are split already and, as all others, stay. Give
    documents of yours some text or metadata that tells them apart, since the cache of an ingestion
    pipeline looks at nothing else.
    """

    reader: FramesiftVideoReader = Field(default_factory=FramesiftVideoReader)
    """How videos are read."""

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which the step is stored."""
        return "FramesiftVideoSplitter"

    def __call__(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[BaseNode]:
        """Returns the nodes, with those that hold a video replaced by its segments.

        Raises:
            SourceError: a video cannot be fetched.
            DecodeError: a file cannot be decoded.
        """
        return [part for node in nodes for part in self._split(node)]

    def _split(self, node: BaseNode) -> list[BaseNode]:
        held = node.video_resource if isinstance(node, Node) else None
        source = held and (held.path or (held.url and str(held.url)))
        if not source or "content_sha256" in node.metadata:
            return [node]
        parts = self.reader.load_data(source, extra_info=node.metadata)
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
