"""Questions about synthetic videos as people write them: templates times rules, for training.

A template gives whole questions, clauses or nouns, which rules make polite, indirect, short or an
order. Then some lose their capitals or their mark at the end, or gain a typing error.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Final

from framesift.synthetic.more_ways_to_ask import MORE
from framesift.synthetic.paraphrases import PARAPHRASES, pattern_of, rephrased
from framesift.synthetic.stray_words import strayed
from framesift.synthetic.ways_of_doubt import DOUBTS
from framesift.synthetic.ways_to_ask import WAYS
from framesift.synthetic.wording_grammar import Ways, spread

KNOWN: Final[dict[str, Ways]] = {
    **{
        pattern: replace(ways, direct=ways.direct + MORE.get(pattern, ()))
        for pattern, ways in WAYS.items()
    },
    **DOUBTS,
}
"""Ways to ask by the pattern of the question."""
AROUND: Final = (
    *["%s?"] * 30,
    "in this video, %s?",
    "in the clip, %s?",
    "in the video, %s?",
    "%s, please?",
    "hey, %s?",
    "okay, %s?",
    "and %s?",
    "now, %s?",
    "question: %s?",
    "please answer: %s?",
    "look at the video: %s?",
    "hi, %s?",
    "I am curious: %s?",
    "help me out: %s?",
    "can you check: %s?",
    "my question is: %s?",
    "for my notes: %s?",
    "tell me: %s?",
    "%s, do you think?",
    "%s, in your opinion?",
    "let us see, %s?",
    "sorry, %s?",
    "well, %s?",
    "one more thing: %s?",
    "quick question: %s?",
    "just wondering, %s?",
    "from what you see, %s?",
    "according to the video, %s?",
    "%s, can you tell?",
    "%s, if you know?",
)
"""What whole questions stand in; most stand alone."""
INDIRECT: Final = (
    "tell me %s.",
    "please tell me %s.",
    "can you tell me %s?",
    "could you tell me %s?",
    "could you please tell me %s?",
    "do you know %s?",
    "I want to know %s.",
    "I would like to know %s.",
    "I wonder %s.",
    "say %s.",
    "can you say %s?",
    "please find out %s.",
    "let me know %s.",
    "work out %s.",
    "can you work out %s?",
    "figure out %s.",
    "help me find out %s.",
    "guess %s.",
    "try to say %s.",
)
"""What clauses stand in."""
NAMED: Final = (
    "what is %s?",
    "what is %s?",
    "what was %s?",
    "tell me %s.",
    "please tell me %s.",
    "give me %s.",
    "name %s.",
    "can you tell me %s?",
    "could you give me %s?",
    "do you know %s?",
    "find %s.",
    "identify %s.",
    "determine %s.",
    "write down %s.",
    "what about %s?",
    "what would you call %s?",
    "any idea of %s?",
    "I need %s.",
    "%s?",
    "%s, please.",
)
"""What nouns stand in."""
AS_MEASURED: Final = 0.3
"""Share of the wordings that are those of `paraphrases`."""
LOWER, UNMARKED, SHORTENED, MISTYPED = 0.25, 0.25, 0.5, 0.06
"""Shares of wordings without capitals, without their mark, with "what's", with a typing error."""
SHORT_FORMS: Final = (("hat is ", "hat's "), ("here is ", "here's "))
STRAYED: Final = 0.35
"""Share of wordings in which words stray."""
FILLED, CLIPPED = 0.15, 0.06
"""Shares of wordings with a word that says nothing, and of those without their small words."""
FILLERS: Final = (
    "just", "actually", "exactly", "really", "then", "now", "again", "maybe", "um", "basically",
    "roughly", "please", "like", "quickly", "so", "even", "there", "here",
)  # fmt: skip
SMALL_WORDS: Final = (
    "a", "an", "the", "is", "was", "are", "were", "do", "does", "did", "can", "you", "i", "me",
    "it", "that", "this", "of", "in", "on", "to", "at", "with", "and", "there", "has", "have",
)  # fmt: skip
CLIPPING: Final = 0.6
"""Share of small words that a clipped wording lacks."""
LEAST_MISTYPED: Final = 4
"""Letters of the shortest word that is mistyped."""


def worded(question: str, rng: random.Random) -> str:
    """Returns a question of a synthetic video in one of many wordings, at random."""
    pattern, parts = pattern_of(question, KNOWN)
    if pattern not in KNOWN:
        return question
    if pattern in PARAPHRASES and rng.random() < AS_MEASURED:
        return rephrased(question, rng)
    frames, templates = rng.choices(*_forms(pattern))[0]
    ways = spread(rng.choice(templates))
    words = rng.choice(frames).replace("%s", rng.choice(ways)).format(**parts)
    if rng.random() < STRAYED:
        words = strayed(words, rng, small=SMALL_WORDS, kept=parts.values())
    return loosened(_sentence(words), rng, kept=" ".join(parts.values()))


def wordings(pattern: str) -> Iterator[str]:
    """Yields the wordings of a pattern with the names of its parts in braces, as they are drawn.

    Each comes once or more, before anything is left out or mistyped.
    """
    for frames, templates in _forms(pattern)[0]:
        for frame, template in product(dict.fromkeys(frames), templates):
            for way in spread(template):
                yield _sentence(frame.replace("%s", way))


def loosened(words: str, rng: random.Random, *, kept: str = "") -> str:
    """Returns a sentence as it may be typed in a hurry; the words in `kept` have no errors."""
    if rng.random() < SHORTENED:
        for long, short in SHORT_FORMS:
            words = words.replace(long, short, 1)
    names = kept.casefold().split()
    if rng.random() < CLIPPED:
        words = _clipped(words, rng, names)
    elif rng.random() < FILLED:
        words = _filled(words, rng, names)
    if rng.random() < MISTYPED:
        words = _mistyped(words, rng, names)
    if rng.random() < UNMARKED:
        words = words.rstrip("?.")
    if rng.random() < LOWER:
        words = words.lower()
        words = words.replace("what's", "whats") if rng.random() < SHORTENED else words
    return words


@cache
def _forms(pattern: str) -> tuple[list[tuple[tuple[str, ...], tuple[str, ...]]], list[float]]:
    """Returns frames with the templates that go into them, and how often each pair is drawn."""
    ways = KNOWN[pattern]
    forms = [(AROUND, ways.direct, 0.55), (INDIRECT, ways.clauses, 0.2), (NAMED, ways.nouns, 0.25)]
    some = [form for form in forms if form[1]]
    return [(frames, templates) for frames, templates, _ in some], [share for *_, share in some]


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]


def surrounded(words: str, rng: random.Random) -> str:
    """Returns a whole question, given without its mark, as one of `AROUND` has it."""
    return _sentence(rng.choice(AROUND).replace("%s", words))


def _clipped(words: str, rng: random.Random, kept: list[str]) -> str:
    """Returns a sentence as in a telegram."""
    return " ".join(
        word
        for word in words.split(" ")
        if _bare(word) in kept or word.casefold() not in SMALL_WORDS or rng.random() >= CLIPPING
    )


def _filled(words: str, rng: random.Random, kept: list[str]) -> str:
    """Returns a sentence with a word that says nothing, not within a name."""
    split = words.split(" ")
    places = [
        place
        for place in range(1, len(split))
        if not (_bare(split[place - 1]) in kept and _bare(split[place]) in kept)
    ]
    if places:
        split.insert(rng.choice(places), rng.choice(FILLERS))
    return " ".join(split)


def _mistyped(words: str, rng: random.Random, kept: list[str]) -> str:
    """Returns a sentence with one letter left out, doubled, or in its neighbour's place."""
    split = words.split(" ")
    places = [
        place
        for place, word in enumerate(split)
        if len(word) >= LEAST_MISTYPED and word.isalpha() and _bare(word) not in kept
    ]
    if not places:
        return words
    place = rng.choice(places)
    word, at = split[place], rng.randrange(1, len(split[place]) - 1)
    split[place] = rng.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ]
    )
    return " ".join(split)


def _bare(word: str) -> str:
    """Returns a word without its marks and capitals."""
    return word.strip("?.,:").casefold()
