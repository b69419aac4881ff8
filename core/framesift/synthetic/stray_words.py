"""Sentences in which words stray that a model has never to know, so that it reads what it knows.

A model that sees templates alone learns their every word, and is lost where one is another.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from typing import Final

STRAY: Final = (
    "able", "about", "above", "across", "again", "along", "almost", "already", "also",
    "although", "always", "among", "another", "apart", "around", "ask", "aside", "away", "back",
    "bad", "barely", "because", "become", "been", "begin", "being", "below", "best", "better",
    "big", "bit", "both", "bring", "brought", "busy", "but", "by", "call", "came", "care",
    "case", "catch", "certain", "clear", "clearly", "close", "cold", "come", "common", "could",
    "course", "dear", "deal", "deep", "different", "done", "down", "during", "each", "early",
    "easy", "either", "else", "enough", "entire", "even", "every", "everyone", "everything",
    "fact", "fair", "family", "far", "fast", "feel", "felt", "few", "find", "fine", "for",
    "found", "free", "friend", "from", "full", "fun", "gave", "general", "get", "give", "glad",
    "go", "goes", "going", "gone", "good", "got", "great", "guess", "had", "half", "happen",
    "happy", "hard", "has", "have", "he", "hear", "heard", "hello", "help", "her", "high",
    "him", "his", "hold", "home", "hope", "hour", "house", "however", "idea", "if", "inside",
    "into", "its", "job", "join", "keep", "kept", "kind", "knew", "known", "large", "late",
    "later", "lately", "learn", "least", "let", "life", "likely", "line", "list", "little",
    "live", "long", "look", "lot", "low", "made", "main", "make", "matter", "may", "mean",
    "meant", "meet", "might", "mind", "minute", "mine", "moment", "more", "most", "much",
    "must", "my", "near", "nearly", "need", "new", "next", "nice", "often", "old", "on", "once",
    "only", "open", "or", "other", "our", "out", "over", "own", "pay", "people", "perhaps",
    "person", "place", "plain", "play", "possible", "pretty", "put", "quite", "ran", "rather",
    "read", "ready", "real", "reason", "rest", "said", "same", "sat", "saw", "say", "seem",
    "seems", "sent", "set", "she", "should", "side", "since", "sit", "small", "some", "someone",
    "something", "soon", "sort", "stand", "start", "stay", "still", "stop", "story", "such",
    "sure", "take", "taken", "talk", "than", "thanks", "their", "them", "these", "they",
    "thing", "think", "those", "thought", "through", "thus", "time", "today", "together",
    "told", "too", "took", "toward", "true", "try", "turn", "under", "until", "up", "us", "use",
    "used", "usual", "very", "view", "wait", "walk", "want", "was", "watch", "way", "we",
    "well", "went", "were", "while", "whole", "will", "wish", "with", "within", "wonder",
    "word", "work", "world", "would", "year", "yet", "you", "your",
)  # fmt: skip
"""Common words, without those that a question about a synthetic video hangs on."""
MARK: Final = "\x00"
SWAPPED, ADDED, LOST = 0.3, 0.12, 0.05
"""Shares of small words that become another word, of gaps with one more, and of others left out."""


def strayed(
    words: str, rng: random.Random, *, small: Collection[str], kept: Collection[str]
) -> str:
    """Returns a sentence with stray words.

    Args:
        words: the sentence.
        rng: chooses them.
        small: words that may become others.
        kept: what is left as it is, such as the names of things.
    """
    found: list[str] = []
    names = {f"{MARK}{place}{MARK}": name for place, name in enumerate(kept)}
    for mark, name in names.items():
        words = words.replace(name, mark)
    for word in words.split():
        bare = word.strip("?.,:").casefold()
        if found and rng.random() < ADDED:
            found.append(rng.choice(STRAY))
        if MARK in word:
            found.append(word)
        elif bare in small:
            found.append(rng.choice(STRAY) if rng.random() < SWAPPED else word)
        elif rng.random() >= LOST:
            found.append(word)
    words = " ".join(found) or words
    for mark, name in names.items():
        words = words.replace(mark, name)
    return words
