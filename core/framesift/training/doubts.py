"""Questions that go with a clip beside its own: what is there and what is not, and "not shown".

Of each kind of thing a clip is asked for what it shows about as often as for what it does not, so
that the question alone tells nothing about the answer.
"""

from __future__ import annotations

import random
from typing import Any, Final

from framesift.synthetic.inventory import (
    EXISTENCE,
    OF_KIND,
    WHETHER,
    Inventory,
    missing,
    none_of,
    yes_or_no,
)
from framesift.synthetic.replies import NOT_SHOWN, Reply
from framesift.synthetic.unanswerable import never_there, unanswerable

YES_OR_NO: Final = 0.6
"""Share of yes and no among these questions; the rest is not shown."""
COUNTS: Final = 0.08
"""Share of questions for the number of things of which there is none."""
OTHER: Final = 0.08
"""Share of yes and no about things that no clip shows."""
UNANSWERABLE: Final = 0.45
"""Share of questions that no clip answers among those that this one does not answer."""
YES_WITH: Final = 0.5
"""Share of yes where a clip shows things of a kind; those that show none are asked too."""
ASKED_WITHOUT: Final = {
    "thing": 0.4,
    "shape": 0.4,
    "card": 0.1,
    "number": 0.1,
    "landscape": 0.02,
    "any number": 0.9,
    "sign": 0.1,
    "corner": 0.4,
}
"""How often a clip without things of a kind is asked for them: so that yes and no are as many."""
EVEN: Final = ("movement", "anything")
"""Kinds of which about as many clips allow yes as no."""
REPLIES: Final[tuple[Reply, Reply]] = ("yes", "no")
TRIES: Final = 12


def doubts(video: Inventory, count: int, rng: random.Random) -> list[dict[str, Any]]:
    """Returns some questions as a video's truth has them, at random."""
    drawn = []
    for _ in range(count):
        nothing = none_of(video, rng) if rng.random() < COUNTS else None
        if nothing:
            drawn.append(nothing)
        elif rng.random() < YES_OR_NO:
            drawn.append(presence(video, rng))
        elif rng.random() < UNANSWERABLE:
            drawn.append(_plain(unanswerable(rng), NOT_SHOWN, "not shown"))
        else:
            drawn.append(missing(video, rng))
    return drawn


def presence(video: Inventory, rng: random.Random) -> dict[str, Any]:
    """Returns a question whose answer is yes or no, at random."""
    for _ in range(TRIES):
        kind = rng.choice(ASKED)
        if rng.random() < OTHER:
            break
        question = _of_kind(video, kind, rng)
        if question is not None:
            return question
    return _plain(WHETHER["other"].format(never_there(rng)), "no", "presence")


ASKED: Final = (*(kind for kind in WHETHER if kind != "other"), *["number"] * 2)
"""Kinds as often as they are drawn: two digits are the hardest to compare."""


def _of_kind(video: Inventory, kind: str, rng: random.Random) -> dict[str, Any] | None:
    reply: Reply = "yes" if rng.random() < YES_WITH else "no"
    if kind in EVEN:
        reply = rng.choice(REPLIES)
    if kind in OF_KIND and not video.names[kind]:
        reply = "no"
    if kind in EXISTENCE:
        reply = "yes" if video.has(EXISTENCE[kind][0]) else "no"
    has = bool(video.names[kind]) if kind in OF_KIND else reply == "yes"
    if not has and rng.random() >= ASKED_WITHOUT.get(kind, 1.0):
        return None
    question: dict[str, Any] | None = yes_or_no(video, kind, reply, rng)
    return question


def _plain(question: str, answer: str, kind: str) -> dict[str, Any]:
    return {"question": question, "answer": answer, "kind": kind}
