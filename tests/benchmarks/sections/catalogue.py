"""What does each strategy cost beside encoding the frames, and how does that grow with them?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.effort import Effort
from benchmarks.process import (
    Json,
    Laps,
    MeasurementError,
    in_fresh_process,
    logger,
    timing,
)
from benchmarks.sections.planning import CHANNELS, GRID, KEEP, plan_run
from framesift.registry import require

FRAMES: Final = 128
GROWTH: Final = (32, 64, 128, 256, 512, 1024)
DEFAULTS: Final = ("temporal",)
TOWER: Final = "CLIP ViT-L/16 at 224"
TOWER_FRAMES: Final = 4
"""Frames that go through the tower; its time is in proportion to them."""
LAYERS: Final = 24
TARGET: Final = 0.02
"""Largest share of encoding that planning by a default strategy may take."""


def tower_run(laps: Laps, *, frames: int, layers: int, rounds: int) -> Json:
    """Times the tower that makes tokens of the table's size, with random weights, in float32."""
    import torch

    transformers = require("transformers", extra="hf")
    torch.manual_seed(0)
    side = GRID[0] * 16
    config = transformers.CLIPVisionConfig(
        hidden_size=CHANNELS,
        intermediate_size=4 * CHANNELS,
        num_attention_heads=16,
        num_hidden_layers=layers,
        image_size=side,
        patch_size=16,
    )
    model = transformers.CLIPVisionModel(config).eval()
    pixels = torch.randn(frames, 3, side, side)
    for _ in range(rounds + 1):
        with laps.lap(), torch.inference_mode():
            features = model(pixels).last_hidden_state
    return {"tokens": (features.shape[1] - 1) * frames, "channels": features.shape[2]}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns what each strategy takes beside encoding the same frames."""
    return results(rounds=effort.catalogue_rounds)


def results(
    *,
    rounds: int,
    frames: int = FRAMES,
    growth: Sequence[int] = GROWTH,
    names: Sequence[str] | None = None,
    defaults: Sequence[str] = DEFAULTS,
    tower_frames: int = TOWER_FRAMES,
    layers: int = LAYERS,
) -> Json:
    """Returns the section of results about the whole catalogue.

    Args:
        rounds: how often each is timed after a first time that does not count.
        frames: frames of the table.
        growth: ascending numbers of frames at which the default strategies are timed.
        names: strategies of the table; all by default.
        defaults: those that are timed for growth and held to a share of encoding.
        tower_frames: frames that go through the tower, whose time is scaled to `frames`.
        layers: layers of the tower.
    """
    from framesift.strategies import registry

    tower = in_fresh_process(tower_run, frames=tower_frames, layers=layers, rounds=rounds)
    encoding = median(tower.seconds["work"][1:]) * frames / tower_frames
    rows: list[Json] = []
    failed: dict[str, str] = {}
    for name in names or registry.names():
        try:
            rows.append(_row(name, frames, rounds, encoding))
        except MeasurementError as error:
            failed[name] = str(error)
    shares = {row["name"]: row["times_peer"] for row in rows}
    return {
        "question": f"planning {KEEP:.0%} of {frames} x {GRID[0] * GRID[1]} float32 tokens with "
        f"{CHANNELS} channels and random signals; peer: {TOWER} with random weights and {layers} "
        f"layers, timed on {tower_frames} frames and scaled to {frames}",
        "asked": f"times_peer <= {TARGET} for {', '.join(defaults)}",
        "met": {name: shares[name] <= TARGET for name in defaults if name in shares},
        "encoding": {"frames": tower_frames, **timing(tower.seconds["work"][1:]), **tower.facts},
        "rows": rows,
        "growth": {name: _growth(name, growth, rounds) for name in defaults},
        "failed": failed,
    }


def _row(name: str, frames: int, rounds: int, encoding: float) -> Json:
    run = in_fresh_process(
        plan_run, strategy=name, frames=frames, rounds=rounds, timeout_seconds=600.0
    )
    seconds = run.seconds[name][1:]
    row = {
        "name": name,
        "frames": frames,
        "tokens_out": run.facts["tokens_out"],
        **timing(seconds),
        "peak_bytes": run.peak_bytes - run.start_bytes,
        "peer": f"{TOWER} on the same frames",
        "peer_seconds": round(encoding, 6),
        "times_peer": round(median(seconds) / encoding, 6),
    }
    logger.info("%s", row)
    return row


def _growth(name: str, growth: Sequence[int], rounds: int) -> Json:
    """Returns times by frames, and by which power of the frames time grows between neighbours."""
    rows = []
    for frames in growth:
        run = in_fresh_process(plan_run, strategy=name, frames=frames, rounds=rounds)
        rows.append({"frames": frames, **timing(run.seconds[name][1:])})
    powers = [
        math.log(more["seconds"] / few["seconds"]) / math.log(more["frames"] / few["frames"])
        for few, more in itertools.pairwise(rows)
    ]
    return {"rows": rows, "powers": [round(power, 3) for power in powers]}
