"""What is said and what stands on the screen in each stretch of a video, as a caption has it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from framesift.types.paragraphs import paragraphs
from framesift.types.video import TimedText

LEAST_SECONDS: Final = 0.5
"""How long a line must stand in a stretch to belong to it; half of what is shorter."""


def texts_between(lines: Sequence[TimedText], edges: Sequence[float]) -> list[tuple[str, str]]:
    """Returns what is said, and what the screen shows, between each two edges.

    A spoken line belongs where its middle is, one on the screen wherever it stands. What stands
    there in more than half of the stretches tells none from the others, so that it is named in the
    first of them alone, as a person would who writes one caption after the other.

    Args:
        lines: of one video, in time order.
        edges: seconds `(S + 1,)`, ascending; the first and the last may be infinite.
    """
    said: list[list[TimedText]] = [[] for _ in edges[1:]]
    shown: list[list[TimedText]] = [[] for _ in edges[1:]]
    for line in lines:
        if line.box is None:
            place = bisect_right(edges, (line.start_seconds + line.end_seconds) / 2) - 1
            if 0 <= place < len(said):
                said[place].append(line)
    for line in paragraphs(line for line in lines if line.box is not None):
        places = _standing(line, edges)
        most = len(places) > len(shown) / 2
        for place in places[: 1 if most else None]:
            shown[place].append(line)
    return [said_and_shown([*a, *b]) for a, b in zip(said, shown, strict=True)]


def said_and_shown(lines: Iterable[TimedText]) -> tuple[str, str]:
    """Returns what is said in one line, and each different paragraph of the screen in its own.

    Args:
        lines: of one stretch; those with a box stand on the screen.
    """
    lines = list(lines)
    said = " ".join(line.text for line in lines if line.box is None)
    shown = paragraphs(line for line in lines if line.box is not None)
    texts: dict[str, str] = {}
    for line in shown:
        texts.setdefault(line.text.casefold(), line.text)
    return said, "\n".join(texts.values())


def _standing(line: TimedText, edges: Sequence[float]) -> list[int]:
    """Returns the stretches in which a line stands, those that it only touches left out."""
    places: dict[int, None] = {}
    for start, end in line.stretches:
        first = max(0, bisect_right(edges, start) - 1)
        last = min(len(edges) - 2, max(first, bisect_left(edges, end) - 1))
        for place in range(first, last + 1):
            shared = min(end, edges[place + 1]) - max(start, edges[place])
            if shared >= min(LEAST_SECONDS, (end - start) / 2, _length(edges, place) / 2):
                places[place] = None
    return list(places)


def _length(edges: Sequence[float], place: int) -> float:
    return edges[place + 1] - edges[place]
