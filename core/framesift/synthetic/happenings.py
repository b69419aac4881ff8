"""What can happen in a synthetic scene: each function draws it, records it and asks about it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

from framesift.synthetic.backdrops import landscape
from framesift.synthetic.film import Box, Point
from framesift.synthetic.pixels import (
    COLORS,
    SHAPES,
    Color,
    card_pixels,
    cursor_pixels,
    shape_pixels,
)
from framesift.synthetic.script import Event, Script, Window, around

DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
CHANGES = ("turned {}", "moved", "appeared")
ACTIONS = ("crosses the picture", "appears", "falls down", "rises up")
SIGNS = (
    "ROOM IS FREE",
    "LUNCH AT NOON",
    "DOOR IS OPEN",
    "TRAIN IS LATE",
    "QUIET PLEASE",
    "WET FLOOR",
)
LATTICE = 16
"""Cards hang at multiples of this part of the picture."""
LETTERS = "ABCDEFHKLMNPRTXYZ"
DARK, LIGHT = (28, 30, 38), (240, 240, 232)


def shape_names(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Returns (color, shape) pairs without a repeated color or shape."""
    return list(zip(rng.sample(list(COLORS), count), rng.sample(SHAPES, count), strict=True))


def move_shape(script: Script, name: tuple[str, str], quarter: tuple[float, float]) -> Event:
    """Returns the event of a moving shape; where it starts, its quarter is open to all ways."""
    color, shape = name
    direction = script.rng.choice(list(DIRECTIONS))
    size, travel = 0.15 * script.unit_px, 0.155
    reaches = [0.55 * size / side + travel for side in script.size_px]
    start = tuple(
        corner + script.rng.uniform(reach, 0.5 - reach)
        for corner, reach in zip(quarter, reaches, strict=True)
    )
    x, y = DIRECTIONS[direction]
    end = (start[0] + x * travel, start[1] + y * travel)
    pixels = shape_pixels(shape, color, size)
    sprite = script.show(pixels, script.window(0, 1), (start[0], start[1]), end)
    facts = {"color": color, "shape": shape, "direction": direction}
    event = script.sprite_event("shape", sprite, **facts)
    script.ask(f"Which way does the {color} {shape} move?", direction, "direction", event)
    script.ask(f"What color is the {shape}?", color, "color", event)
    return event


def flash_number(script: Script, window: Window, area: Box) -> None:
    """Shows a card with a two-digit number for the length of `window`."""
    value, color = script.rng.randint(10, 99), script.rng.choice(list(COLORS))
    half = script.rng.choice(["left", "right"])
    x = script.rng.uniform(0.15, 0.35) + (0.5 if half == "right" else 0.0)
    y = script.rng.uniform(area[1], area[3])
    pixels = card_pixels(str(value), 0.28 * script.unit_px, paper=COLORS[color], ink=ink_on(color))
    sprite = script.show(pixels, window, on_lattice((x, y)))
    event = script.sprite_event("number", sprite, number=value, color=color, half=half)
    script.ask("What number flashes in the video?", value, "number", event)
    script.ask(
        "In which half of the picture does the number flash, left or right?", half, "place", event
    )
    script.ask("What color is the card with the number?", color, "color", event)


def quiz_codes(script: Script, corner: Point) -> None:
    """Shows a code of a letter and a digit in a corner for a quarter of the video."""
    rng = script.rng
    code = f"{rng.choice(LETTERS)}{rng.randint(2, 9)}"
    pixels = card_pixels(code, 0.28 * script.unit_px, paper=DARK, ink=LIGHT)
    start = rng.uniform(0.0, 0.75)
    sprite = script.show(
        pixels, script.window(start, start + 0.25), on_lattice(within_cell(rng, corner))
    )
    event = script.sprite_event("code", sprite, text=code)
    script.ask("What is the text in the corner?", code, "text", event)


def quiz_numbers(script: Script, cells: Sequence[Point]) -> None:
    """Shows two-digit numbers, one at a time, each for a tenth of the video."""
    rng, seen = script.rng, []
    values = rng.sample(range(10, 100), len(cells))
    colors = rng.sample(list(COLORS), len(cells))
    for order, (value, color, cell) in enumerate(zip(values, colors, cells, strict=True)):
        start = (order + rng.uniform(0.1, 0.6)) / len(cells)
        pixels = card_pixels(
            str(value), 0.28 * script.unit_px, paper=COLORS[color], ink=ink_on(color)
        )
        window = script.window(start, start + 0.1)
        sprite = script.show(pixels, window, on_lattice(within_cell(rng, cell)))
        seen.append(script.sprite_event("number", sprite, number=value, color=color))
        script.ask(f"Which number is on the {color} card?", value, "number", seen[-1])
    script.ask("What is the first number that flashes?", values[0], "order", *seen)
    script.ask("What is the last number that flashes?", values[-1], "order", *seen)
    script.ask("How many numbers flash in the video?", len(cells), "count", *seen)


