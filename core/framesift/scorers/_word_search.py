"""How much each of several texts has of each word of a question, by BM25."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import torch
from torch import Tensor

from framesift.registry import require
from framesift.scorers._near_text import lines_of_each
from framesift.scorers._words import Word, words
from framesift.types.video import TimedText


@dataclass(frozen=True, slots=True)
class WordSearch:
    """An index of texts, each given as the terms of its words."""

    index: Any
    known: frozenset[str]
    count: int

    @classmethod
    def of(cls, texts: Sequence[Sequence[str]], *, by_length: bool = True) -> Self:
        """Returns the index of texts.

        Args:
            texts: terms of each.
            by_length: whether a word weighs more in a short text than in a long one.
        """
        bm25 = require("bm25s", extra="select").BM25
        # It asks for all of its lines, which then stand between those of every program that logs.
        logging.getLogger("bm25s").setLevel(logging.WARNING)
        search = bm25(method="lucene", dtype="float64", b=0.75 if by_length else 0.0)
        known = frozenset(term for text in texts for term in text)
        if known:
            search.index(list(map(list, texts)), show_progress=False)
        return cls(index=search, known=known, count=len(texts))

    def weights(self, asked: Sequence[Word]) -> Tensor:
        """Returns the BM25 weight of each word in each text, float64 `(W, T)`.

        Half of it is that of the word itself, half of it the mean of its pieces, if it has any.
        """
        weights = torch.zeros(len(asked), self.count, dtype=torch.float64)
        for number, word in enumerate(asked):
            weights[number] = self._weight(word)
        return weights

    def _weight(self, word: Word) -> Tensor:
        own = self._term(word.text)
        if not word.pieces:
            return own
        return (own + sum(map(self._term, word.pieces)) / len(word.pieces)) / 2

    def _term(self, term: str) -> Tensor:
        if term not in self.known:
            return torch.zeros(self.count, dtype=torch.float64)
        return torch.from_numpy(self.index.get_scores([term])).double()


def word_search(lines: tuple[TimedText, ...], pts_seconds: Tensor) -> WordSearch:
    """Returns the index of the lines near each candidate, which the next question reuses.

    What is searched are candidates, not lines: text that stays on the screen all the time, or is
    said again and again, tells no candidate from the others, and its words weigh little.
    """
    return _indexed(lines, tuple(pts_seconds.tolist()))


def terms_of(text: str) -> list[str]:
    """Returns the words of a text and their pieces."""
    return [term for word in words(text) for term in word.terms]


@lru_cache(maxsize=4)
def _indexed(lines: tuple[TimedText, ...], seconds: tuple[float, ...]) -> WordSearch:
    terms = [terms_of(line.text) for line in lines]
    near = lines_of_each(torch.tensor(seconds, dtype=torch.float64), lines)
    return WordSearch.of(
        [[term for number in numbers for term in terms[number]] for numbers in near]
    )
