"""How people ask what a synthetic video answers, by the pattern of the question."""

from __future__ import annotations

from typing import Final

from framesift.synthetic.wording_grammar import Ways

WAYS: Final[dict[str, Ways]] = {
    r"What number flashes in the video\?": Ways(
        direct=(
            "<what> number <shows><video>",
            "<what> number [do|can] you see<video>",
            "<what> number did you see<video>",
            "<what> number was [shown|on the card|displayed]",
            "what does the [number|card] say",
            "what [is written|stands] on the card",
            "what number is [it|that|on the card]",
            "can you read the [number|card]",
        ),
        clauses=("<what> number <shows><video>", "what the number is", "which number it is"),
        nouns=("the number<video>", "the number that <shows>", "the number on the card"),
    ),
    r"In which half of the picture does the number flash, left or right\?": Ways(
        direct=(
            "[in|on] which [half|side|part] [is|was] the number[|, left or right|: left or right]",
            "is the [number|card] [left or right|on the left or the right]",
            "is the [number|card] to the left or the right",
            "[where|on which side] does the number [flash|appear|show up|come up], left or right",
            "where is the [number|card], [left or right|on the left or on the right]",
            "[which|what] side is the number on[|, left or right]",
            "left or right: where is the [number|card]",
            "does the number [flash|appear|show up] [left or right|in the left or the right half]",
        ),
        clauses=(
            "on which side the number [is|flashes|appears], left or right",
            "[whether|if] the number is left or right",
            "where the number is, left or right",
        ),
        nouns=("the side of the number, left or right", "the half with the number, left or right"),
    ),
    r"What color is the card with the number\?": Ways(
        direct=(
            "<what> <color> [is|was] the card[| with the number| of the number]",
            "<what> <color> does the card[| with the number] have",
            "<what> <color> is the [number card|number's card|card the number is on]",
            "on what <color> of card is the number",
            "on a card of which <color> [does the number flash|is the number]",
            "how is the card [colored|coloured]",
        ),
        clauses=("<what> <color> the card[| with the number] [is|has]",),
        nouns=(
            "the <color> of the card[| with the number]",
            "the card's <color>",
            "the <color> of the number's card",
        ),
    ),
    r"Which number is on the (?P<color>\w+) card\?": Ways(
        direct=(
            "<what> number [is|was|stands] on the {color} card",
            "<what> number [do you see|can you read|can be read|is shown] on the {color} card",
            "<what> number does the {color} card [show|have|say|carry]",
            "<what> number is the one on the {color} card",
            "what does it say on the {color} card",
            "what [can you read|do you read] on the {color} card",
            "on the {color} card, <what> number [is it|is there|do you see]",
            "the {color} card: <what> number [is it|is on it]",
        ),
        clauses=(
            "<what> number [is on the {color} card|the {color} card shows]",
            "what the {color} card says",
        ),
        nouns=("the number on the {color} card", "the {color} card's number", "the {color} number"),
    ),
    r"What is the (?P<end>first|last) number that flashes\?": Ways(
        direct=(
            "<what> number [flashes|is shown|appears|shows up|comes up|is displayed|comes] {end}",
            "<what> number [do you see|can you see|is seen] {end}",
            "<what> [one of the numbers|of the numbers] [flashes|comes|is shown|appears] {end}",
            "<what> is the {end} [of the numbers|number][| shown| to appear| you see]",
            "which number is the {end}[| one]",
        ),
        clauses=("<what> number [comes|flashes|is shown|appears] {end}",),
        nouns=(
            "the {end} number<video>",
            "the {end} of the numbers",
            "the {end} number that <shows>",
        ),
    ),
    r"How many numbers flash in the video\?": Ways(
        direct=(
            "how many numbers <show><video>",
            "how many numbers [are|were] there<video>",
            "how many [numbers do you see|numbers can you see|numbers did you see]<video>",
            "how many [different numbers|number cards|cards with numbers] [are there|<show>]",
            "count the [numbers|cards with numbers]<video>",
        ),
        clauses=("how many numbers [there are|<show>]<video>",),
        nouns=("the number of numbers<video>", "the count of [the|all] numbers"),
    ),
    r"Which way does the (?P<thing>\w+ \w+) move\?": Ways(
        direct=(
            "<way> does the {thing} [move|go|travel|drift]",
            "in what direction does the {thing} [move|go]",
            "<way> is the {thing} [moving|going|traveling|drifting]",
            "[which|what] direction does the {thing} [move in|go|take]",
            "[which|what] direction is the {thing} [moving|going] in",
            "does the {thing} [move|go] [left, right, up or down|up, down, left or right]",
            "is the {thing} [moving|going] left, right, up or down",
            "to [which|what] side does the {thing} move[|, left, right, up or down]",
            "[which way|where] did the {thing} [move|go]",
        ),
        clauses=(
            "[which way|where|in which direction] the {thing} [moves|goes|is moving|is going]",
        ),
        nouns=("the direction of the {thing}", "the direction in which the {thing} moves"),
    ),
    r"What color is the (?P<shape>\w+)\?": Ways(
        direct=(
            "<what> <color> [is|was] the {shape}<video>",
            "<what> <color> does the {shape} have<video>",
            "<what> <color> is the {shape} that [is shown|appears|you see]",
            "how is the {shape} [colored|coloured]",
            "the {shape} is <what> <color>",
            "the {shape} has <what> <color>",
            "of [what|which] <color> is the {shape}",
            "in <what> <color> is the {shape}[| shown| drawn]",
        ),
        clauses=("<what> <color> the {shape} [is|has]<video>",),
        nouns=("the <color> of the {shape}<video>", "the {shape}'s <color>", "the {shape} <color>"),
    ),
    r"What color is the (?P<shape>\w+) at the beginning\?": Ways(
        direct=(
            "<what> <color> [is|was|has] the {shape} [<first>|in the beginning]",
            "<what> <color> does the {shape} have [<first>|to begin with]",
            "[at the beginning|at first|at the start], <what> <color> is the {shape}",
            "with <what> <color> does the {shape} begin",
            "<what> <color> did the {shape} have [at first|at the beginning|at the start]",
        ),
        clauses=("<what> <color> the {shape} [is|has] [at the beginning|at first|at the start]",),
        nouns=(
            "the <color> of the {shape} [at the beginning|at first|at the start]",
            "the first <color> of the {shape}",
        ),
    ),
    r"What changed in the video\?": Ways(
        direct=(
            "what [changes|changed|has changed|is changing]<video>",
            "what is different [at the end|in the end|later|afterwards|now]",
            "what [is|was] the [change|difference]<video>",
            "what happened to the shapes",
            "how did the [shapes|picture|video] change",
            "what change [happens|happened|do you see|can be seen]<video>",
            "which change [happens|happened|do you see]",
        ),
        clauses=("what [changes|changed|has changed|is different]<video>",),
        nouns=(
            "the change<video>",
            "the difference [at the end|between the beginning and the end]",
        ),
    ),
    r"Which shape changed\?": Ways(
        direct=(
            "<what> shape [changes|changed|has changed|is changing]<video>",
            "<what> [of the shapes|one of the shapes] [changes|changed|has changed]",
            "<what> shape [is|was] different [at the end|later|afterwards]",
            "<what> shape does not stay [the same|as it is|as it was]",
            "<what> shape did something change about",
            "with which shape does something happen",
        ),
        clauses=("<what> shape [changes|changed|has changed]<video>",),
        nouns=("the shape that [changes|changed|has changed|is different]<video>",),
    ),
    r"How many different shapes appear in the video\?": Ways(
        direct=(
            "how many [shapes|different shapes] <show><video>",
            "how many [shapes|different shapes] [are|were] there<video>",
            "how many [shapes|different shapes] [do|can|did] you see<video>",
            "count the [shapes|different shapes]<video>",
            "how many [kinds|sorts] of shapes [are there|do you see]",
            "the video has how many shapes",
        ),
        clauses=("how many [shapes|different shapes] [there are|<show>]<video>",),
        nouns=("the number of [shapes|different shapes]<video>", "the shape count"),
    ),
    r"Which shape is seen last\?": Ways(
        direct=(
            "<what> shape [is seen|appears|comes|is shown|shows up|comes up] last",
            "<what> shape [do you see|is visible|can be seen] last",
            "<what> [is|was] the last shape[| you see| shown| to appear]",
            "<what> shape is the last[| one]",
            "<what> of the shapes [comes|appears|is seen|is shown] last",
            "<what> shape [comes|appears|is seen] [at the end|in the end]",
        ),
        clauses=("<what> shape [comes|appears|is seen|is shown] last",),
        nouns=("the last shape<video>", "the last of the shapes", "the shape that <shows> last"),
    ),
    r"What does the (?P<shape>\w+) do\?": Ways(
        direct=(
            "what does the {shape} <act>",
            "what [is|was] the {shape} doing<video>",
            "what did the {shape} do<video>",
            "what [happens|happened] [to|with] the {shape}<video>",
            "what do you see the {shape} do",
            "how does the {shape} [move|come in|act]",
            "does the {shape} cross the picture, appear, fall down or rise up",
        ),
        clauses=("what the {shape} [does|is doing]<video>", "what happens [to|with] the {shape}"),
        nouns=("the action of the {shape}", "the {shape} doing<video>"),
    ),
    r"What happens first: (?P<one>.+), or (?P<other>.+)\?": Ways(
        direct=(
            "[what|which] [happens|comes|occurs|is seen] first[:|,] {one}[,|] or {other}",
            "[what|which] happened first[:|,] {one}[,|] or {other}",
            "[which|what] [is|was] first[:|,] {one} or {other}",
            "[which|what] [happens|comes|is] earlier[:|,] {one} or {other}",
            "{one} or {other}: [which|what] [comes|happens|is] first",
            "[which of these|which of the two] [happens|comes] first: {one} or {other}",
            "is it first that {one} or that {other}",
        ),
        clauses=("[what|which] [happens|comes|is] first[:|,] {one} or {other}",),
        nouns=("the first of the two: {one} or {other}", "the earlier one: {one} or {other}"),
    ),
    r"How many different landscapes are shown\?": Ways(
        direct=(
            "how many [|different ]<views> [are shown|are there|appear|can be seen]<video>",
            "how many [|different ]<views> [do|can|did] you see<video>",
            "count the [|different ]<views><video>",
            "how many [|different ]<views> does the video [show|have]",
        ),
        clauses=("how many [|different ]<views> [are shown|there are|appear]<video>",),
        nouns=("the number of [|different ]<views><video>",),
    ),
    r"Which landscape is shown (?P<end>first|last)\?": Ways(
        direct=(
            "<what> <view> [is shown|comes|appears|is seen|do you see|is visible|shows up] {end}",
            "<what> [is|was] the {end} <view>[| shown| you see]",
            "<what> <view> is the {end}[| one]",
            "<what> of the <views> [comes|is shown] {end}",
        ),
        clauses=("<what> <view> [is shown|comes|appears|is seen] {end}",),
        nouns=("the {end} <view><video>", "the {end} of the <views>"),
    ),
    r"Which landscape comes right after the (?P<name>.+)\?": Ways(
        direct=(
            "<what> [<view> |][comes|is shown|is seen] [|right |directly |just ]after the {name}",
            "<what> <view> follows[| on| right after] the {name}",
            "what [follows|comes next after|is next after] the {name}",
            "after the {name}, [what|which <view>] [comes|is shown|comes next|follows|is next]",
            "what do you see [|right ]after the {name}",
            "<what> [<view> |]is next to come after the {name}",
        ),
        clauses=(
            "<what> <view> [comes|is shown|follows] [|right ]after the {name}",
            "what [follows|comes after] the {name}",
        ),
        nouns=("the <view> [|right ]after the {name}", "the next <view> after the {name}"),
    ),
    r"What is the text in the corner\?": Ways(
        direct=(
            "what [is|was] [written|shown|the text|the code|the label] in the corner",
            "what [text|code|label] [is|do you see|can you read|is shown|is written] in the corner",
            "what does the [text|code|label|card|corner] [in the corner |]say",
            "what does it say in the corner",
            "what [stands|can be read|can you read|do you read] in the corner",
            "which [text|letter and digit|code] [is|is shown] in the corner",
            "can you read the [text|code] in the corner",
        ),
        clauses=("what [is written|stands|it says] in the corner", "what the corner says"),
        nouns=("the [text|code|label] in the corner", "the corner [text|code]"),
    ),
    r"What does the sign on the wall say at the (?P<end>beginning|end)\?": Ways(
        direct=(
            "what does the [sign|sign on the wall|wall sign] say <ends>",
            "what [is|was] on the [sign|sign on the wall] <ends>",
            "what [is|was] [written on|the text of] the sign <ends>",
            "what did the sign say <ends>",
            "<ends>, what does the [sign|sign on the wall] say",
            "what [do you read|can you read|stands] on the sign <ends>",
            "which [text|words] [are|do you see] on the sign <ends>",
        ),
        clauses=("what the sign[| on the wall] says <ends>", "what is on the sign <ends>"),
        nouns=("the text [of|on] the sign <ends>", "the sign[| on the wall] <ends>"),
    ),
}
"""Questions that a video answers by what it shows."""
