"""The scene of glimpses: small things, several at once, each seen for a second."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from framesift.synthetic.backdrops import room, texture
from framesift.synthetic.film import Box, Point
from framesift.synthetic.happenings import (
    ACTIONS,
    DARK,
    LETTERS,
    LIGHT,
    ink_on,
    shape_names,
    show_action,
    show_card,
    show_shape,
    within_cell,
)
from framesift.synthetic.pixels import COLORS
from framesift.synthetic.script import Script, Window

SHOWN_SECONDS = 1.0
"""How long still things are seen, which is in one frame of one a second."""
ACTING_SECONDS = 3.0
"""How long a shape is seen that does something, which tells from two or three frames."""
SHAPE_DIAMETER = 0.16
"""Of still shapes, as a part of the picture's height."""
ACTING, STILL = 2, 3
"""Moments in which one shape does something, and those in which all that is seen is still."""
INNER: Box = (0.2, 0.25, 0.8, 0.75)


def glimpses(script: Script) -> None:
    """Writes two or three numbers, two shapes, a code, and two more shapes that do something.

    All but the last two are seen at three moments, mostly several at once, in cells of their own.
    No fact follows from another one, so that each question needs a few tokens of its own.
    """
    rng = script.rng
    script.stage(partial(rng.choice([texture, room]), script.seed(), script.size_px))
    corner = rng.choice([(x, y) for x in (0.0, 2 / 3) for y in (0.0, 2 / 3)])
    cells = [(x / 3, y / 3) for x in range(3) for y in range(3) if (x / 3, y / 3) != corner]
    rng.shuffle(cells)
    acting, still = _moments(script)
    names = shape_names(rng, ACTING + 2)
    for window, name, action in zip(acting, names, rng.sample(ACTIONS, ACTING), strict=False):
        show_action(script, name, action, window, INNER)
    _show_code(script, rng.choice(still), corner)
    _show_numbers(script, _some(script, still, rng.randint(2, 3)), cells[2:])
    _show_shapes(script, names[ACTING:], _some(script, still, 2), cells[:2])


def _moments(script: Script) -> tuple[list[Window], list[Window]]:
    """Returns when shapes do something, and the other moments, each in the order of time."""
    rng, count = script.rng, ACTING + STILL
    places = rng.sample(range(count), ACTING)
    acting: list[Window] = []
    still: list[Window] = []
    for place, (start, end) in enumerate(script.parts(*[1] * count)):
        seconds, moments = (ACTING_SECONDS, acting) if place in places else (SHOWN_SECONDS, still)
        gap = rng.random() * max(0.0, 1 - seconds / (end - start))
        first, last = (place + gap) / count, (place + 1) / count
        moments.append(script.window(first, last, longest_seconds=seconds))
    return acting, still


def _some(script: Script, moments: Sequence[Window], count: int) -> list[Window]:
    """Returns so many of the moments, in the order of time."""
    return sorted(script.rng.sample(moments, count))


def _show_code(script: Script, window: Window, corner: Point) -> None:
    code = f"{script.rng.choice(LETTERS)}{script.rng.randint(2, 9)}"
    event = show_card(script, "code", code, (DARK, LIGHT), window, corner, text=code)
    script.ask("What is the text in the corner?", code, "text", event)


def _show_numbers(script: Script, windows: list[Window], cells: list[Point]) -> None:
    rng, seen = script.rng, []
    values = rng.sample(range(10, 100), len(windows))
    colors = rng.sample(list(COLORS), len(windows))
    for value, color, window, cell in zip(values, colors, windows, cells, strict=False):
        look, words = (COLORS[color], ink_on(color)), str(value)
        card = show_card(script, "number", words, look, window, cell, number=value, color=color)
        seen.append(card)
        script.ask(f"Which number is on the {color} card?", value, "number", seen[-1])
    script.ask("What is the first number that flashes?", values[0], "order", *seen)
    script.ask("What is the last number that flashes?", values[-1], "order", *seen)


def _show_shapes(
    script: Script, names: list[tuple[str, str]], windows: list[Window], cells: list[Point]
) -> None:
    for name, window, cell in zip(names, windows, cells, strict=True):
        place = within_cell(script.rng, cell)
        event = show_shape(script, name, window, place, diameter=SHAPE_DIAMETER)
        script.ask(f"What color is the {name[1]}?", name[0], "color", event)
