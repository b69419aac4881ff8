"""A postprocessor that keeps, of retrieved pictures, those that matter for the query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import ImageDocument, ImageNode, NodeWithScore, QueryBundle
from pydantic import Field, field_serializer

from framesift import EvidenceKind, Session, VideoCompressor
from framesift.serving import (
    VLM,
    OptionFields,
    OptionOf,
    SelectorName,
    find_pictures,
    select_pictures,
)


class FramesiftFramePostprocessor(OptionFields, BaseNodePostprocessor):
    """Keeps at most `max_frames` of the retrieved pictures, and every node that has none.

    With a `vlm`, those stay that it finds the query in, fewer where few are like it. Without one,
    or where it finds none, `selector` decides: `"keyframes"` keeps pictures that differ, so that
    near copies take no place in a prompt, and one with a scorer, such as `"topk:scorer=clip"`,
    those that are like the query. What speaks against the scores stands in `metadata["warnings"]`
    of the pictures that stay.
    """

    max_frames: int = Field(default=4, ge=1, strict=True)
    vlm: str | VLM | None = None
    """Judges pictures by the query: a name, a hub id, a folder or a loaded model."""
    keep: Annotated[float, OptionOf(VideoCompressor, "keep")] = 0.25
    """Fraction of the tokens of each picture that the `vlm` reads."""
    evidence: EvidenceKind = "auto"
    """By which weights of the `vlm` pictures are found."""
    selector: SelectorName = "keyframes"
    """Picks pictures where there is no `vlm`."""

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which the step is stored."""
        return "FramesiftFramePostprocessor"

    @cached_property
    def _session(self) -> Session:
        assert self.vlm is not None
        return Session(self.vlm)

    @field_serializer("vlm")
    def _spec(self, vlm: str | VLM | None) -> str | None:
        return vlm.spec if isinstance(vlm, VLM) else vlm

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        shown = [(node, picture) for node in nodes if (picture := _picture(node)) is not None]
        if len(shown) <= self.max_frames:
            return nodes
        query = "" if query_bundle is None else query_bundle.query_str
        shown.sort(key=lambda pair: _moment(pair[0]))
        pictures = [picture for _, picture in shown]
        places = self._matching(pictures, query) if self.vlm and query else set()
        # Retrieval has its reasons where the model sees nothing of the query.
        notes: list[str] = []
        places = places or select_pictures(
            pictures,
            self.max_frames,
            query or None,
            selector=self.selector,
            uri=_source([node for node, _ in shown]),
            warn=notes.append,
        )
        judged = {id(node): place in places for place, (node, _) in enumerate(shown)}
        return [
            _noted(node, notes) if id(node) in judged else node
            for node in nodes
            if judged.get(id(node), True)
        ]

    def _matching(self, pictures: Sequence[Path], query: str) -> set[int]:
        """Returns the places of the pictures that the model's answer rests on."""
        sift = VideoCompressor(vlm=self._session.vlm, keep=self.keep)
        return find_pictures(sift, pictures, query, self.max_frames, evidence=self.evidence)


def _picture(scored: NodeWithScore) -> Path | None:
    """Returns the file of a node's picture, None where it has none on this machine."""
    node = scored.node
    path = node.image_path if isinstance(node, ImageNode | ImageDocument) else None
    return Path(path) if path and Path(path).is_file() else None


def _source(scored: Sequence[NodeWithScore]) -> str:
    """Returns the video that pictures come from; of several, one that is not synthetic.

    A scorer that knows synthetic videos only means nothing by its scores of a mixture either.
    """
    sources = [str(each.metadata.get("source", "")) for each in scored]
    return next((uri for uri in sources if not uri.lower().startswith("synthetic://")), sources[0])


def _noted(scored: NodeWithScore, notes: Sequence[str]) -> NodeWithScore:
    """Returns a node with warnings beside its own; that of the index stays as it is."""
    if not notes:
        return scored
    before = [str(scored.metadata["warnings"])] if scored.metadata.get("warnings") else []
    metadata = {**scored.metadata, "warnings": "\n".join([*before, *notes])}
    node = scored.node.model_copy(update={"metadata": metadata})
    return NodeWithScore(node=node, score=scored.score)


def _moment(scored: NodeWithScore) -> tuple[str, float]:
    metadata = scored.metadata
    return str(metadata.get("source", "")), float(metadata.get("keyframe_seconds", 0.0))
