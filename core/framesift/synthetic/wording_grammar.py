"""Templates of wordings: what they are made of, and what they stand for.

In a template `[a|b|]` stands for one of its parts, `<name>` for a list of words in `WORDS`, and
`{name}` for what the question names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Ways:
    """Templates of one question by their grammar."""

    direct: tuple[str, ...]
    """Whole questions, without the mark at their end."""
    clauses: tuple[str, ...] = ()
    """What follows "tell me"."""
    nouns: tuple[str, ...] = ()
    """What follows "what is"."""


WORDS: Final = {
    "what": "[what|which]",
    "color": "[color|colour]",
    "shows": "[flashes|is shown|appears|shows up|comes up|is displayed|is visible|can be seen]",
    "show": "[flash|appear|show up|come up|are shown|are displayed|are visible|can be seen]",
    "video": "[| in the video| in this video| in the clip| on screen]",
    "there": "[| there| here| in total| altogether]",
    "view": "[landscape|scene|scenery|place]",
    "views": "[landscapes|scenes|places]",
    "ends": "[at the {end}|in the {end}]",
    "way": "[which way|in which direction|where]",
    "first": "[at the beginning|at first|at the start]",
    "act": "[do|do here|do in the video|do in this clip]",
}


@cache
def spread(template: str) -> tuple[str, ...]:
    """Returns all that a template stands for, in its order."""
    for name, words in WORDS.items():
        template = template.replace(f"<{name}>", words)
    return tuple(dict.fromkeys(" ".join(way.split()) for way in _chosen(template)))


def _chosen(template: str) -> list[str]:
    end = template.find("]")
    if end < 0:
        return [template]
    start = template.rindex("[", 0, end)
    parts = template[start + 1 : end].split("|")
    return [way for part in parts for way in _chosen(template[:start] + part + template[end + 1 :])]
