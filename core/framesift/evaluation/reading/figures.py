"""Shares of words read, by way and budget, and how much more that is than by another way.

Every interval is the middle 95 % of a bootstrap over videos.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from framesift.evaluation.answers.bootstrap import ratio_interval, sums_by_video
from framesift.evaluation.answers.statistics import DECIMALS, rounded

if TYPE_CHECKING:
    from framesift.evaluation.reading.measure import ReadCount

NAMES: Final = ("group", "way", "keep")


def rows(lines: Iterable[ReadCount]) -> list[dict[str, Any]]:
    """Returns the share of words that are read, by group of videos, way and keep."""
    return [
        {
            **dict(zip(NAMES, place, strict=True)),
            **_share("share", own, [(line.read, line.words) for line in own]),
            "tokens_share": round(
                sum(line.tokens for line in own) / sum(line.tokens_before for line in own), DECIMALS
            ),
            "videos": len({line.video for line in own}),
            "runs": len({line.spec for line in own}),
            "words": sum({line.video: line.words for line in own}.values()),
        }
        for place, own in _grouped(lines).items()
    ]


def gains(lines: Iterable[ReadCount], other: str) -> list[dict[str, Any]]:
    """Returns how much larger the share of each way is than that of `other`, on the same videos."""
    groups, found = _grouped(lines), []
    for place, own in groups.items():
        theirs = {line.video: line for line in groups.get((place[0], other, place[2]), [])}
        both = [(line, theirs[line.video]) for line in own if line.video in theirs]
        if place[1] != other and both:
            differences = [(line.read - peer.read, line.words) for line, peer in both]
            found.append(
                {
                    **dict(zip(NAMES, place, strict=True)),
                    **_share("more", [line for line, _ in both], differences),
                }
            )
    return found


def _grouped(lines: Iterable[ReadCount]) -> dict[tuple[str, str, float], list[ReadCount]]:
    groups: dict[tuple[str, str, float], list[ReadCount]] = {}
    for line in lines:
        groups.setdefault((line.group, line.way, line.keep), []).append(line)
    return groups


def _share(name: str, own: Sequence[ReadCount], parts: Sequence[tuple[int, int]]) -> dict[str, Any]:
    over, under = (sum(column) for column in zip(*parts, strict=True))
    interval = ratio_interval(sums_by_video([line.video for line in own], parts))
    return {name: round(over / under, DECIMALS), "interval": rounded(interval)}
