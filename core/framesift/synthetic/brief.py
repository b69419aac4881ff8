"""The scene of brief things: each is seen for one to three seconds of a video of any length."""

from __future__ import annotations

from functools import partial

from framesift.synthetic.backdrops import room, texture
from framesift.synthetic.film import Point
from framesift.synthetic.happenings import (
    DARK,
    LETTERS,
    LIGHT,
    ink_on,
    shape_names,
    show_card,
    show_shape,
    with_article,
    within_cell,
)
from framesift.synthetic.pixels import COLORS, SHAPES
from framesift.synthetic.script import Event, Script, Window

SHOWN_SECONDS = (1.0, 2.0, 3.0)
"""How long a brief thing may be seen; a frame a second shows each of them."""


def brief(script: Script) -> None:
    """Writes six to eight brief things and one shape that is there all the time.

    The things are a code in a corner, numbers on cards of different colours, and shapes, each in a
    cell of its own. They come one at a time, or whenever they like.
    """
    rng = script.rng
    script.stage(partial(rng.choice([texture, room]), script.seed(), script.size_px))
    corner = rng.choice([(x, y) for x in (0.0, 2 / 3) for y in (0.0, 2 / 3)])
    cells = [(x / 3, y / 3) for x in range(3) for y in range(3) if (x / 3, y / 3) != corner]
    rng.shuffle(cells)
    numbers, shapes = rng.randint(3, 4), rng.randint(2, 3)
    windows = _windows(script, 1 + numbers + shapes)
    names = shape_names(rng, 1 + shapes)
    lasting = show_shape(script, names[0], script.window(0, 1), within_cell(rng, cells.pop()))
    _show_code(script, windows.pop(), corner)
    cards = _show_numbers(script, windows[:numbers], cells[:numbers])
    seen = [lasting]
    for (color, shape), window, cell in zip(
        names[1:], windows[numbers:], cells[numbers : numbers + shapes], strict=True
    ):
        seen.append(show_shape(script, (color, shape), window, within_cell(rng, cell)))
        script.ask(f"What color is the {shape}?", color, "color", seen[-1])
    script.ask(f"What color is the {names[0][1]}?", names[0][0], "color", lasting)
    script.ask("How many numbers flash in the video?", numbers, "count", *cards)
    script.ask("How many different shapes appear in the video?", len(seen), "count", *seen)
    _ask_lasting(script, names, lasting)


def _windows(script: Script, count: int) -> list[Window]:
    """Returns when each thing is seen, in no order; half of the videos show one thing at a time."""
    rng = script.rng
    takes_turns = rng.random() < 0.5
    lengths = [rng.choice(SHOWN_SECONDS) for _ in range(count)]
    slot = script.parts(*[1] * count)[0][1] if takes_turns else script.window(0, 1)[1]
    windows = []
    for order, seconds in enumerate(lengths):
        start = rng.random() * max(0.0, 1 - seconds / slot)
        if takes_turns:
            seconds, start = min(seconds, slot), (order + start) / count
        windows.append(script.window(start, 1.0, longest_seconds=seconds))
    rng.shuffle(windows)
    return windows


def _show_code(script: Script, window: Window, corner: Point) -> None:
    rng = script.rng
    code = f"{rng.choice(LETTERS)}{rng.randint(2, 9)}"
    event = show_card(script, "code", code, (DARK, LIGHT), window, corner, text=code)
    script.ask("What is the text in the corner?", code, "text", event)


def _show_numbers(
    script: Script, windows: list[Window], cells: list[tuple[float, float]]
) -> list[Event]:
    rng, seen = script.rng, []
    values = rng.sample(range(10, 100), len(cells))
    colors = rng.sample(list(COLORS), len(cells))
    for value, color, window, cell in zip(values, colors, windows, cells, strict=True):
        look = (COLORS[color], ink_on(color))
        card = show_card(
            script, "number", str(value), look, window, cell, number=value, color=color
        )
        seen.append(card)
        script.ask(f"Which number is on the {color} card?", value, "number", seen[-1])
    return seen


def _ask_lasting(script: Script, names: list[tuple[str, str]], lasting: Event) -> None:
    """Asks about the thing that every frame shows, or about one that none does."""
    absent = [(color, shape) for color in COLORS for shape in SHAPES if (color, shape) not in names]
    answer = script.rng.choice(["yes", "no"])
    thing = names[0] if answer == "yes" else script.rng.choice(absent)
    script.ask(f"Is there {with_article(*thing)} in the video?", answer, "presence", lasting)
