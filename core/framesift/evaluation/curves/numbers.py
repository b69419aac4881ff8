"""The numbers behind the figures, taken out of a log of answers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.crossover import Crossover, crossover
from framesift.evaluation.answers.log import BLIND, ONE_FRAME, WHOLE, AnswerLog
from framesift.evaluation.answers.statistics import OVERALL, Share, shares
from framesift.evaluation.curves.figures import Timed
from framesift.evaluation.curves.lines import Point

COMPARED: Final = "temporal", "uniform"
"""Strategies whose crossing is looked for."""
QUARTER: Final = 0.25
"""The budget at which strategies are ranked, or the nearest one that was measured."""


class Numbers:
    """Shares of right answers of a log, ordered as figures and tables want them."""

    def __init__(self, log: AnswerLog) -> None:
        """Takes the shares out of `log`.

        Raises:
            InvalidOptionError: it has no answers of any strategy, or a question has two.
        """
        self.log = log
        all_shares = shares(log.answers)
        self.kinds = [
            name for name in dict.fromkeys(s.group for s in all_shares) if name != OVERALL
        ]
        self.by_group = {(s.strategy, s.keep, s.group): s for s in all_shares}
        overall = [share for share in all_shares if share.group == OVERALL]
        self.levels = sorted(filter(_is_level, overall), key=lambda share: -share.share)
        """Answers that do not depend on a budget, best first."""
        self.shortened = [share for share in overall if not _is_level(share)]
        """Answers of each strategy at each share of the tokens."""
        if not self.shortened:
            raise InvalidOptionError(
                f"{len(log.answers)} answers, and none of a strategy at a share of the tokens; "
                "draw the log of a run that got further"
            )

    @cached_property
    def keeps(self) -> list[float]:
        """Shares of the tokens that were asked for, ascending."""
        return sorted({share.keep for share in self.shortened})

    @cached_property
    def quarter(self) -> float:
        """The keep at which strategies are ranked."""
        return min(self.keeps, key=lambda keep: (abs(keep - QUARTER), keep))

    @cached_property
    def ranked(self) -> list[str]:
        """Strategies, the best at `quarter` first; those that were not measured there last."""
        at = {share.strategy: share.share for share in self.shortened if share.keep == self.quarter}
        names = dict.fromkeys(share.strategy for share in self.shortened)
        return sorted(names, key=lambda name: -at.get(name, -1.0))

    @cached_property
    def whole(self) -> Share | None:
        """Answers from all tokens."""
        return next((share for share in self.levels if share.strategy == WHOLE), None)

    @cached_property
    def lines(self) -> dict[str, list[Point]]:
        """Points over the tokens that were used, most first, by strategy.

        Where no strategy was asked to keep all tokens, its line begins at the answers from all of
        them: to keep everything is the same for each.
        """
        lines: dict[str, list[Point]] = {name: [] for name in self.ranked}
        for share in sorted(self.shortened, key=lambda share: -share.tokens_share):
            lines[share.strategy].append(_point(share))
        if self.whole is not None:
            for points in lines.values():
                if points[0].keep < self.whole.tokens_share:
                    points.insert(0, _point(self.whole))
        return lines

    @cached_property
    def crossing(self) -> Crossover | None:
        """Where the compared strategies cross; None if the log does not have both."""
        if not set(COMPARED) <= set(self.ranked):
            return None
        return crossover(self.log.answers, *COMPARED)

    @cached_property
    def timed(self) -> list[Timed]:
        """Ways whose time to the first token was taken; those that saw no video left out."""
        return [
            Timed(
                name=share.strategy,
                keep=None if _is_level(share) else share.keep,
                share=share.share,
                seconds=share.first_token_seconds,
            )
            for share in (*self.levels, *self.shortened)
            if share.first_token_seconds is not None and share.tokens
        ]

    def rows_of_kinds(self) -> Iterator[tuple[str, dict[str, Share]]]:
        """Yields each way at `quarter`, levels first, with its share of each kind of question."""
        ways = [(share.strategy, share.keep) for share in self.levels]
        for name, keep in ways + [(name, self.quarter) for name in self.ranked]:
            groups = (OVERALL, *self.kinds)
            row = {group: self.by_group.get((name, keep, group)) for group in groups}
            yield name, {group: share for group, share in row.items() if share is not None}


def _is_level(share: Share) -> bool:
    return share.strategy in (WHOLE, ONE_FRAME, BLIND) or share.keep == 0


def _point(share: Share) -> Point:
    return Point(keep=share.tokens_share, share=share.share, interval=share.interval)
