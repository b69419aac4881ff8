"""How does the time of planning grow with the number of frames?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import linear_regression
from typing import Final

from framesift.evaluation._bench_process import (
    Json,
    Laps,
    MeasurementError,
    in_fresh_process,
    logger,
    timing,
)

FRAMES: Final = (32, 64, 128, 256, 512, 1024)
NAMES: Final = ("temporal", "evs", "vidcom2", "scissor")
LIMITS: Final = {"scissor": 128}
"""Most frames of strategies that compare every pair of tokens, so that a run ends in minutes."""
GRID: Final = (14, 14)
CHANNELS: Final = 256
KEEP: Final = 0.25


def growth_run(laps: Laps, *, strategy: str, frames: int, channels: int, rounds: int) -> Json:
    """Times planning of a video whose places stand still with some noise."""
    import torch

    from framesift.strategies.base import create_strategy
    from framesift.types.tokens import VideoTokens

    random, patches = torch.Generator().manual_seed(0), GRID[0] * GRID[1]
    features = torch.randn(frames, patches, channels, generator=random).mul_(0.3)
    features += torch.randn(patches, channels, generator=random)
    tokens = VideoTokens(
        features=features, grid=GRID, pts_seconds=torch.arange(frames, dtype=torch.float64)
    )
    part, budget = create_strategy(strategy), round(KEEP * tokens.count)
    for _ in range(rounds + 1):
        with laps.lap():
            plan = part.plan(tokens, budget)
    return {"tokens_out": plan.num_out}


def measure(
    *,
    rounds: int,
    names: Sequence[str] = NAMES,
    frames: Sequence[int] = FRAMES,
    channels: int = CHANNELS,
) -> Json:
    """Returns the section of results about growth.

    Args:
        rounds: how often each is timed after a first time that does not count.
        names: strategies that are timed.
        frames: ascending lengths of the videos, at least two of them within each limit.
        channels: channels of the features.
    """
    rows: list[Json] = []
    failed: dict[str, str] = {}
    for name in names:
        lengths = [count for count in frames if count <= LIMITS.get(name, max(frames))]
        try:
            rows.append(_row(name, lengths, channels, rounds))
        except MeasurementError as error:
            failed[name] = str(error)
    return {
        "question": f"plan time at {KEEP:.0%} of T x {GRID[0] * GRID[1]} float32 tokens with "
        f"{channels} channels; exponent: slope of a line through the logarithms of time and T",
        "rows": rows,
        "failed": failed,
    }


def exponent(frames: Sequence[int], seconds: Sequence[float]) -> float:
    """Returns the power of the number of frames by which time grows, by least squares of logs."""
    logs = [math.log(count) for count in frames], [math.log(value) for value in seconds]
    return linear_regression(*logs).slope


def _row(name: str, lengths: Sequence[int], channels: int, rounds: int) -> Json:
    """Returns the times of a strategy by frames; `seconds` are those of the longest video."""
    times = []
    for count in lengths:
        run = in_fresh_process(
            growth_run, strategy=name, frames=count, channels=channels, rounds=rounds
        )
        times.append(timing(run.seconds["work"][1:]))
    seconds = [time["seconds"] for time in times]
    row = {
        "name": name,
        "frames": list(lengths),
        "by_frames": times,
        "seconds": seconds[-1],
        "exponent": round(exponent(lengths, seconds), 3),
    }
    logger.info("%s", row)
    return row
