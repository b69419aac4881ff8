"""How people ask whether a thing is in a video: templates by the pattern of the question."""

from __future__ import annotations

from typing import Final

from framesift.synthetic.wording_grammar import Ways

SEEN: Final = (
    "[is|was] there %s<video>",
    "[is|was] %s [shown|visible|seen|there|to be seen]<video>",
    "[can|could|do|did] [you|we] see %s<video>",
    "do you [find|recognize] %s<video>",
    "does %s [appear|show up|come up|occur]<video>",
    "did %s [appear|occur|turn up]<video>",
    "does the [video|clip] [show|have|contain|include] %s",
    "did the [video|clip] [show|contain] %s",
    "can %s be seen<video>",
    "is %s [in it|in the picture|on screen] [at any time|ever|at all|once]",
    "is there ever %s",
    "%s: is it [there|in the video|shown]",
    "have you seen %s<video>",
)
WHETHER: Final = (
    "[whether|if] there is %s<video>",
    "[whether|if] you see %s",
    "if %s [appears|is shown]",
)


def _seen(name: str) -> Ways:
    """Returns ways to ask whether something is there, by what stands for its name."""
    return Ways(
        direct=tuple(way.replace("%s", name) for way in SEEN),
        clauses=tuple(way.replace("%s", name) for way in WHETHER),
    )


DOUBTS: Final[dict[str, Ways]] = {
    r"Is there (?P<thing>an? \w+ \w+) in the video\?": _seen("{thing}"),
    r"Does (?P<shape>an? \w+) ever appear in the video\?": _seen("{shape}"),
    r"Does (?P<card>an? \w+ card) appear in the video\?": _seen("{card}"),
    r"Is (?P<other>an? [\w ]+) ever in the video\?": _seen("{other}"),
    r"Is there a sign in the video\?": _seen("[a sign|a sign on the wall|any sign]"),
    r"Is any number shown in the video\?": _seen("[a number|any number|some number]"),
    r"Is there a text in the corner\?": _seen("[a text|any text|a code|a label] in the corner"),
    r"Is the (?P<landscape>sea|forest|desert|snowfield|night sky|sunset) shown in the video\?": (
        _seen("[the|a] {landscape}")
    ),
    r"Is the number (?P<number>\d+) shown in the video\?": Ways(
        direct=(
            *_seen("[the number |]{number}").direct,
            *_seen("a {number}").direct,
            "does [the number |]{number} flash<video>",
            "is one of the numbers[| a] {number}",
            "is {number} one of the numbers<video>",
            "is [it|the number|that] [a |]{number}",
            "does [a|the|any] card say {number}",
        ),
        clauses=_seen("[the number |]{number}").clauses,
    ),
    r"Does the (?P<shape>\w+) move\?": Ways(
        direct=(
            "does the {shape} move[| at all| around]<video>",
            "is the {shape} moving[| at all]<video>",
            "is the {shape} in motion<video>",
            "did the {shape} move<video>",
            "do you see the {shape} move<video>",
            "can you see the {shape} moving<video>",
        ),
        clauses=("[whether|if] the {shape} [moves|is moving|moved]<video>",),
    ),
    r"Does anything move in the video\?": Ways(
        direct=(
            "does [anything|something] move[| at all]<video>",
            "is [anything|something] moving[| at all]<video>",
            "is there [any |]motion<video>",
            "do you see [any motion|anything move|anything moving]<video>",
            "can you see [any motion|anything move|anything moving]<video>",
            "are there [things that move|moving things]<video>",
            "did anything move<video>",
        ),
        clauses=("[whether|if] [anything|something] [moves|is moving]<video>",),
    ),
}
"""Questions whose answer is yes or no."""
