"""Numbers in English words, as prompts of vision LLMs count frames."""

from __future__ import annotations

from typing import Final

UNDER_TWENTY: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(number: int) -> str:
    """Returns a count below a million in words: 1105 is "one thousand, one hundred and five"."""
    if number < 20:
        return UNDER_TWENTY[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return TENS[tens - 2] + (f"-{UNDER_TWENTY[ones]}" if ones else "")
    unit, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    many, rest = divmod(number, unit)
    words = f"{in_words(many)} {name}"
    if not rest:
        return words
    return f"{words} and {in_words(rest)}" if rest < 100 else f"{words}, {in_words(rest)}"
