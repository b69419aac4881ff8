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
    "would you say [that |]there is %s",
    "is it true that there is %s",
    "there is %s[, right|, is there not|, correct]",
    "any sign of %s<video>",
    "is %s among the things [shown|you see]",
    "is %s [present|featured|around]<video>",
    "[does|did] it [show|have|contain] %s",
    "am I right that %s is [shown|there]",
    "%s, yes or no",
    "yes or no: is there %s",
    "did [you|we] [catch|come across|find] %s",
    "[do|did] they show %s",
    "was %s [on screen|to be seen|around|part of the video]",
    "has %s been [shown|there|seen]",
    "at some point, [is|was] there %s",
    "can I find %s<video>",
    "is there anything like %s<video>",
    "will I see %s<video>",
)
OTHERS: Final = 3
"""How often each way of its own comes beside those that all things share."""
WHETHER: Final = (
    "[whether|if] there is %s<video>",
    "[whether|if] you see %s",
    "if %s [appears|is shown]",
)


def _seen(name: str, *others: str) -> Ways:
    """Returns ways to ask whether something is there, by what stands for its name, and others."""
    return Ways(
        direct=(*(way.replace("%s", name) for way in SEEN), *others * OTHERS),
        clauses=tuple(way.replace("%s", name) for way in WHETHER),
    )


DOUBTS: Final[dict[str, Ways]] = {
    r"Is there (?P<thing>an? \w+ \w+) in the video\?": _seen("{thing}"),
    r"Does (?P<shape>an? \w+) ever appear in the video\?": _seen("{shape}"),
    r"Does (?P<card>an? \w+ card) appear in the video\?": _seen("{card}"),
    r"Is (?P<other>an? [\w ]+) ever in the video\?": _seen("{other}"),
    r"Is there a sign in the video\?": _seen(
        "[a sign|a sign on the wall|any sign]",
        "does a sign hang [on the wall|there]",
        "are there [any |]signs[| on the wall]",
        "is a sign on the wall",
    ),
    r"Is any number shown in the video\?": _seen(
        "[a number|any number|some number]",
        "are there [any |]numbers<video>",
        "do [any |]numbers [appear|flash|show up]<video>",
        "does [a|any] number flash<video>",
        "are [any |]numbers shown<video>",
        "is there [something|anything] with a number",
    ),
    r"Is there a text in the corner\?": _seen(
        "[a text|any text|a code|a label] in the corner",
        "is [anything|something] [written|shown] in [the|a] corner",
        "does the corner [have|show|say] [a text|something|anything]",
        "are there letters in the corner",
        "is there [something|anything] to read in the corner",
        "is there [anything|something] in the corner",
    ),
    r"Is the (?P<landscape>sea|forest|desert|snowfield|night sky|sunset) shown in the video\?": (
        _seen(
            "[the|a] {landscape}",
            "is one of the <views> [the|a] {landscape}",
            "do we [go|come|get] to [the|a] {landscape}",
        )
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
            "is it [the number |]{number} that [flashes|is shown]",
            "is {number} [among|one of|in] the numbers[| shown]",
            "[does|did] {number} [flash|show up|come up|appear]<video>",
            "was it {number}",
            "is there a card with {number}",
            "is {number} [written|printed] on [a|the] card",
            "is one of the cards {number}",
            "do you read {number} anywhere",
            "was the number {number} [there|shown]",
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
            "does the {shape} [travel|drift|go anywhere|go somewhere|leave its place]<video>",
            "is the {shape} [on the move|in movement]",
            "has the {shape} moved[| at all]",
            "is there any motion of the {shape}",
            "the {shape}: does it move",
            "was the {shape} moving[| at all]",
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
