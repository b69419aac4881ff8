"""Questions that no synthetic video answers, and things that none shows, for training."""

from __future__ import annotations

import random
from typing import Final

from framesift.synthetic.pixels import SHAPES
from framesift.synthetic.wording_grammar import spread
from framesift.synthetic.wordings import loosened, surrounded

PEOPLE: Final = (
    "man", "woman", "child", "baby", "player", "driver", "cook", "waiter", "nurse", "farmer",
    "speaker", "actor", "host", "student", "policeman", "dancer", "guest", "king", "clown",
)  # fmt: skip
THINGS: Final = (
    "car", "horse", "bird", "tree", "house", "chair", "table", "phone", "van", "boat", "cow",
    "shirt", "hat", "bag", "bottle", "bread", "pizza", "apple", "guitar", "piano", "camera", "lamp",
    "door", "window", "flag", "bridge", "church", "robot", "fish", "sheep", "ball", "knife", "box",
    "letter", "newspaper", "map", "ring", "sofa", "tent", "motorcycle", "tractor", "computer",
)  # fmt: skip
PLACES: Final = (
    "kitchen",
    "street",
    "shop",
    "city",
    "school",
    "station",
    "park",
    "office",
    "beach",
)
TEMPLATES: Final = (
    "what is the name of the [{person}|{person}'s friend|{place}|{shape}]",
    "what is the {person} called",
    "who is the {person}[| in the video| in the back]",
    "who [owns|made|painted|bought|drives|drew|moved] the [{thing}|{shape}]",
    "what is the {person} [wearing|holding|saying|doing|eating|looking at|carrying]",
    "what does the {person} [say|hold|wear|eat|want|buy|ask|sell|see|think|read]",
    "what did the {person} [say|buy|find|lose|forget|give away|promise|cook]",
    "what color is the {person}'s {thing}",
    "<what> color is the {thing}",
    "<what> color are the {person}'s [eyes|shoes|hands]",
    "how [old|tall|big|heavy|expensive] is the [{person}|{thing}]",
    "how many [people|{thing}s|{person}s] [walk by|live there|are needed] in the {place}",
    "how much does the {thing} [cost|weigh]",
    "what is the price of the {shape}",
    "where [is|was] the {thing} [made|bought|parked|kept]",
    "where does the {person} [live|work|sit|come from]",
    "where was [this|the video|this clip] [filmed|made|recorded|taken]",
    "when was [the video|this clip|the {thing}] [filmed|made|bought]",
    "what [day|month|time of day|season|hour] is it",
    "why does the [{person}|{shape}|{thing}] [laugh|run away|stop|move|fall|come back]",
    "why is the [{person}|{shape}|{thing}] [angry|happy|there|here|broken|alone]",
    "what [music|song|sound|noise] [is playing|do you hear|can be heard][| in the video]",
    "<what> [language|accent] does the {person} [have|use]",
    "what is the weather[| like][| in the video]",
    "[which|what] [brand|model|make] is the {thing}",
    "who [wins|won|loses|lost] the [game|match|race|prize]",
    "what is the score of the [game|match]",
    "what [is|was] the {person} [cooking|building|writing|drawing|throwing]",
    "what is [on|under|behind|inside] the {thing}",
    "what stands in front of the [{place}|{thing}]",
    "what does the {thing} look like",
    "<what> way does the {thing} [move|go]",
    "what does the {thing} do",
    "what is the [title|author|plot|moral|subtitle] of the [film|book|song|video]",
    "who is the [author|owner|maker|sponsor|camera man][| of the video]",
    "what is the [address|web site|email|number] of the [{place}|{person}]",
    "does the {person} like the {thing}, and why",
    "what happens after the {person} [leaves|sits down|comes in|falls asleep]",
    "what is the {shape} [made of|thinking|called|worth|for]",
    "[which|what] [country|city|{place}] is this[| in]",
    "whose {thing} is it",
    "what does the {person} put on the {thing}",
    "who is [talking|speaking|laughing|crying|dancing]",
)
"""Templates as those of `ways_to_ask`."""


def unanswerable(rng: random.Random) -> str:
    """Returns a question about something that no synthetic video shows, at random."""
    words = rng.choice(spread(rng.choice(TEMPLATES)))
    words = words.format(
        person=rng.choice(PEOPLE),
        thing=rng.choice(THINGS),
        place=rng.choice(PLACES),
        shape=rng.choice(SHAPES),
    )
    return loosened(surrounded(words, rng), rng)


def never_there(rng: random.Random) -> str:
    """Returns a thing with its article that no synthetic video shows, at random."""
    name = rng.choice(rng.choice((PEOPLE, THINGS)))
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
