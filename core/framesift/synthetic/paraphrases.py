"""Paraphrases of the questions in a synthetic video's truth.

These few are what models are measured with; `wordings` has the many that training draws from.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable

from framesift.types.clock import clock

TITLES = ("Video", "A room", "Shapes in motion", "A quiet room", "A number flashes in a still room")
TITLED = 0.3
"""Share of lines beside pictures that begin with a title."""
PARAPHRASES: dict[str, tuple[str, ...]] = {
    r"What number flashes in the video\?": (
        "What number flashes?",
        "Which number is shown?",
        "Which number flashes in the video?",
        "What number is shown in the video?",
        "Which number appears?",
        "What is the number?",
        "Read the number that flashes.",
        "Tell me the number that appears in the video.",
    ),
    r"In which half of the picture does the number flash, left or right\?": (
        "Does the number flash on the left or on the right?",
        "On which side is the number, left or right?",
        "Is the number in the left or the right half?",
        "Where does the number flash, left or right?",
    ),
    r"What color is the card with the number\?": (
        "What is the color of the card with the number?",
        "Which color does the card with the number have?",
        "What colour is the card?",
        "What color is the number's card?",
    ),
    r"Which number is on the (?P<color>\w+) card\?": (
        "What number is on the {color} card?",
        "Read the number on the {color} card.",
        "What does the {color} card say?",
        "Which number does the {color} card show?",
    ),
    r"What is the (?P<end>first|last) number that flashes\?": (
        "Which number flashes {end}?",
        "What number is shown {end}?",
        "What is the {end} number?",
        "Which number comes {end}?",
    ),
    r"How many numbers flash in the video\?": (
        "How many numbers are shown?",
        "How many numbers appear in the video?",
        "How many numbers flash?",
        "Count the numbers.",
    ),
    r"Which way does the (?P<thing>\w+ \w+) move\?": (
        "In which direction does the {thing} move?",
        "Where does the {thing} go?",
        "Which direction does the {thing} take?",
        "Does the {thing} move left, right, up or down?",
        "Where is the {thing} moving?",
    ),
    r"What color is the (?P<shape>\w+)\?": (
        "What is the color of the {shape}?",
        "Which color does the {shape} have?",
        "What colour is the {shape}?",
        "Tell me the color of the {shape}.",
    ),
    r"What color is the (?P<shape>\w+) at the beginning\?": (
        "Which color does the {shape} have at the beginning?",
        "What colour is the {shape} at the beginning?",
        "What is the color of the {shape} at the beginning?",
    ),
    r"What changed in the video\?": (
        "What changed?",
        "What is different at the end of the video?",
        "What changes in the video?",
    ),
    r"Which shape changed\?": (
        "Which shape changes?",
        "Which of the shapes changed?",
        "Which shape is different at the end?",
    ),
    r"How many different shapes appear in the video\?": (
        "How many shapes are there?",
        "How many shapes appear?",
        "How many different shapes appear?",
        "How many different shapes are shown?",
        "Count the shapes in the video.",
    ),
    r"Is there (?P<thing>an? \w+ \w+) in the video\?": (
        "Does {thing} appear?",
        "Is there {thing}?",
        "Can you see {thing}?",
        "Do you see {thing} in the video?",
    ),
    r"Does anything move in the video\?": (
        "Does anything move?",
        "Is anything moving?",
        "Does something move in the video?",
        "Is there any motion in the video?",
    ),
    r"What does the (?P<shape>\w+) do\?": (
        "What happens to the {shape}?",
        "What is the {shape} doing?",
        "What does the {shape} do in the video?",
    ),
    r"What happens first: (?P<one>.+), or (?P<other>.+)\?": (
        "What happens first, {one} or {other}?",
        "What comes first: {one}, or {other}?",
        "Which happens earlier: {one} or {other}?",
    ),
    r"Which shape is seen last\?": (
        "What is the last shape?",
        "Which shape appears last?",
        "Which shape comes last?",
    ),
    r"How many different landscapes are shown\?": (
        "How many landscapes are there?",
        "How many landscapes are shown?",
        "Count the landscapes.",
    ),
    r"Which landscape is shown (?P<end>first|last)\?": (
        "What is the {end} landscape?",
        "Which landscape comes {end}?",
        "What landscape do you see {end}?",
    ),
    r"Which landscape comes right after the (?P<name>.+)\?": (
        "What comes right after the {name}?",
        "Which landscape follows the {name}?",
        "What is shown after the {name}?",
    ),
    r"What is the text in the corner\?": (
        "What does the text in the corner say?",
        "Read the text in the corner.",
        "Which code is in the corner?",
        "What is written in the corner?",
    ),
    r"What does the sign on the wall say at the (?P<end>beginning|end)\?": (
        "What does the sign say at the {end}?",
        "What is on the sign at the {end}?",
        "Read the sign at the {end} of the video.",
    ),
}
"""Ways to ask, by the pattern of the question as the truth has it, which counts as one more."""


def pattern_of(question: str, patterns: Iterable[str] = PARAPHRASES) -> tuple[str, dict[str, str]]:
    """Returns a question's pattern and its named parts; the question itself if it has none."""
    for pattern in patterns:
        if match := re.fullmatch(pattern, question):
            return pattern, match.groupdict()
    return question, {}


def phrasings(question: str) -> list[str]:
    """Returns the question and its paraphrases; the question alone if it has none."""
    pattern, parts = pattern_of(question)
    return [question, *(way.format(**parts) for way in PARAPHRASES.get(pattern, ()))]


def rephrased(question: str, rng: random.Random) -> str:
    """Returns one of the ways to ask, at random."""
    return rng.choice(phrasings(question))


def beside_text(question: str, rng: random.Random) -> str:
    """Returns a question behind lines with times, as frameworks write them beside pictures."""
    times = sorted(rng.uniform(0.0, 40.0) for _ in range(rng.randint(1, 6)))
    if rng.random() < TITLED:
        lines = [f"{rng.choice(TITLES)}, {clock(time)} - {clock(time + 1.0)}" for time in times]
    else:
        lines = [f"[{clock(time)}]" for time in times]
    return "\n".join([*lines, question])