def quiz_shapes(script: Script, cells: Sequence[Point]) -> None:
    """Shows still shapes, each for a fifth of the video, begun one after another."""
    rng, seen = script.rng, []
    names = shape_names(rng, len(cells))
    for order, ((color, shape), cell) in enumerate(zip(names, cells, strict=True)):
        start = 0.8 * (order + rng.uniform(0.0, 0.5)) / len(cells)
        window = script.window(start, start + 0.2)
        seen.append(show_shape(script, (color, shape), window, within_cell(rng, cell)))
        script.ask(f"What color is the {shape}?", color, "color", seen[-1])
    script.ask("How many different shapes appear in the video?", len(cells), "count", *seen)
    ask_presence(script, names, seen)
    first, second = rng.sample(range(len(cells)), 2)
    descriptions = [f"{with_article(*names[i])} appears" for i in (first, second)]
    question = f"What happens first: {descriptions[0]}, or {descriptions[1]}?"
    answer = descriptions[0] if first < second else descriptions[1]
    script.ask(question, answer, "order", seen[first], seen[second])


def change_shape(script: Script, cells: Sequence[Point], second: Window) -> None:
    """Shows still shapes in all but the last cell; one of them is another from `second` on."""
    rng = script.rng
    names = shape_names(rng, len(cells) - 1)
    whole, first = script.window(0, 1), (0.0, second[0])
    (color, shape), place, elsewhere = names[0], *(within_cell(rng, cells[i]) for i in (0, -1))
    turned = rng.choice([other for other in COLORS if other not in dict(names)])
    change = rng.choice(CHANGES).format(turned)
    seen = []
    if change != "appeared":
        seen.append(show_shape(script, (color, shape), first, place))
        script.ask(f"What color is the {shape} at the beginning?", color, "color", seen[0])
    after = (turned, shape) if change.startswith("turned") else (color, shape)
    seen.append(show_shape(script, after, second, elsewhere if change == "moved" else place))
    for name, cell in zip(names[1:], cells[1:-1], strict=True):
        seen.append(show_shape(script, name, whole, within_cell(rng, cell)))
    box = around([event["box"] for event in seen if event["attributes"]["shape"] == shape])
    near = (max(0.0, second[0] - 1.0), min(second[0] + 1.0, whole[1]))
    event = script.event("change", near, box, shape=shape, change=change)
    script.ask("What changed in the video?", f"the {shape} {change}", "change", event)
    script.ask("Which shape changed?", shape, "change", event)
    script.ask("How many different shapes appear in the video?", len(names), "count", *seen)
    ask_presence(script, [*names, after], seen)


def move_cursor(script: Script, slides: Sequence[Event]) -> None:
    """Shows a pointer that rests on each slide and moves only before the next one."""
    rng, pixels = script.rng, cursor_pixels(0.06 * script.unit_px)
    spot = (rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.8))
    for event in slides:
        start, end = event["start_seconds"], event["end_seconds"]
        leaves = end - min(0.8, (end - start) / 3)
        target = (rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.8))
        script.show(pixels, (start, leaves), spot)
        script.show(pixels, (leaves, end), spot, target)
        spot = target


def show_landscape(script: Script, name: str, window: Window) -> Event:
    """Returns the event of a cut to a landscape."""
    painted = partial(landscape, name, script.seed(), script.size_px)
    script.stage(painted, window, name.capitalize())
    return script.event("landscape", window, name=name)


def hang_signs(script: Script, windows: Sequence[Window]) -> None:
    """Shows a sign on the wall that changes its text from window to window."""
    signs = script.rng.sample(SIGNS, len(windows))
    seen = []
    for sign, window in zip(signs, windows, strict=True):
        pixels = card_pixels(sign, 0.11 * script.unit_px, paper=DARK, ink=LIGHT)
        seen.append(
            script.sprite_event("text", script.show(pixels, window, (0.52, 0.2)), text=sign)
        )
    script.ask("What does the sign on the wall say at the beginning?", signs[0], "text", seen[0])
    script.ask("What does the sign on the wall say at the end?", signs[-1], "text", seen[-1])


