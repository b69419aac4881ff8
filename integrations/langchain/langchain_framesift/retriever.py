"""Moments of videos that a query points at, as the documents of a retriever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field, Strict, model_validator

from framesift import Assistant, EvidenceKind, Moment, open_video
from framesift.errors import InvalidOptionError
from framesift.serving import check_names
from langchain_framesift._documents import PictureFolder
from langchain_framesift._settings import VideoSettings


class VideoRetriever(VideoSettings, PictureFolder, BaseRetriever):
    """Finds moments of videos by their text, and by a vision LLM on this machine.

    Over `videos`, each moment is a document as `VideoLoader` makes them; over `documents`, those
    come back that the moments of their videos lie in. `score` in the metadata is the share of the
    evidence within its video; the best come first. What a query is not like is not found, so there
    may be fewer than `k`, or none.
    """

    videos: tuple[Annotated[str, Strict()] | Path, ...] = Field(default=(), repr=False)
    """Links and paths."""
    documents: tuple[Document, ...] = Field(default=(), repr=False)
    """Documents of `VideoLoader`, in place of `videos`."""
    model: str
    """A name, hub id or folder, as `framesift.load_vlm` takes it."""
    k: int = Field(default=4, ge=1, strict=True)
    """Most documents returned; `invoke(query, k=2)` goes before it."""
    evidence: EvidenceKind = "auto"
    """By which weights moments are found; `"auto"` looks into the text of a video first."""
    max_side_px: int | None = Field(default=768, ge=1, strict=True)
    """Longest side of a picture, None for the video's own size."""

    @model_validator(mode="after")
    def _has_something(self) -> VideoRetriever:
        if bool(self.videos) == bool(self.documents):
            raise InvalidOptionError(
                "a VideoRetriever searches either videos or documents; give one of them, such as "
                "videos=['talk.mp4'] or documents=VideoLoader('talk.mp4').load()"
            )
        if any(not {"video", "problem"} & each.metadata.keys() for each in self.documents):
            raise InvalidOptionError(
                "one of the documents is of no video; give documents of VideoLoader"
            )
        return self

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: int | None = None,
        **others: Any,
    ) -> list[Document]:
        check_names("invoke", others, ("k",))
        count = self.k if k is None else k
        found = self._in_documents if self.documents else self._in_videos
        ranked = sorted(found(query, count), key=lambda each: -each.metadata["score"])
        return ranked[:count]

    def _in_videos(self, query: str, count: int) -> Iterator[Document]:
        for video in self.videos:
            for address, moment in self._moments(video, query, count):
                yield self.document(address, moment, score=moment.segment.score or 0.0)

    def _in_documents(self, query: str, count: int) -> Iterator[Document]:
        """Yields each document that a moment lies in, by the best of its moments."""
        usable = [each for each in self.documents if "problem" not in each.metadata]
        for video in dict.fromkeys(each.metadata["video"] for each in usable):
            parts = [each for each in usable if each.metadata["video"] == video]
            scores: dict[int, float] = {}
            for _, moment in self._moments(video, query, count):
                place = _place_of(moment, parts)
                scores[place] = max(scores.get(place, 0.0), moment.segment.score or 0.0)
            for place, score in scores.items():
                known = parts[place]
                yield known.model_copy(update={"metadata": {**known.metadata, "score": score}})

    def _moments(self, video: str | Path, query: str, count: int) -> list[tuple[str, Moment]]:
        assistant: Assistant = self.assistant(self.model)
        with open_video(video, self.limits, site=self.site) as local:
            moments = assistant.find(
                local, query, count, evidence=self.evidence, max_side_px=self.max_side_px
            )
            return [(local.address, moment) for moment in moments]


def _place_of(moment: Moment, parts: Sequence[Document]) -> int:
    """Returns the document that most of a moment lies in."""
    start, end = moment.segment.start_seconds, moment.segment.end_seconds

    def shared(metadata: dict[str, Any]) -> float:
        return float(min(end, metadata["end_seconds"]) - max(start, metadata["start_seconds"]))

    return max(range(len(parts)), key=lambda place: shared(parts[place].metadata))
