"""Finds moments by what is said and written in a video, and by its pictures where words do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from framesift.answering.search import nothing_like
from framesift.compression.asking import Asking
from framesift.compression.moments import MomentFinder, facts_at
from framesift.compression.opening import FrameReader, Opener, Video
from framesift.compression.segment_texts import said_and_shown
from framesift.decoders.sampling import at_times, covered
from framesift.errors import (
    BudgetError,
    DecodeError,
    InvalidOptionError,
    MissingDependencyError,
    SourceError,
)
from framesift.readers.base import Reader
from framesift.run import Run
from framesift.scorers.text_search import TextMatch, text_matches
from framesift.types.answer import EvidenceKind, Segment
from framesift.types.compressed import CompressedVideo
from framesift.types.moment import Moment
from framesift.types.options import shown, side_px, whole
from framesift.types.question import check_question
from framesift.types.text import shown_address
from framesift.types.video import LocalVideo

NO_TEXT: Final = (
    "{} has no text that {} finds, and this VideoCompressor has no vlm that looks at its pictures; "
    "pass text='screen' to read the screen, text='speech' to hear what is said, or vlm='tiny'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Looks for a query in a video: first in its text, then in its pictures."""

    asking: Asking
    opener: Opener
    moments: MomentFinder

    def find(
        self,
        video: Video,
        query: str,
        count: int,
        evidence: EvidenceKind,
        embedding: str | None,
        max_side_px: int | None,
        run: Run,
    ) -> list[Moment]:
        """Returns up to `count` moments that a query points at; the video is fetched once."""
        count, max_side_px = _checked(query, count, embedding, max_side_px)
        reads = evidence == "auto" and bool(self.opener.reading.readers)
        sees = self.asking.parts.vlm is not None
        if not reads and not sees:
            _ = self.asking.parts.answering_vlm  # says what is missing
        with self._opened(video, run) as local:
            segments: list[Segment] = []
            if reads:
                with self._lacking(local, run) if sees else nullcontext():
                    segments = self._by_text(
                        local, query, count, embedding, run, must_look=not sees
                    )
            if sees and not segments:
                with self.asking.chat(local, query, "auto", run) as chat:
                    segments = chat.find(query, count, evidence=evidence, warn=run.warn)
            elif not segments:
                address = local.report.uri if isinstance(local, CompressedVideo) else local.uri
                run.warn(nothing_like([address], query))
            return self.moments.pictured(local, segments, max_side_px, run) if segments else []

    def by_text(
        self,
        video: Video,
        query: str,
        count: int,
        embedding: str | None,
        max_side_px: int | None,
        run: Run,
    ) -> list[Moment]:
        """Returns up to `count` moments whose text a query points at."""
        count, max_side_px = _checked(query, count, embedding, max_side_px)
        with self._opened(video, run) as local:
            segments = self._by_text(local, query, count, embedding, run, must_look=False)
            return self.moments.pictured(local, segments, max_side_px, run) if segments else []

    def _lacking(self, video: Video, run: Run) -> AbstractContextManager[None]:
        return text_may_lack(video, self.opener.reading.readers, run)

    @contextmanager
    def _opened(self, video: Video, run: Run) -> Iterator[LocalVideo | CompressedVideo]:
        if isinstance(video, CompressedVideo):
            yield video
        else:
            with self.opener.local(video, run) as local:
                yield local

    def _by_text(
        self,
        video: Video,
        query: str,
        count: int,
        embedding: str | None,
        run: Run,
        *,
        must_look: bool,
    ) -> list[Segment]:
        """Returns the stretches whose text a query points at.

        Raises:
            InvalidOptionError: `must_look`, and no reader looked at anything.
        """
        with self.opener.open(video, run) as reader:
            start, end = covered(reader.index.info, reader.local.part_seconds)
            lines, readers = reader.lines, self.opener.reading.readers
            if must_look and not lines and not any(each.is_costly for each in readers):
                names = " or ".join(each.spec for each in readers)
                address = shown_address(reader.local.uri)
                raise InvalidOptionError(NO_TEXT.format(repr(address), names))
            with run.timed("search"):
                found = text_matches(lines, query, count, model=embedding)
            return [_segment(reader, match, start, end) for match in found]


@contextmanager
def text_may_lack(video: Video, readers: Iterable[Reader], run: Run) -> Iterator[None]:
    """Goes on where the text of a video cannot be searched, and pictures can.

    So it is where no word search is installed, and with a compressed video whose file is gone.
    """
    try:
        yield
    except MissingDependencyError as error:
        run.warn(f"pictures alone were searched: {error}")
    except (SourceError, DecodeError) as error:
        if not isinstance(video, CompressedVideo):
            raise
        if any(reader.is_costly for reader in readers):  # somebody asked for it
            run.warn(f"pictures alone were searched, since the video cannot be opened: {error}")


def _checked(
    query: str, count: int, embedding: str | None, max_side_px: int | None
) -> tuple[int, int | None]:
    if embedding is not None and not (isinstance(embedding, str) and embedding.strip()):
        # As a path, no text at all is the folder that the program runs in.
        raise InvalidOptionError(
            f"embedding={shown(embedding)} names no text encoder; give a hub id or the path of a "
            "folder, or leave it out to compare words"
        )
    count = whole("count", count, "moment", error=BudgetError)
    max_side_px = side_px(max_side_px)
    check_question(query)
    return count, max_side_px


def _segment(reader: FrameReader, match: TextMatch, first: float, last: float) -> Segment:
    """Returns a match as it is shown to people, within the video's time."""
    start, end = (min(max(time, first), last) for time in (match.start_seconds, match.end_seconds))
    shown = at_times(reader.index, [min(max(match.best_seconds, start), end)])[0]
    keyframe = float(reader.index.pts_seconds[shown])
    text, screen_text = said_and_shown(match.lines)
    return Segment(
        uri=reader.local.uri,
        start_seconds=round(start, 3),
        end_seconds=round(end, 3),
        keyframe_seconds=round(keyframe, 3),
        text=text,
        screen_text=screen_text,
        reason=match.reason,
        score=round(match.score, 6),
        **facts_at(reader.local, max(keyframe, start)),
    )
