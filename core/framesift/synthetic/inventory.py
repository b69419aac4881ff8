"""What is in a synthetic video and what is not, read off its events, and questions about both.

They need no new drawing: any video whose events are known can be asked. Things that were there at
times of which no frame is seen are neither asked for nor said to be missing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from framesift.synthetic.backdrops import LANDSCAPES
from framesift.synthetic.happenings import with_article
from framesift.synthetic.pixels import COLORS, SHAPES
from framesift.synthetic.places import PLAINLY, inside
from framesift.synthetic.replies import NOT_SHOWN, Reply
from framesift.synthetic.script import Event

ALIKE: Final = 0.5
"""Share of missing things that are as one that is there in a part: its color, shape or digit."""
FEWEST_MOVING: Final = 4
"""Frames that are too few to tell what moves."""
OF_KIND: Final = ("thing", "shape", "card", "number", "landscape")
"""Kinds of thing of which a video may show one and not another."""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What is seen of a video, and what else is known to be in it."""

    seen: Sequence[Event]
    """Events of which some frame is seen."""
    known: Sequence[Event]
    """All events, those too of which no frame is seen."""
    is_moving: bool = True
    """Whether enough frames are seen to tell what moves."""

    @classmethod
    def of(cls, events: Sequence[Event], times_seconds: Sequence[float]) -> Inventory:
        """Returns that of a video with these events of which frames of some times are seen."""

        def is_plain(event: Event) -> bool:
            start, end = event["start_seconds"], event["end_seconds"]
            return any(start <= t < end and inside(event, t) >= PLAINLY for t in times_seconds)

        return cls(
            seen=[event for event in events if is_plain(event)],
            known=events,
            is_moving=len(times_seconds) > FEWEST_MOVING,
        )

    def present(self, kind: str) -> list[tuple[str, Event]]:
        """Returns the names of the seen things of a kind, each with its event."""
        return [(name, event) for event in self.seen for name in _names(kind, event)]

    @cached_property
    def names(self) -> dict[str, set[str]]:
        """Names of everything that is in the video, by kind."""
        return {
            kind: {name for event in self.known for name in _names(kind, event)} for kind in NAMES
        }

    def lacks(self, kind: str) -> bool:
        """Returns whether some thing of a kind is not in the video."""
        return len(self.names[kind]) < len(NAMES[kind])

    def absent(self, kind: str, rng: random.Random) -> str:
        """Returns the name of a thing of a kind that is not in the video."""
        known = self.names[kind]
        missing = [name for name in NAMES[kind] if name not in known]
        parts = {part for name in known for part in _parts(kind, name)}
        if rng.random() < ALIKE:
            near = [name for name in missing if parts.intersection(_parts(kind, name))]
            missing = near or missing
        return rng.choice(missing)

    def has(self, *kinds: str) -> bool:
        """Returns whether the video has any event of some kinds."""
        return any(event["kind"] in kinds for event in self.known)

    @cached_property
    def movers(self) -> list[tuple[str, Reply, Event]]:
        """Seen shapes that plainly move or rest, with whether they do."""
        changed = {e["attributes"]["shape"] for e in self.known if e["kind"] == "change"}
        return [
            (event["attributes"]["shape"], "yes" if "path" in event["attributes"] else "no", event)
            for event in self.seen
            if event["kind"] in ("shape", "event") and event["attributes"]["shape"] not in changed
        ]


NAMES: Final[dict[str, tuple[str, ...]]] = {
    "thing": tuple(with_article(color, shape) for color in COLORS for shape in SHAPES),
    "shape": tuple(f"a {shape}" for shape in SHAPES),
    "card": tuple(with_article(color, "card") for color in COLORS),
    "number": tuple(str(number) for number in range(10, 100)),
    "landscape": tuple(LANDSCAPES),
}
"""All names of each kind of thing."""
WHETHER: Final = {
    "thing": "Is there {} in the video?",
    "shape": "Does {} ever appear in the video?",
    "card": "Does {} appear in the video?",
    "number": "Is the number {} shown in the video?",
    "landscape": "Is the {} shown in the video?",
    "other": "Is {} ever in the video?",
    "movement": "Does the {} move?",
    "anything": "Does anything move in the video?",
    "any number": "Is any number shown in the video?",
    "sign": "Is there a sign in the video?",
    "corner": "Is there a text in the corner?",
}
"""Questions whose answer is yes or no, by the kind of thing that they are about."""
COUNTED: Final = {
    "How many numbers flash in the video?": ("number", "code"),
    "How many different shapes appear in the video?": ("shape", "event"),
    "How many different landscapes are shown?": ("landscape",),
}
"""Questions for a number of things, each with the kinds of event that could be counted."""
EXISTENCE: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "any number": ("number", ("code",)),
    "sign": ("text", ("code",)),
    "corner": ("code", ("number", "text")),
}
"""Kinds of event that a video has or has not, and those that could be taken for it."""


