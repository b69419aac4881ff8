"""Finds where a query is said or written in a video: by its words, or by what they mean.

Each line is rated against the query, then lines are laid on the clock. A stretch begins where most
of the query comes together, and lasts as long as half of that is there. What has just come weighs
twice what stays, so that a title that stands on the screen all the time is found where it first
stands, and an answer and not the question that stood there before. Words in lines one after the
other count together.

Something is found where enough of the query is there. By words this is the share of the query's
words, rare ones weighing more and those that the video lacks most. By a model it is how far a
passage is closer to the query than to a question that looks for nothing in particular.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import torch

from framesift.scorers._line_clock import REACH_SECONDS, LineClock, RatedLines
from framesift.scorers._line_clock import TextMatch as TextMatch
from framesift.scorers._sentences import embedded_texts
from framesift.scorers._word_search import WordSearch, terms_of
from framesift.scorers._words import Word, telling_words
from framesift.types.paragraphs import paragraphs
from framesift.types.video import TimedText

NEUTRAL: Final = "What is shown?"
"""A question that looks for nothing in particular."""
LEAST_WORDS: Final = 0.5
"""Share of the query's words, by their weights, that are together where it is found."""
LEAST_LIKE: Final = 0.3
"""How much closer a passage is to the query than to the neutral question where it is found, as a
part of how much closer it could be. By all-MiniLM-L6-v2, on a screen recording, fifteen of sixteen
questions about it reach 0.39 to 0.98, and sixteen about other things at most 0.22."""
PIECES: Final = 0.5
"""Part of a word's pieces that make a line have it: `gloves` is in a line with `glove`."""
PASSAGE: Final = 200
"""Letters of a passage of spoken lines that a model reads as one."""
SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])")
MOST_SHOWN: Final = 3
"""Words that a reason names."""


def text_matches(
    lines: Sequence[TimedText],
    query: str,
    count: int,
    *,
    model: str | None = None,
    device: str | None = None,
    least_words: float = LEAST_WORDS,
) -> list[TextMatch]:
    """Returns up to `count` stretches whose text a query points at, the strongest first.

    Args:
        lines: of one video, in time order.
        query: a question, or words for what is looked for.
        count: most stretches.
        model: hub id or local folder of a text encoder that compares meanings; None for words.
        device: where that model runs; None for the GPU where there is one, else the CPU.
        least_words: share of the query's words, by their weights, that are together where it is
            found; with 0 any word is enough.

    Raises:
        MissingDependencyError: words are searched, and bm25s is not installed.
        ModelError: no such checkpoint, or it is not a text encoder.
    """
    whole = [line for line in paragraphs(lines) if line.text.strip()]
    if not whole:
        return []
    if model is None:
        rated = _by_words(whole, query, least_words)
    else:
        whole = list(_passages(whole))
        rated = _by_meaning(whole, query, model, device)
    return LineClock.of(whole, rated).matches(count)


def _by_words(lines: Sequence[TimedText], query: str, least: float) -> RatedLines:
    asked = telling_words(query)
    number: dict[str, int] = {}
    places = torch.tensor([number.setdefault(line.text, len(number)) for line in lines])
    texts = [terms_of(text) for text in number]
    # A button is no better than a sentence for being short.
    weights = WordSearch.of(texts, by_length=False).weights(asked)[:, places]
    sets = list(map(set, texts))
    present = torch.tensor(
        [[_has(text, word) for text in sets] for word in asked], dtype=torch.float64
    ).view(len(asked), len(sets))
    having = (present > 0).sum(1).double()
    rarity = torch.log1p((len(sets) - having + 0.5) / (having + 0.5))
    return RatedLines(
        weights=weights * (present[:, places] > 0),
        present=present[:, places],
        needed=rarity / rarity.sum().clamp_min(1e-12),
        least=least,
        reason=lambda weights: _words_reason(asked, weights),
    )


def _has(text: set[str], word: Word) -> float:
    """Returns 1 for a text with a word, else the share of its pieces, if that is enough."""
    if word.text in text:
        return 1.0
    share = sum(piece in text for piece in word.pieces) / max(1, len(word.pieces))
    return share if share >= PIECES else 0.0


def _words_reason(asked: Sequence[Word], weights: Sequence[float]) -> str:
    order = sorted(range(len(asked)), key=lambda number: -weights[number])
    there = [repr(asked[number].text) for number in order if weights[number] > 0]
    return f"the text has {', '.join(there[:MOST_SHOWN])} of the query"


def _by_meaning(
    lines: Sequence[TimedText], query: str, model: str, device: str | None
) -> RatedLines:
    parts = [_parts(line.text) for line in lines]
    number: dict[str, int] = {}
    places = [[number.setdefault(part, len(number)) for part in each] for each in parts]
    loaded, embedded = embedded_texts(model, device, tuple(number))
    asked, neutral = (embedded @ loaded.embedded([query, NEUTRAL]).T).double().T
    gains = ((asked - neutral) / (1 - neutral).clamp_min(1e-3)).clamp_min(0)
    best = torch.stack([gains[each].max() for each in places])[None]
    return RatedLines(
        weights=best,
        present=best,
        needed=torch.ones(1, dtype=torch.float64),
        least=LEAST_LIKE,
        reason=lambda weights: f"the text is {weights[0]:.2f} like the query",
    )


def _parts(text: str) -> list[str]:
    """Returns a text and its sentences, of which one alone may be what is looked for."""
    sentences = SENTENCE_END.split(text)
    return [text] if len(sentences) == 1 else [text, *filter(str.strip, sentences)]


def _passages(lines: Sequence[TimedText]) -> Iterator[TimedText]:
    """Yields lines, those that are spoken one after the other as one: models read sentences."""
    spoken: list[TimedText] = []
    for line in lines:
        if line.box is not None or line.again_seconds:
            yield line
            continue
        long = sum(len(each.text) for each in spoken) >= PASSAGE
        if spoken and (long or line.start_seconds - spoken[-1].end_seconds > REACH_SECONDS):
            yield _spoken(spoken)
            spoken = []
        spoken.append(line)
    if spoken:
        yield _spoken(spoken)


def _spoken(lines: Sequence[TimedText]) -> TimedText:
    return TimedText(
        start_seconds=lines[0].start_seconds,
        end_seconds=max(line.end_seconds for line in lines),
        text=" ".join(line.text for line in lines),
        source=lines[0].source,
    )
