"""Writes a scene down: every sprite, cut and question goes in together with its truth."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from framesift.synthetic.film import (
    WHOLE_PICTURE,
    Box,
    Pixels,
    Point,
    Scene,
    SceneSettings,
    Sprite,
    Stage,
)
from framesift.types.video import TimedText

Event = dict[str, Any]
"""One thing that happens: kind, start_seconds, end_seconds, box and attributes; JSON-safe."""
Window = tuple[float, float]


@dataclass(kw_only=True)
class Script:
    """A scene in the making; positions are relative to the picture, times snap to frames."""

    name: str
    settings: SceneSettings
    rng: random.Random
    stages: list[Stage] = field(default_factory=list)
    sprites: list[Sprite] = field(default_factory=list)
    subtitles: list[TimedText] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    questions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self.settings.width, self.settings.height

    @property
    def unit_px(self) -> int:
        """The height of the widest 16:9 picture that fits in this one, which sizes follow."""
        width, height = self.size_px
        return min(height, width * 9 // 16)

    def window(self, start: float, end: float, *, longest_seconds: float = 7200.0) -> Window:
        """Returns (start, end) in seconds on frame times, from shares of the whole video."""
        count, fps = self.settings.frame_count, self.settings.fps
        first = min(round(start * count), count - 1)
        last = min(round(end * count), first + round(longest_seconds * fps), count)
        return first / fps, max(last, first + 1) / fps

    def seed(self) -> int:
        """Returns a fresh seed for a backdrop."""
        return self.rng.randrange(2**32)

    def parts(self, *shares: float) -> list[Window]:
        """Returns windows that follow one another over the whole video, by relative length."""
        ends = list(accumulate(shares, initial=0.0))
        return [self.window(start / ends[-1], end / ends[-1]) for start, end in pairwise(ends)]

    def stage(
        self, painted: Callable[[], Pixels], window: Window | None = None, title: str | None = None
    ) -> None:
        """Puts the backdrop that `painted` returns behind everything from `window` on."""
        start = window[0] if window else 0.0
        self.stages.append(Stage(start_seconds=start, painted=painted, title=title))

    def show(
        self, pixels: Pixels, window: Window, start: Point, end: Point | None = None
    ) -> Sprite:
        """Returns a sprite that is shown in `window` and moves from `start` to `end`."""
        (x0, y0), (x1, y1) = start, end or start
        width, height = self.size_px
        path = ((x0 * width, y0 * height), (x1 * width, y1 * height))
        sprite = Sprite(pixels=pixels, start_seconds=window[0], end_seconds=window[1], path=path)
        self.sprites.append(sprite)
        return sprite

    def event(
        self, kind: str, window: Window, box: Box = WHOLE_PICTURE, **attributes: Any
    ) -> Event:
        """Returns an event that is part of the truth."""
        event = {
            "kind": kind,
            "start_seconds": window[0],
            "end_seconds": window[1],
            "box": list(box),
            "attributes": attributes,
        }
        self.events.append(event)
        return event

    def sprite_event(self, kind: str, sprite: Sprite, **attributes: Any) -> Event:
        """Returns the event of a sprite; its box is the one at the middle of its time."""
        window = (sprite.start_seconds, sprite.end_seconds)
        if sprite.path[0] != sprite.path[1]:
            width, height = self.size_px
            path = [[round(x / width, 6), round(y / height, 6)] for x, y in sprite.path]
            attributes["path"] = path
        return self.event(kind, window, sprite.box(sum(window) / 2, self.size_px), **attributes)

    def ask(self, question: str, answer: str | int, kind: str, *about: Event) -> None:
        """Adds a question about events, with the time and the box that hold them all."""
        boxes = [event["box"] for event in about] or [list(WHOLE_PICTURE)]
        self.questions.append(
            {
                "question": question,
                "answer": str(answer),
                "kind": kind,
                "start_seconds": min((event["start_seconds"] for event in about), default=0.0),
                "end_seconds": max(
                    (event["end_seconds"] for event in about), default=self.window(0, 1)[1]
                ),
                "box": list(around(boxes)),
            }
        )

    def scene(self, *, title: str, noise: float) -> Scene:
        """Returns the finished scene; `noise` counts where the settings have none."""
        own = self.settings.noise
        return Scene(
            title=title,
            settings=self.settings,
            noise=noise if own is None else own,
            stages=tuple(self.stages),
            sprites=tuple(self.sprites),
            subtitles=tuple(self.subtitles),
            truth={
                "scene": self.name,
                **self.settings.model_dump(exclude={"noise"}),
                "events": sorted(self.events, key=lambda event: float(event["start_seconds"])),
                "questions": self.questions,
            },
        )


def around(boxes: Sequence[Sequence[float]]) -> Box:
    """Returns the box that holds all of the boxes."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
