"""What is asked of framesift on a card, beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

CHEAP: Final = ("temporal", "evs", "vidcom2", "attention")
DEAR: Final = ("scissor", "cdpruner", "sttm")
"""Strategies of which no share of encoding is asked."""
MOST_KERNELS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One line of the table."""

    name: str
    asked: str
    measured: float
    met: bool

    def as_row(self, *, on_gpu: bool) -> dict[str, Any]:
        """Returns the goal as JSON has it; nothing meets it that ran on no GPU."""
        return {
            "name": self.name,
            "asked": self.asked,
            "measured": round(self.measured, 4),
            "met": self.met if on_gpu else None,
        }


def goals(results: dict[str, Any]) -> list[Goal]:
    """Returns what the results of a run say about each goal."""
    found = list(_plans(results["planning"], results["kind"])) if results["planning"] else []
    for model in results["models"]:
        found += _model(model)
    return found


def _most(name: str, limit: float, measured: float) -> Goal:
    return Goal(name=name, asked=f"<= {limit:g}", measured=measured, met=measured <= limit)


def _least(name: str, limit: float, measured: float) -> Goal:
    return Goal(name=name, asked=f">= {limit:g}", measured=measured, met=measured >= limit)


def _plans(planning: dict[str, Any], kind: str) -> Iterator[Goal]:
    shares = {row["strategy"]: row["share_of_encoding"] for row in planning["rows"]}
    for name in CHEAP:
        if name in shares:
            yield _most(f"plan of {name} / encoding by {planning['tower']}", 0.05, shares[name])
    others = {name: share for name, share in shares.items() if name not in (*CHEAP, *DEAR)}
    if others:
        dearest = max(others, key=lambda name: others[name])
        yield _most(f"dearest of the other plans ({dearest}) / encoding", 0.25, others[dearest])
    launches = {row["strategy"]: row["launches"] for row in planning["rows"]}
    if launches.get("temporal") is not None:
        launched = "kernels" if kind == "cuda" else "operations of torch"
        yield _most(f"{launched} of a plan of temporal", MOST_KERNELS, launches["temporal"])


def _model(model: dict[str, Any]) -> Iterator[Goal]:
    name = model["name"]
    for size in model["first_tokens"][-1:]:
        yield from _longest(name, size)
    shares = [
        1 / row["times_as_fast_as_own"]
        for size in model["first_tokens"]
        for row in size["rows"]
        if row["keep"] <= 0.75 and row["times_as_fast_as_own"]
    ]
    if shares:
        yield _most(f"{name}: slowest at keep 0.75 or less / own path", 1.05, max(shares))
    yield from _skipping(model)
    decoding = model["decoding"]
    if decoding and decoding["compiled"]:
        compiled = decoding["compiled"]
        yield _most(
            f"{name}: time per answer token, compiled / usual",
            0.35,
            decoding["compiled_times_usual"],
        )
        yield _most(
            f"{name}: second question / first from the file, compiled",
            0.15,
            compiled["second_times_first"],
        )


def _longest(name: str, size: dict[str, Any]) -> Iterator[Goal]:
    frames = size["frames"]
    for row in size["rows"]:
        if row["keep"] == 0.25 and row["times_as_fast_as_own"]:
            yield _least(
                f"{name}: frames to first token, {frames} frames, keep 0.25, against the own path",
                2.2,
                row["times_as_fast_as_own"],
            )
    if size["encode_times_tower"]:
        yield _most(
            f"{name}: encoding {frames} frames / tower and projector alone",
            1.25,
            size["encode_times_tower"],
        )


def _skipping(model: dict[str, Any]) -> Iterator[Goal]:
    own = {size["frames"]: size["own"] for size in model["first_tokens"]}
    for row in model["skipping"]:
        where = f"{model['name']}: skipping, {row['frames']} frames"
        if not row["still"]:
            yield _most(f"{where}, nothing still: encoding / without", 1.03, row["times_whole"])
        elif own.get(row["frames"]):
            speed = own[row["frames"]]["seconds"] / row["first_token_seconds"]
            yield _least(f"{where}, 3/4 still: to first token, against the own path", 3.5, speed)
