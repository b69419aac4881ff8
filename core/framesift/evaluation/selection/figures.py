"""Right answers of each way to choose frames, what choosing cost, and differences between ways.

Every interval is the middle 95 % of a bootstrap over videos.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from framesift.evaluation.answers.bootstrap import Interval, ratio_interval, sums_by_video
from framesift.evaluation.answers.statistics import DECIMALS, rounded
from framesift.evaluation.selection.choices import Choice

Group = tuple[str, str, int, str]
"""Reader, scope of the questions, candidates, and way."""
COSTS: Final = ("frames_decoded", "frames_encoded", "calls", "seconds")


def rows(choices: Iterable[Choice]) -> list[dict[str, Any]]:
    """Returns accuracy, hits and cost of each way, by reader, scope and number of candidates."""
    return [
        {
            **_named(group),
            "count": own[0].count,
            "questions": len(own),
            "videos": len({choice.video for choice in own}),
            **_share("right", own, [choice.right for choice in own]),
            **_share("hit", own, [choice.hit for choice in own]),
            **{
                f"unseen_{name}": value
                for name, value in _unseen(own).items()
                if group[1] == "local"
            },
            **{f"{name}_each": _mean([getattr(one, name) for one in own]) for name in COSTS},
        }
        for group, own in _groups(choices).items()
    ]


def differences(choices: Iterable[Choice], way: str) -> list[dict[str, Any]]:
    """Returns how much more often `way` is right than each other one, on the same questions."""
    groups = _groups(choices)
    found = []
    for group, own in groups.items():
        best = groups.get((*group[:3], way))
        if group[3] == way or best is None:
            continue
        pairs = {choice.place: choice for choice in own}
        both = [(one, pairs[one.place]) for one in best if one.place in pairs]
        if both:
            gains = [float(one.right) - float(other.right) for one, other in both]
            of = [one for one, _ in both]
            found.append({**_named(group), **_share("gain", of, gains), "pairs": len(both)})
    return found


def as_of(rows: Sequence[dict[str, Any]], *group: str | int) -> dict[str, Any] | None:
    """Returns the row of a reader, scope, number of candidates and way; None without one."""
    names = ("reader", "scope", "candidates", "way")
    matching = (row for row in rows if tuple(row[name] for name in names) == group)
    return next(matching, None)


def _groups(choices: Iterable[Choice]) -> dict[Group, list[Choice]]:
    groups: dict[Group, list[Choice]] = {}
    for choice in choices:
        group = (choice.reader, choice.scope, choice.candidates, choice.way)
        groups.setdefault(group, []).append(choice)
    return groups


def _named(group: Group) -> dict[str, Any]:
    return dict(zip(("reader", "scope", "candidates", "way"), group, strict=True))


def _unseen(own: Sequence[Choice]) -> dict[str, Any]:
    """Returns the share of right answers to questions in wordings that training left out."""
    unseen = [choice for choice in own if choice.wording == "unseen"]
    if not unseen:
        return {"right": None, "questions": 0}
    right = _mean([choice.right for choice in unseen])
    return {"right": right, "questions": len(unseen)}


def _share(name: str, own: Sequence[Choice], values: Sequence[float]) -> dict[str, Any]:
    columns = [[float(value), 1.0] for value in values]
    interval: Interval | None = ratio_interval(
        sums_by_video([choice.video for choice in own], columns)
    )
    return {name: _mean(values), f"{name}_interval": rounded(interval)}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), DECIMALS)
