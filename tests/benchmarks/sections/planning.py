"""How long does each strategy plan, beside the simplest pruning and beside decoding the video?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.effort import Effort
from benchmarks.process import (
    Json,
    Laps,
    MeasurementError,
    in_fresh_process,
    logger,
    timing,
)

if TYPE_CHECKING:
    from framesift.types.tokens import VideoTokens

GRID: Final = (14, 14)
CHANNELS: Final = 1024
KEEP: Final = 0.25
PEER: Final = "largest norms in plain torch"
QUESTION: Final = "What is shown?"
PLANNED: Final = ("uniform", "random", "attention", "temporal", "chain")
"""Strategies that are timed at several lengths; the catalogue has all of them at one."""


def plan_run(laps: Laps, *, strategy: str, frames: int, rounds: int) -> Json:
    """Times `strategy` and the peer in turns over random tokens `(frames, 196, 1024)`."""
    from framesift.strategies.base import create_strategy

    tokens, part = _tokens(frames), create_strategy(strategy)
    budget = round(KEEP * tokens.count)
    for _ in range(rounds + 1):
        with laps.lap(PEER):
            norms = tokens.features.flatten(0, 1).norm(dim=-1)
            norms.topk(budget).indices.sort()
        with laps.lap(strategy):
            plan = part.plan(tokens, budget, QUESTION)
    return {"tokens_out": plan.num_out}


def share_run(laps: Laps, *, strategy: str, video: str, rounds: int) -> Json:
    """Returns the seconds of each stage of compressing `video`, once per round."""
    from framesift.compression.compressor import VideoCompressor

    sift = VideoCompressor(strategy=strategy, keep=KEEP)
    return {"stages": [sift.compress(video, QUESTION).report.seconds for _ in range(rounds)]}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns how long strategies plan, beside the simplest rule and beside decoding."""
    from benchmarks.videos import numbered_clip

    video = numbered_clip(seconds=effort.clip_seconds, gop=250)
    return results(video, frames=effort.frames, rounds=effort.planning_rounds)


def results(
    video: Path, *, frames: Sequence[int], rounds: int, names: Sequence[str] = PLANNED
) -> Json:
    """Returns the section of results about planning by the strategies in `names`."""
    rows: list[Json] = []
    failed: dict[str, str] = {}
    for name in names:
        for count in frames:
            try:
                rows.append(_plan_row(name, count, rounds))
            except MeasurementError as error:
                failed[f"{name} at {count} frames"] = str(error)
    shares, unfit = _shares(video, names, rounds)
    return {
        "question": f"plan time at {KEEP:.0%} of T x {GRID[0] * GRID[1]} float32 tokens with "
        f"{CHANNELS} channels and random signals; peer: {PEER} (norm, topk, sort)",
        "rows": rows,
        "shares_of_decode": shares,
        "failed": failed,
        "skipped": unfit,
    }


def _tokens(frames: int) -> VideoTokens:
    import torch

    from framesift.types.tokens import Signals, VideoTokens

    torch.manual_seed(0)
    shape = (frames, GRID[0] * GRID[1])
    return VideoTokens(
        features=torch.randn(*shape, CHANNELS),
        grid=GRID,
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        signals=Signals(
            attention=torch.rand(shape),
            keys=torch.randn(*shape, 64),
            edge_density=torch.rand(shape),
            question_similarity=torch.rand(shape),
            llm_attention=torch.rand(shape),
            text=torch.rand(shape),
        ),
    )


def _plan_row(name: str, frames: int, rounds: int) -> Json:
    run = in_fresh_process(
        plan_run, strategy=name, frames=frames, rounds=rounds, timeout_seconds=600.0
    )
    seconds, peer = run.seconds[name][1:], run.seconds[PEER][1:]
    logger.info("%s at %d frames: %.3f s", name, frames, median(seconds))
    return {
        "name": name,
        "frames": frames,
        **timing(seconds),
        "peer": PEER,
        "peer_seconds": round(median(peer), 6),
        "times_peer": round(median(seconds) / median(peer), 2),
    }


def _shares(video: Path, names: Sequence[str], rounds: int) -> tuple[list[Json], dict[str, str]]:
    """Returns plan time over decode time of `compress`, and the strategies that cannot run so."""
    from framesift.encoders import registry as encoders
    from framesift.strategies.base import create_strategy

    gives = encoders.get("handcrafted").gives
    rows: list[Json] = []
    skipped: dict[str, str] = {}
    for name in names:
        if missing := sorted(create_strategy(name).required_signals - gives):
            skipped[name] = f"the handcrafted encoder does not give {', '.join(missing)}"
            continue
        run = in_fresh_process(share_run, strategy=name, video=video, rounds=rounds)
        shares = [stages["plan"] / stages["decode"] for stages in run.facts["stages"]]
        rows.append(
            {
                "name": name,
                "peer": "decode stage of the same run",
                "share_of_decode": round(median(shares), 5),
                "runs_seconds": [
                    {stage: round(value, 6) for stage, value in stages.items()}
                    for stages in run.facts["stages"]
                ],
            }
        )
    return rows, skipped
