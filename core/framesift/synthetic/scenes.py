"""The scenes of `synthetic://NAME`: what happens in them, and what one can ask about it.

Every fact is drawn from the seed on its own, so that no answer follows from another one: the color
of a shape says nothing about its form, nor the place where it starts about the way it goes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from framesift.synthetic.backdrops import LANDSCAPES, room, slide, texture
from framesift.synthetic.brief import brief
from framesift.synthetic.film import WHOLE_PICTURE, Box, Scene, SceneSettings
from framesift.synthetic.glimpses import glimpses
from framesift.synthetic.happenings import (
    act,
    ask_next,
    ask_presence,
    change_shape,
    flash_number,
    hang_signs,
    move_cursor,
    move_shape,
    quiz_codes,
    quiz_numbers,
    quiz_shapes,
    shape_names,
    show_landscape,
)
from framesift.synthetic.script import Event, Script, Window
from framesift.types.video import TimedText

TITLES = ("Budget", "Roadmap", "Hiring", "Security", "Research", "Design", "Support", "Shipping")
OWNERS = ("Mira", "Tomas", "Aiko", "Jonas", "Priya", "Lena", "Omar", "Chloe")
LINES = (
    "Two open points since the last review",
    "Next step: agree on the order of work",
    "Numbers are preliminary until Friday",
    "The pilot runs in three cities",
    "Risks are listed on the shared page",
    "Feedback from users is mostly positive",
)
ANYWHERE: Box = (0.15, 0.2, 0.85, 0.8)
BELOW_THE_SIGN: Box = (0.15, 0.5, 0.85, 0.8)


def shapes(script: Script) -> None:
    """Writes two to four shapes that move, each within a quarter of the picture of its own."""
    rng = script.rng
    script.stage(partial(texture, script.seed(), script.size_px))
    count = rng.randint(2, 4)
    quarters = rng.sample([(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)], count)
    names = shape_names(rng, count)
    seen = [move_shape(script, *pair) for pair in zip(names, quarters, strict=True)]
    script.ask("How many different shapes appear in the video?", count, "count", *seen)
    ask_presence(script, names, seen)
    script.ask("Does anything move in the video?", "yes", "presence", *seen)


def number(script: Script) -> None:
    """Writes a number that flashes for a second somewhere in a long still stretch."""
    script.stage(partial(room, script.seed(), script.size_px))
    start = script.rng.uniform(0.1, 0.85)
    flash_number(
        script, script.window(start, min(start + 0.25, 1.0), longest_seconds=1.0), ANYWHERE
    )


def text(script: Script) -> None:
    """Writes a screen recording: slides with small text, and a cursor that mostly rests."""
    rng = script.rng
    count = rng.randint(3, 5)
    corner = f"REF {rng.choice('ABCDEFHKMNPRTX')}{rng.randint(2, 9)}-{rng.randint(100, 999)}"
    titles, owners = rng.sample(TITLES, count), rng.sample(OWNERS, count)
    seen: list[Event] = []
    for window, title, owner in zip(_uneven_parts(script, count), titles, owners, strict=True):
        facts: dict[str, str | int] = {
            "title": title,
            "owner": owner,
            "total": rng.randint(1000, 9999),
            "corner": corner,
        }
        lines = [f"Owner: {owner}", f"Total: {facts['total']}", *rng.sample(LINES, 3)]
        script.stage(partial(slide, title, lines, corner, script.size_px), window, title)
        event = script.event("slide", window, WHOLE_PICTURE, **facts)
        script.ask(f"Who owns the topic '{title}'?", owner, "text", event)
        script.ask(f"What is the total of the topic '{title}'?", facts["total"], "text", event)
        seen.append(event)
    move_cursor(script, seen)
    script.ask("What is the text in the lower right corner?", corner, "text", *seen)
    script.ask("How many different slides are shown?", count, "count", *seen)
    ask_next(script, "Which slide comes right after '{}'?", titles, seen)


def cuts(script: Script) -> None:
    """Writes hard cuts between landscapes that look nothing alike."""
    count = script.rng.randint(4, 6)
    names = script.rng.sample(list(LANDSCAPES), count)
    windows = _uneven_parts(script, count)
    seen = [show_landscape(script, *pair) for pair in zip(names, windows, strict=True)]
    script.ask("How many different landscapes are shown?", count, "count", *seen)
    script.ask("Which landscape is shown first?", names[0], "scene", seen[0])
    script.ask("Which landscape is shown last?", names[-1], "scene", seen[-1])
    ask_next(script, "Which landscape comes right after the {}?", names, seen)


def events(script: Script) -> None:
    """Writes two or three things that happen one after another; subtitles describe them."""
    script.stage(partial(texture, script.seed(), script.size_px))
    count = script.rng.randint(2, 3)
    seen = act(script, [_within(script, part) for part in script.parts(*[1] * count)], ANYWHERE)
    script.subtitles.extend(
        TimedText(
            start_seconds=event["start_seconds"],
            end_seconds=event["end_seconds"],
            text=f"{event['attributes']['description'].capitalize()}.",
        )
        for event in seen
    )


def static(script: Script) -> None:
    """Writes a room in which nothing happens."""
    script.stage(partial(room, script.seed(), script.size_px))
    script.ask("Does anything move in the video?", "no", "presence")


def mixed(script: Script) -> None:
    """Writes a still room with a sign, a number, three events and cuts to two landscapes."""
    rng, inside = script.rng, cache(partial(room, script.seed(), script.size_px))
    before, first, second, after, later = script.parts(38, 9, 9, 22, 22)
    script.stage(inside, before, "Room")
    for name, window in zip(rng.sample(list(LANDSCAPES), 2), (first, second), strict=True):
        show_landscape(script, name, window)
    script.stage(inside, after, "Room")
    hang_signs(script, [before, after, later])
    shares = [(0.05, 0.17), (0.21, 0.33), (0.61, 0.74), (0.82, 0.95)]
    silent = shares.pop(rng.randrange(4))
    flash = script.window(silent[0] + rng.uniform(0, 0.06), silent[1], longest_seconds=1.0)
    flash_number(script, flash, BELOW_THE_SIGN)
    slots = [script.window(*share, longest_seconds=6.0) for share in shares]
    act(script, slots, BELOW_THE_SIGN)


def quiz(script: Script) -> None:
    """Writes small things, each shown for a part of a long still video in a cell of its own."""
    rng = script.rng
    script.stage(partial(rng.choice([texture, room]), script.seed(), script.size_px))
    corners = [(x, y) for x in (0.0, 2 / 3) for y in (0.0, 2 / 3)]
    corner = rng.choice(corners)
    rest = [(x / 3, y / 3) for x in range(3) for y in range(3) if (x / 3, y / 3) != corner]
    numbers, shapes = rng.randint(2, 3), rng.randint(2, 4)
    cells = rng.sample(rest, numbers + shapes)
    quiz_codes(script, corner)
    quiz_numbers(script, cells[:numbers])
    quiz_shapes(script, cells[numbers:])


def changes(script: Script) -> None:
    """Writes still shapes in a still video, one of which changes about half-way."""
    rng = script.rng
    script.stage(partial(rng.choice([texture, room]), script.seed(), script.size_px))
    cells = rng.sample([(x / 3, y / 3) for x in range(3) for y in range(3)], rng.randint(3, 5))
    change_shape(script, cells, script.window(rng.uniform(0.25, 0.75), 1))


class SceneKind(NamedTuple):
    """How a scene is written, and what it is like unless the query says otherwise."""

    write: Callable[[Script], None]
    title: str
    seconds: float
    noise: float


SCENES = {
    "shapes": SceneKind(shapes, "Colored shapes in motion", 8.0, 0.0),
    "number": SceneKind(number, "A number flashes in a still room", 8.0, 1.5),
    "text": SceneKind(text, "A screen recording of slides", 8.0, 0.0),
    "cuts": SceneKind(cuts, "Cuts between landscapes", 8.0, 1.0),
    "events": SceneKind(events, "Events one after another", 8.0, 1.0),
    "static": SceneKind(static, "A room where nothing happens", 8.0, 3.0),
    "mixed": SceneKind(mixed, "A quiet room where things happen", 30.0, 1.0),
    "changes": SceneKind(changes, "Still shapes, one of which changes", 12.0, 1.0),
    "quiz": SceneKind(quiz, "Small things come and go in a still video", 16.0, 1.0),
    "brief": SceneKind(brief, "Brief things in a still video", 32.0, 1.0),
    "glimpses": SceneKind(glimpses, "Small things, each seen for a moment", 24.0, 1.0),
}


def make_scene(name: str, settings: SceneSettings) -> Scene:
    """Returns the scene of `SCENES`; its facts depend on name and seed, not on size or rate."""
    recipe = SCENES[name]
    script = Script(name=name, settings=settings, rng=random.Random(f"{name}-{settings.seed}"))
    recipe.write(script)
    return script.scene(title=recipe.title, noise=recipe.noise)


def _uneven_parts(script: Script, count: int) -> list[Window]:
    return script.parts(*(script.rng.uniform(1, 2) for _ in range(count)))


def _within(script: Script, part: Window) -> Window:
    """Returns a window at a random place in the inner of `part`."""
    start, end = (seconds / script.parts(1)[0][1] for seconds in part)
    gap = (end - start) * script.rng.uniform(0.1, 0.4)
    return script.window(start + gap, start + gap + (end - start) * 0.5)