def yes_or_no(video: Inventory, kind: str, reply: Reply, rng: random.Random) -> Any:
    """Returns a question with this answer about a kind of `WHETHER`, None where there is none."""
    if kind == "movement":
        moved = [(name, event) for name, moves, event in video.movers if moves == reply]
        if not moved or not video.is_moving:
            return None
        name, event = rng.choice(moved)
        return _asked(WHETHER[kind].format(name), reply, "presence", event)
    if kind == "anything":
        moving = [event for event in video.seen if "path" in event["attributes"]]
        still = not moving and not video.has("landscape", "change", "event") and video.is_moving
        if not (moving if reply == "yes" else still):
            return None
        return _asked(WHETHER[kind], reply, "presence", *moving[:1])
    if kind in EXISTENCE:
        asked, alike = EXISTENCE[kind]
        found = [event for event in video.seen if event["kind"] == asked]
        if reply == "yes":
            return _asked(WHETHER[kind], reply, "presence", *found[:1]) if found else None
        return None if video.has(asked, *alike) else _asked(WHETHER[kind], reply, "presence")
    if reply == "no":
        if not video.lacks(kind):
            return None
        return _asked(WHETHER[kind].format(video.absent(kind, rng)), reply, "presence")
    present = video.present(kind)
    if not present:
        return None
    name, event = rng.choice(present)
    return _asked(WHETHER[kind].format(name), reply, "presence", event)


def missing(video: Inventory, rng: random.Random) -> dict[str, Any]:
    """Returns a question about a thing that is not there, as if it were, answered `NOT_SHOWN`."""
    ways: list[Callable[[], str]] = [
        lambda: f"Which number is on the {_word(video.absent('card', rng))} card?",
        lambda: f"Which way does the {_bare(video.absent('thing', rng))} move?",
    ]
    if video.lacks("landscape"):
        after = "Which landscape comes right after the {}?"
        ways.append(lambda: after.format(video.absent("landscape", rng)))
    if video.lacks("shape"):
        ways += [
            lambda: f"What color is the {_bare(video.absent('shape', rng))}?",
            lambda: f"What does the {_bare(video.absent('shape', rng))} do?",
        ]
    if not video.has("number", "code"):
        end = rng.choice(("first", "last"))
        ways += [
            lambda: "What number flashes in the video?",
            lambda: f"What is the {end} number that flashes?",
            lambda: "What color is the card with the number?",
            lambda: "In which half of the picture does the number flash, left or right?",
        ]
    if not video.has("landscape"):
        ways.append(lambda: f"Which landscape is shown {rng.choice(('first', 'last'))}?")
    if not video.has("code", "text", "number"):
        ways.append(lambda: "What is the text in the corner?")
    if not video.has("text", "code"):
        at = rng.choice(("beginning", "end"))
        ways.append(lambda: f"What does the sign on the wall say at the {at}?")
    if not video.has("shape", "event"):
        ways.append(lambda: "Which shape is seen last?")
    return _asked(rng.choice(ways)(), NOT_SHOWN, "not shown")


def none_of(video: Inventory, rng: random.Random) -> dict[str, Any] | None:
    """Returns a question for the number of things of a kind that the video lacks, if it does."""
    ways = [question for question, kinds in COUNTED.items() if not video.has(*kinds)]
    return _asked(rng.choice(ways), "0", "count") if ways else None


def _asked(question: str, answer: str, kind: str, *about: Event) -> dict[str, Any]:
    """Returns a question as a video's truth has it; one without an event is about no time."""
    times = [(event["start_seconds"], event["end_seconds"]) for event in about] or [(0.0, 0.0)]
    return {
        "question": question,
        "answer": answer,
        "kind": kind,
        "start_seconds": times[0][0],
        "end_seconds": times[0][1],
        "box": list(about[0]["box"]) if about else [0.0, 0.0, 1.0, 1.0],
    }


def _names(kind: str, event: Event) -> list[str]:
    """Returns the names that an event has as a thing of a kind."""
    facts = event["attributes"]
    if event["kind"] in ("shape", "event") and kind in ("thing", "shape"):
        name = with_article(facts["color"], facts["shape"])
        return [name if kind == "thing" else f"a {facts['shape']}"]
    if event["kind"] == "number" and kind in ("card", "number"):
        return [with_article(facts["color"], "card") if kind == "card" else str(facts["number"])]
    if event["kind"] == kind == "landscape":
        return [facts["name"]]
    return []


def _parts(kind: str, name: str) -> list[str]:
    """Returns the parts by which two things of a kind may be alike."""
    return list(name) if kind == "number" else name.split()[1:] if kind == "thing" else []


def _bare(name: str) -> str:
    return name.split(" ", 1)[1]


def _word(name: str) -> str:
    return name.split()[1]