def act(script: Script, windows: Sequence[Window], area: Box) -> list[Event]:
    """Returns one event for each window: a shape that crosses, appears, falls or rises."""
    names = shape_names(script.rng, len(windows))
    actions = script.rng.sample(ACTIONS, len(windows))
    seen = [
        show_action(script, name, action, window, area)
        for window, name, action in zip(windows, names, actions, strict=True)
    ]
    _ask_order(script, seen)
    return seen


def show_action(
    script: Script, name: tuple[str, str], action: str, window: Window, area: Box
) -> Event:
    """Returns the event of a shape that does one of `ACTIONS`, through a place within `area`."""
    rng, (color, shape) = script.rng, name
    x, y = rng.uniform(area[0], area[2]), rng.uniform(area[1], area[3])
    near, far = rng.choice([(0.0, 1.0), (1.0, 0.0)])
    start, end = {
        "crosses the picture": ((near, y), (far, y)),
        "appears": ((x, y), (x, y)),
        "falls down": ((x, 0.0), (x, 1.0)),
        "rises up": ((x, 1.0), (x, 0.0)),
    }[action]
    sprite = script.show(shape_pixels(shape, color, 0.2 * script.unit_px), window, start, end)
    facts = {"color": color, "shape": shape, "action": action}
    description = f"{with_article(color, shape)} {action}"
    event = script.sprite_event("event", sprite, **facts, description=description)
    script.ask(f"What does the {shape} do?", action, "action", event)
    script.ask(f"What color is the {shape}?", color, "color", event)
    return event


def ask_presence(script: Script, names: Sequence[tuple[str, str]], seen: Sequence[Event]) -> None:
    """Asks about something there or not there, half of the time each."""
    absent = [(color, shape) for color in COLORS for shape in SHAPES if (color, shape) not in names]
    answer = script.rng.choice(["yes", "no"])
    thing = script.rng.choice(names if answer == "yes" else absent)
    script.ask(f"Is there {with_article(*thing)} in the video?", answer, "presence", *seen)


def ask_next(script: Script, question: str, names: Sequence[str], seen: Sequence[Event]) -> None:
    """Asks what follows one of `names`, which stand in the order of `seen`."""
    place = script.rng.randrange(len(names) - 1)
    pair = seen[place : place + 2]
    script.ask(question.format(names[place]), names[place + 1], "order", *pair)


def show_shape(
    script: Script,
    name: tuple[str, str],
    window: Window,
    place: Point,
    *,
    diameter: float = 0.22,
) -> Event:
    """Returns the event of a still shape; its `diameter` is a part of the picture's height."""
    color, shape = name
    sprite = script.show(shape_pixels(shape, color, diameter * script.unit_px), window, place)
    return script.sprite_event("shape", sprite, color=color, shape=shape)


def show_card(
    script: Script,
    kind: str,
    words: str,
    look: tuple[Color, Color],
    window: Window,
    cell: Point,
    **facts: str | int,
) -> Event:
    """Returns the event of a card in a cell; `look` is its paper and its ink."""
    pixels = card_pixels(words, 0.28 * script.unit_px, paper=look[0], ink=look[1])
    place = on_lattice(within_cell(script.rng, cell))
    return script.sprite_event(kind, script.show(pixels, window, place), **facts)


def _ask_order(script: Script, seen: Sequence[Event]) -> None:
    descriptions = [event["attributes"]["description"] for event in seen]
    one, other = script.rng.sample(descriptions[:2], 2)
    question = f"What happens first: {one}, or {other}?"
    script.ask(question, descriptions[0], "order", *seen[:2])
    script.ask("Which shape is seen last?", seen[-1]["attributes"]["shape"], "order", seen[-1])


def on_lattice(at: Point) -> Point:
    """Returns the nearest place where cards hang, which small vision models read more easily."""
    return round(at[0] * LATTICE) / LATTICE, round(at[1] * LATTICE) / LATTICE


def within_cell(rng: random.Random, corner: Point) -> Point:
    """Returns a place near the middle of the cell, a ninth of the picture, at `corner`."""
    return corner[0] + rng.uniform(0.13, 0.2), corner[1] + rng.uniform(0.16, 0.2)


def ink_on(color: str) -> Color:
    """Returns the ink that reads well on a card of this color."""
    return DARK if color in ("yellow", "white", "pink", "orange") else LIGHT


def with_article(color: str, shape: str) -> str:
    """Returns the words for a thing, such as "an orange star"."""
    return f"{'an' if color[0] in 'aeiou' else 'a'} {color} {shape}"
