"""The frames that a selector picks among those that were sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

from framesift.compression.candidates import (
    FramesLostError,
    ReaderCandidates,
    SeenVideos,
    candidates_of,
)
from framesift.compression.content import content_key
from framesift.compression.frame_tokens import FrameTokens
from framesift.compression.opening import FrameReader
from framesift.encoders.base import Encoder
from framesift.run import Run
from framesift.scorers.candidates import SelectionCost
from framesift.selectors.base import Selection, Selector
from framesift.types.selection import SelectionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedFrames:
    """A selector's choice, as positions in the stream."""

    choice: Selection
    indices: list[int]
    candidates: ReaderCandidates
    report: SelectionReport
    """The choice for a reader, with what it cost."""

    def encoded(self, encoder: Encoder, signals: frozenset[str] | None) -> FrameTokens | None:
        """Returns the tokens of the chosen frames, where choosing them has made these already."""
        seen = self.candidates.compared(encoder, signals)
        if seen is None or not all(index in seen.places for index in self.indices):
            return None
        part = replace(seen.parts[0], tokens=seen.tokens(self.indices), indices=self.indices)
        return replace(part, encoded=part.encoded.new_ones(part.tokens.features.shape[:2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePicker:
    """Picks among the frames of videos, and remembers what a question does not change."""

    selector: Selector
    seen: SeenVideos = field(default_factory=SeenVideos)

    def pick(
        self,
        reader: FrameReader,
        sampled: Sequence[int],
        *,
        count: int,
        question: str | None,
        also: frozenset[str] | None = frozenset(),
    ) -> SelectedFrames:
        """Returns the selector's choice among the frames that can be decoded.

        Args:
            reader: the video.
            sampled: positions in the stream of the frames sampled at the wanted rate, ascending.
            count: most frames.
            question: what they should help to answer, for selectors that read it.
            also: signals that others will read of the tokens that the selector compares, as far as
                their encoder gives them; None for all.
        """
        self.selector.check_question(question)
        part_seconds = reader.local.part_seconds
        indices = self.selector.candidates(reader.index, list(sampled), part_seconds)
        # Only another question comes back to the same video.
        seen = self.seen.of(content_key(reader)) if self.selector.reads_question else []
        cost, start = SelectionCost(), perf_counter()
        while True:
            candidates = candidates_of(reader, indices, seen, also)
            candidates.cost = cost
            try:
                with _timed_alone(reader.run):
                    choice = self.selector.select(candidates, count, question)
                break
            except FramesLostError as lost:
                indices = lost.readable
        self.seen.trim()
        for line in candidates.warnings:
            reader.run.warn(line)
        return SelectedFrames(
            choice=choice,
            indices=[candidates.positions[place] for place in choice.indices],
            candidates=candidates,
            report=_report(self.selector, candidates, choice, question, perf_counter() - start),
        )


@contextmanager
def _timed_alone(run: Run) -> Iterator[None]:
    """Adds to the stage `select` what is spent within, less what other stages take of it."""
    start, before = perf_counter(), dict(run.seconds)
    try:
        yield
    finally:
        grown = {name: run.seconds[name] - before.get(name, 0.0) for name in run.seconds}
        # Decoding that runs ahead overlaps with the rest; then `wait` is what it costs.
        inner = [grown.get("encode", 0.0), grown.get("wait", 0.0) or grown.get("decode", 0.0)]
        alone = max(0.0, perf_counter() - start - sum(inner))
        run.seconds["select"] = run.seconds.get("select", 0.0) + alone


def _report(
    selector: Selector,
    candidates: ReaderCandidates,
    choice: Selection,
    question: str | None,
    seconds: float,
) -> SelectionReport:
    times = candidates.pts_seconds.tolist()
    return SelectionReport(
        selector=selector.spec,
        question=question if selector.reads_question else None,
        candidate_seconds=times,
        curve=None if choice.curve is None else list(choice.curve),
        picked=list(choice.indices),
        scores=list(choice.scores),
        reasons=list(choice.reasons),
        ranks=None if choice.ranks is None else list(choice.ranks),
        frames_decoded=candidates.cost.frames_decoded,
        frames_encoded=candidates.cost.frames_encoded,
        calls=candidates.cost.calls,
        seconds=seconds,
    )
