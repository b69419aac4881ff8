"""Which lines of videos go into a prompt beside the pictures: as many as their budget holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from framesift.answering.video_text import before_question, distinct, plain, written
from framesift.errors import MissingDependencyError
from framesift.types.answer import Answer
from framesift.types.video import TimedText
from framesift.vlms.base import VLM
from framesift.vlms.prompt import Turn

MAX_TEXT_TOKENS: Final = 512
"""Tokens that lines may take in a prompt, unless another number is given."""
STAMP_TOKENS: Final = 8
"""About how many tokens the times of a line take, before they are counted."""


class NearText(Protocol):
    """A stretch of a video whose text is like a question."""

    @property
    def start_seconds(self) -> float:
        """Where it begins."""

    @property
    def end_seconds(self) -> float:
        """Where it ends."""

    @property
    def lines(self) -> tuple[TimedText, ...]:
        """What in it is like the question."""


Search = Callable[[Sequence[TimedText], str], Sequence[NearText]]
"""Returns the stretches whose text is like a question, the strongest first."""
Place = tuple[int, int]
"""Number of a video, and of a line in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """The lines of one turn of a conversation."""

    text: str = ""
    """As they stand before the question."""
    tokens: int = 0
    """Columns of the prompt that they take."""
    places: frozenset[Place] = frozenset()
    """Which lines they are."""
    warnings: tuple[str, ...] = ()

    def noted(self, answer: Answer) -> Answer:
        """Returns an answer to the turn, whose usage and warnings tell of the lines too."""
        if not (self.tokens or self.warnings):
            return answer
        usage = answer.usage.model_copy(update={"text_tokens": self.tokens})
        warnings = [*answer.warnings, *self.warnings]
        return answer.model_copy(update={"usage": usage, "warnings": warnings})


@dataclass(frozen=True, kw_only=True)
class TextBeside:
    """What was read off the videos of a conversation, and how much of it a prompt may hold."""

    lines: tuple[tuple[TimedText, ...], ...]
    """Of each video, in time order."""
    max_tokens: int = MAX_TEXT_TOKENS
    """Most tokens that the lines for one question take, headings and times included."""
    search: Search | None = None
    """Finds the lines nearest to a question; without it, those at the beginning come first."""

    @classmethod
    def of(
        cls,
        texts: Iterable[Sequence[TimedText]],
        max_tokens: int,
        search: Search | None = None,
    ) -> TextBeside:
        """Returns the lines of each video, each text once."""
        return cls(lines=tuple(map(distinct, texts)), max_tokens=max_tokens, search=search)

    def for_question(
        self, vlm: VLM, question: str, shown: frozenset[Place] = frozenset()
    ) -> Beside:
        """Returns the lines for a question: all, or those nearest to it if that is too many.

        Args:
            vlm: what reads them; its tokenizer counts.
            question: what is asked.
            shown: lines that earlier turns of the conversation have, which need not come again.
        """
        places = [
            (video, number)
            for video, lines in enumerate(self.lines)
            for number in range(len(lines))
            if (video, number) not in shown
        ]
        alone = _columns(vlm, question)
        whole = self._beside(vlm, question, places, alone)
        if whole.tokens <= self.max_tokens:
            return whole
        warnings: list[str] = []
        ranked = self._ranked(question, places, warnings)
        kept = self._fitting(vlm, question, ranked)
        while (beside := self._beside(vlm, question, kept, alone)).tokens > self.max_tokens:
            kept = kept[:-1]
        holds = "those nearest to the question" if kept else "none, since each takes more"
        warnings.append(
            f"{len(places) - len(kept)} of {len(places)} lines were left out of the prompt, "
            f"which holds {holds}: all would take {whole.tokens} tokens, and "
            f"max_text_tokens={self.max_tokens}"
        )
        return Beside(
            text=beside.text, tokens=beside.tokens, places=beside.places, warnings=tuple(warnings)
        )

    def room_tokens(self, vlm: VLM) -> int:
        """Returns how many tokens lines take in a prompt at most."""
        places = [(v, number) for v, lines in enumerate(self.lines) for number in range(len(lines))]
        return min(self.max_tokens, self._beside(vlm, "?", places, _columns(vlm, "?")).tokens)

    def _beside(self, vlm: VLM, question: str, places: Sequence[Place], alone: int) -> Beside:
        """Returns some lines with the number of columns by which they make a prompt longer.

        Without lines it has `alone` of them.
        """
        text = before_question(self._written(frozenset(places)))
        if not text:
            return Beside()
        tokens = _columns(vlm, question, text) - alone
        return Beside(text=text, tokens=tokens, places=frozenset(places))

    def _written(self, places: frozenset[Place]) -> str:
        several = len(self.lines) > 1
        texts = [
            written(
                [line for number, line in enumerate(lines) if (video, number) in places],
                video=video + 1 if several else None,
            )
            for video, lines in enumerate(self.lines)
        ]
        return "\n\n".join(filter(None, texts))

    def _fitting(self, vlm: VLM, question: str, ranked: Sequence[Place]) -> list[Place]:
        """Returns lines in order of their rank that about fill the budget, long ones left out."""
        texts = [plain(self.lines[video][number].text) for video, number in ranked]
        counts = [len(ids) for ids in vlm.tokenizer(texts, add_special_tokens=False)["input_ids"]]
        room, kept = self.max_tokens, []
        stamps = set()
        for (video, number), count in zip(ranked, counts, strict=True):
            times = video, self.lines[video][number].stretches
            needed = count + 1 + (0 if times in stamps else STAMP_TOKENS)
            if needed <= room:
                kept.append((video, number))
                stamps.add(times)
                room -= needed
        return kept

    def _ranked(self, question: str, places: Sequence[Place], warnings: list[str]) -> list[Place]:
        """Returns lines, those first that are in or near the stretches most like the question."""
        matches: list[Sequence[NearText]] = []
        for lines in self.lines:
            try:
                found = self.search(lines, question) if self.search else ()
            except MissingDependencyError as error:
                found = ()
                if not warnings:
                    warnings.append(f"the first lines were taken, not the nearest: {error}")
            matches.append(found)
        ranks = {
            (video, number): _rank(self.lines[video][number], matches[video])
            for video, number in places
        }
        return sorted(places, key=lambda place: (*ranks[place], place))


def _columns(vlm: VLM, question: str, beside: str = "") -> int:
    return len(vlm.prompt([Turn(role="user", text=question, beside=beside)]).input_ids)


def _rank(line: TimedText, matches: Sequence[NearText]) -> tuple[int, bool, float]:
    """Returns the place of a line among all, as what sorts it: smaller is nearer to the question.

    It is the first match that the line stands in, whether the line is only beside what is like the
    question there, and how long it stands outside of it; else how far the nearest match is.
    """
    apart = []
    for rank, match in enumerate(matches):
        start, end = match.start_seconds, match.end_seconds
        shared = max(min(b, end) - max(a, start) for a, b in line.stretches)
        if shared > 0 or start <= line.start_seconds < end:
            text, lasts = plain(line.text), sum(b - a for a, b in line.stretches)
            beside = not any(text in plain(other.text) for other in match.lines)
            return rank, beside, max(0.0, lasts - max(shared, 0.0))
        apart.append(-shared)
    return len(matches), True, min(apart, default=0.0)
