"""Scores frames by what is said or written near them: subtitles against the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from framesift.errors import MissingSignalError
from framesift.scorers._near_text import passed_on
from framesift.scorers._sentences import sentence_search
from framesift.scorers._word_search import word_search
from framesift.scorers._words import Word, telling_words
from framesift.scorers.base import Scorer, Scores
from framesift.scorers.candidates import Candidates
from framesift.types.options import NotNegative, Reaches

MOST_WORDS: Final = 3
"""Words that a reason names."""


@dataclass(frozen=True, kw_only=True)
class Text(Scorer):
    """BM25 of the question's words in the subtitles near each frame, or their likeness by a model.

    Words are compared as they are and by parts of four letters, those of scripts without spaces by
    pairs of characters; common words of the question's language do not count. Text that is there
    all the time weighs little, since it tells no frame from the others. Text read off the screen
    counts as any other, given as subtitles.
    """

    summary: ClassVar[str] = "subtitles near the frame against the question, by their words"

    reach_seconds: NotNegative = 4.0
    """Distance in time from which a line no longer counts; nearer ones count the more."""
    model: Annotated[str | None, Reaches()] = None
    """Hub id or local folder of a text encoder of transformers, which compares meanings instead of
    words, such as intfloat/multilingual-e5-small; its states are averaged over the tokens."""
    device: str | None = None
    """Where that model runs; None for the GPU where there is one, else the CPU."""

    def rate(self, candidates: Candidates, question: str, places: Sequence[int]) -> Scores:
        """Returns how much of the question the text near each frame has.

        Raises:
            MissingSignalError: the readers of text find nothing in the video.
        """
        lines = tuple(line for line in candidates.texts if line.text.strip())
        if not lines:
            raise MissingSignalError(
                "scorer 'text' compares the question with the text of the video, and what reads "
                "it, as text= says, finds none; name another reader, such as text='screen', put "
                "subtitles beside the video, or take a scorer that looks at pictures",
                to_caller="scorer 'text' compares the question with the text of the video, and "
                "none was found; take a selector that looks at pictures, such as 'keyframes', or "
                "have the text read by 'screen' where that may be said",
            )
        times = candidates.pts_seconds.double()
        if self.model is None:
            asked = telling_words(question)
            found = word_search(lines, times).weights(asked)
        else:
            asked = []
            found = sentence_search(self.model, self.device, lines, times).weights(question)[None]
        near = passed_on(found, times, self.reach_seconds)[:, list(places)]
        values = near.sum(0).mul(1e6).round().div(1e6).float()
        if self.model is None:
            reasons = [_reason(asked, weights) for weights in near.T.tolist()]
        else:
            reasons = [
                f"text near it is {value:.2f} like the question" for value in values.tolist()
            ]
        return Scores(values=values, reasons=tuple(reasons))


def _reason(asked: Sequence[Word], weights: Sequence[float]) -> str:
    """Returns which words of the question are near a frame, those with most weight first."""
    order = sorted(range(len(asked)), key=lambda number: -weights[number])
    near = [repr(asked[number].text) for number in order if weights[number] > 0]
    if not near:
        return "no word of the question is near it"
    return f"text near it has {', '.join(near[:MOST_WORDS])} of the question"
