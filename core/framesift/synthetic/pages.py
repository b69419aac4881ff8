"""Pages of text with questions that only who reads them can answer, for training.

A small vision LLM cannot read the pages of the scene `text`; it can learn to answer from lines that
a reader has read off them. Names are mostly made up, so that they must be copied and not known.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from framesift.synthetic.replies import NOT_SHOWN
from framesift.synthetic.scenes import LINES, OWNERS, TITLES
from framesift.synthetic.stray_words import STRAY
from framesift.synthetic.wording_grammar import spread
from framesift.synthetic.wordings import loosened
from framesift.types.video import WHOLE, TimedText

KNOWN_NAMES: Final = 0.3
"""Share of pages with the titles and owners of the scene `text`; the others have made-up ones."""
PLAIN_FIELDS: Final = 0.6
"""Share of pages that have owner and total, as the scene `text`; the others have other fields."""
MISREAD: Final = 0.1
"""Share of lines that nobody asks about which a reader has read with errors."""
WITH_CORNER: Final = 0.7
"""Share of pages with a text in the corner."""
NAMELESS: Final = 0.3
"""Share of questions about the only page that do not name it."""
OWNED: Final = 0.7
"""Share of questions for an owner that ask who owns the page."""
MISSING: Final = 0.08
"""Share of questions about a page that is not there."""
LETTERS: Final = (100, 200, 400)
"""About how long texts are."""
VOWELS, CONSONANTS = "aeiou", "bcdfghjklmnprstvwz"
KEYS: Final = (
    "Owner", "Total", "Price", "Date", "City", "Code", "Name", "Team", "Status", "Version", "Room",
    "Phone", "Author", "Number", "Country", "Manager", "Order", "User", "Model", "Size", "Result",
)  # fmt: skip
OWNER: Final = (
    "who owns the topic '{title}'",
    "who [is the owner of|owns|has] [the topic |the page |]'{title}'",
    "[whose topic|whose page] is '{title}'",
    "what is the [owner|name of the owner] of [the topic |]'{title}'",
    "[which|what] owner does [the topic |]'{title}' have",
    "to whom does [the topic |]'{title}' belong",
)
FIELD: Final = (
    "what is the {key} of the topic '{title}'",
    "what is the {key} of [|the page |the slide ]'{title}'",
    "[which|what] {key} does [the topic |the page |]'{title}' have",
    "[which|what] {key} is [written |given |]on the [page|slide] '{title}'",
    "the {key} of '{title}'",
    "what does the [slide|page] '{title}' say about the {key}",
)
ONLY: Final = ("what is the {key}", "[which|what] {key} [is given|is shown|do you see|does it say]")
CORNER: Final = (
    "what is the text in the lower right corner",
    "what [is written|do you read|does it say] in the [lower right |]corner",
    "[which|what] text [is|stands] in the lower right corner",
)
COUNT: Final = (
    "how many different slides are shown",
    "how many [different |][slides|pages] are there",
    "count the slides",
)
WHOLE_PAGE: Final = (
    "what does the [page|slide] '{title}' say",
    "read the [page|slide] '{title}'",
    "what [is written|do you read] on the [page|slide] '{title}'",
)
AFTER: Final = (
    "which slide comes right after '{title}'",
    "[which|what] [slide|page] [follows|comes after] '{title}'",
    "what is the title of the [slide|page] after '{title}'",
)
END: Final = (
    "which [slide|page] is shown {end}",
    "what is the [title of the |]{end} [slide|page]",
    "[which|what] [slide|page] comes {end}",
)


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Pages that follow one another, as a reader gives their text, and questions about them."""

    lines: tuple[TimedText, ...]
    questions: tuple[dict[str, Any], ...]


def pages(seconds: float, rng: random.Random) -> Pages:
    """Returns the pages of a video of some length, at random."""
    count = rng.choice((1, 2, 2, 3, 3, 4, 5))
    known = rng.random() < KNOWN_NAMES
    titles = rng.sample(TITLES, count) if known else _different(count, rng)
    keys = (
        ("Owner", "Total") if rng.random() < PLAIN_FIELDS else rng.sample(KEYS, rng.randint(1, 3))
    )
    corner = _corner(rng)
    ends = sorted(rng.uniform(0.0, seconds) for _ in range(count - 1))
    starts, room = [0.0, *ends], rng.choice(LETTERS)
    lines, facts, written = [], [], []
    for title, start, end in zip(titles, starts, [*ends, seconds], strict=True):
        values = {key: _value(key, known, rng) for key in keys}
        facts.append((title, values))
        mark = rng.choice((": ", ": ", ": ", ":", " "))
        own = [title, *(f"{key}{mark}{value}" for key, value in values.items())]
        written.append((title, own[1:]))
        room -= sum(map(len, own)) + 20
        for _ in range(rng.randint(0, 3)):
            other = other_line(rng)
            if len(other) < room:
                own.append(other)
                room -= len(other)
        lines += [on_screen(text, start, end) for text in own]
    if rng.random() < WITH_CORNER:
        lines.append(on_screen(corner, 0.0, seconds))
    else:
        corner = NOT_SHOWN
    return Pages(lines=tuple(lines), questions=tuple(_asked(facts, written, corner, rng)))


