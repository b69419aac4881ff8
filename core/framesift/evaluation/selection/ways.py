"""The ways to choose frames that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from framesift.evaluation.selection.question_sets import LENGTHS, Scope

COUNT: Final = 4
"""Frames that are chosen."""
BOTH: Final[tuple[Scope, ...]] = ("local", "global")
UNIFORM, TWICE, WHOLE = "uniform", "uniform, twice as many", "all frames"
TRAINED, WITHOUT_NMS, ROUTED = "trained", "trained, without NMS", "auto"
KEYFRAMES, NOVELTY, SIMILARITY = "keyframes", "novelty", "similarity"
MOST: Final = 64
"""Frames that the embedded model was trained to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionWay:
    """One way to choose frames."""

    name: str
    selector: str
    """Spec string."""
    count: int = COUNT
    scopes: tuple[Scope, ...] = BOTH
    """Questions that it is measured on."""
    lengths: tuple[int, ...] = LENGTHS
    """Numbers of candidates that it is measured at."""
    readers: int | None = None
    """Of how many readers, the first ones, answers are asked; None for all."""


def default_ways(trained: str) -> list[SelectionWay]:
    """Returns what the trained selector is compared with.

    Args:
        trained: spec string of the scorer that was trained.
    """
    return [
        SelectionWay(name=UNIFORM, selector="uniform"),
        SelectionWay(name=TWICE, selector="uniform", count=2 * COUNT),
        SelectionWay(
            name=WHOLE,
            selector="uniform",
            count=MOST,
            lengths=tuple(length for length in LENGTHS if length <= MOST),
            readers=1,
        ),
        SelectionWay(name=KEYFRAMES, selector="keyframes", scopes=("local",)),
        SelectionWay(name=NOVELTY, selector="nms:scorer=novelty", scopes=("local",)),
        SelectionWay(name=SIMILARITY, selector="nms:scorer=similarity", scopes=("local",)),
        SelectionWay(name=TRAINED, selector=f"nms:scorer=[{trained}]"),
        SelectionWay(
            name=WITHOUT_NMS,
            selector=f"topk:scorer=[{trained}]",
            scopes=("local",),
            readers=1,
        ),
        SelectionWay(name=ROUTED, selector=f"auto:scorer=[{trained}]"),
    ]


def ablations(scorers: Sequence[str]) -> list[SelectionWay]:
    """Returns ways that differ in the trained scorer, each `NAME=SPEC`, at one length."""
    named = [scorer.partition("=") for scorer in scorers]
    return [
        SelectionWay(
            name=name,
            selector=f"nms:scorer=[{spec}]",
            scopes=("local",),
            lengths=(32,),
            readers=1,
        )
        for name, _, spec in named
    ]