def on_screen(text: str, start_seconds: float, end_seconds: float) -> TimedText:
    """Returns a line as a reader of the screen gives it."""
    return TimedText(
        start_seconds=start_seconds, end_seconds=end_seconds, text=text, source="screen", box=WHOLE
    )


def _asked(
    facts: list[tuple[str, dict[str, str]]],
    written: list[tuple[str, list[str]]],
    corner: str,
    rng: random.Random,
) -> list[dict[str, Any]]:
    asked = []
    titles = [title for title, _ in facts]
    for title, values in facts:
        for key, value in values.items():
            called = rng.choice((key, key.lower()))
            if len(facts) == 1 and rng.random() < NAMELESS:
                asked.append(_question(ONLY, value, rng, key=called))
                continue
            answer, about = value, title
            if rng.random() < MISSING:
                about = rng.choice([name for name in (*TITLES, _word(rng)) if name not in titles])
                answer = NOT_SHOWN
            ways = OWNER if key == "Owner" and rng.random() < OWNED else FIELD
            asked.append(_question(ways, answer, rng, title=about, key=called))
    asked += [
        _question(WHOLE_PAGE, ", ".join(own), rng, title=title) for title, own in written if own
    ]
    asked.append(_question(CORNER, corner, rng))
    asked.append(_question(COUNT, str(len(facts)), rng))
    asked += [_question(AFTER, after, rng, title=before) for before, after in pairwise(titles)]
    if len(titles) > 1:
        end = rng.choice(("first", "last"))
        asked.append(_question(END, titles[0 if end == "first" else -1], rng, end=end))
    return asked


def _question(
    ways: tuple[str, ...], answer: str, rng: random.Random, **parts: str
) -> dict[str, Any]:
    words = rng.choice(spread(rng.choice(ways))).format(**parts)
    words = f"{words[0].upper()}{words[1:]}?"
    if rng.random() < 0.4:
        words = loosened(words, rng, kept=" ".join(parts.values()))
    return {"question": words, "answer": answer, "kind": "text"}


def _different(count: int, rng: random.Random) -> list[str]:
    names: list[str] = []
    while len(names) < count:
        name = _word(rng) if rng.random() < 0.7 else f"{_word(rng)} {_word(rng).lower()}"
        if name not in names:
            names.append(name)
    return names


def _word(rng: random.Random) -> str:
    """Returns a word with a capital, a common or a made-up one."""
    if rng.random() < 0.35:
        return rng.choice(STRAY).capitalize()
    letters = [
        rng.choice(CONSONANTS if (place + start) % 2 else VOWELS)
        if rng.random() < 0.85
        else rng.choice(VOWELS + CONSONANTS)
        for start in [rng.randrange(2)]
        for place in range(rng.randint(3, 7))
    ]
    return "".join(letters).capitalize()


def _value(key: str, known: bool, rng: random.Random) -> str:
    if key == "Owner":
        return rng.choice(OWNERS) if known else _word(rng)
    if key == "Total":
        return str(rng.randint(1000, 9999))
    return rng.choice(
        (_word(rng), str(rng.randint(10, 99999)), f"{_word(rng)} {_word(rng)}", _code(rng))
    )


def _corner(rng: random.Random) -> str:
    return (
        f"REF {rng.choice('ABCDEFHKMNPRTX')}{rng.randint(2, 9)}-{rng.randint(100, 999)}"
        if rng.random() < 0.6
        else _code(rng)
    )


def _code(rng: random.Random) -> str:
    """Returns a code of letters and digits."""
    letters = "".join(rng.choice("ABCDEFGHKLMNPRSTXYZ") for _ in range(rng.randint(1, 3)))
    return f"{letters}{rng.choice(('', '-', ' '))}{rng.randint(1, 999)}"


def other_line(rng: random.Random) -> str:
    """Returns a line that nobody asks about."""
    if rng.random() < 0.5:
        text = rng.choice(LINES)
    else:
        text = " ".join(rng.choice(STRAY) for _ in range(rng.randint(1, 6))).capitalize()
    if rng.random() < MISREAD:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice("lI1.,;") + text[place + 1 :]
    return text
