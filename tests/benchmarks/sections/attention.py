"""What does it cost to see what a vision tower attends to, beside running the tower alone?"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

from benchmarks.effort import Effort
from benchmarks.process import Json, Laps, in_fresh_process, logger, timing

if TYPE_CHECKING:
    from torch import Tensor

Way = Literal["plain", "watched", "slow"]
TARGET: Final = 1.1
"""Most time and memory, in those of the tower alone."""
LAYERS: Final = 4
"""Published towers have six times as many, of which one is watched all the same."""
FRAMES: Final = 2
PEER: Final = "the tower alone"
SIZES: Final[dict[str, tuple[str, Json]]] = {
    "CLIP ViT-L/14 at 336, CLS": (
        "CLIPVision",
        {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
        | {"image_size": 336, "patch_size": 14},
    ),
    "SigLIP SO400M/14 at 384, received": (
        "SiglipVision",
        {"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16}
        | {"image_size": 384, "patch_size": 14, "vision_use_head": False},
    ),
    "InternViT-300M/14 at 448, CLS": (
        "InternVLVision",
        {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
        | {"image_size": 448, "patch_size": 14},
    ),
}
"""Towers by what is asked of them: the attention of a summary token, or the attention received."""


def time_run(laps: Laps, *, tower: str, rounds: int, layers: int, frames: int) -> Json:
    """Times the tower alone and watched, in turns."""
    model, pixels = _build(tower, layers, frames)
    ways: tuple[Way, ...] = "plain", "watched"
    for turn in range(rounds + 1):
        for way in ways if turn % 2 else ways[::-1]:
            with laps.lap(way):
                features = _forward(tower, model, pixels, way)
    return {"tokens": features.shape[1]}


def memory_run(laps: Laps, *, tower: str, way: Way, layers: int, frames: int) -> Json:
    """Builds a tower and runs it once, alone, watched, or in the slow way that gives weights."""
    with laps.lap():
        model, pixels = _build(tower, layers, frames)
        _forward(tower, model, pixels, way)
    return {}


def measure(effort: Effort, clips: Path | None) -> Json:
    """Returns what it costs to see what a vision tower attends to."""
    rows = [row for name in SIZES for row in _rows(name, effort.planning_rounds)]
    ours = [row for row in rows if row["way"] == "watched"]
    return {
        "question": f"time and memory of a tower of {LAYERS} layers with the attention of its last "
        f"one, over {FRAMES} frames in float32; peer: {PEER}",
        "asked": f"times_peer and peak_growth <= {TARGET}",
        "met": {row["name"]: _ratio(row) <= TARGET for row in ours},
        "rows": rows,
    }


def _build(tower: str, layers: int, frames: int) -> tuple[Any, Tensor]:
    import torch
    import transformers

    architecture, options = SIZES[tower]
    torch.manual_seed(0)
    config = getattr(transformers, f"{architecture}Config")(**options, num_hidden_layers=layers)
    side = options["image_size"]
    model = getattr(transformers, f"{architecture}Model")(config).eval()
    return model, torch.randn(frames, 3, side, side)


def _forward(tower: str, model: Any, pixels: Tensor, way: Way) -> Tensor:
    import torch

    from framesift.hf.probe import watch

    layer = [part for name, part in model.named_modules() if name.endswith("attention")]
    layer += [part for name, part in model.named_modules() if name.endswith("self_attn")]
    summary = 0 if tower.endswith("CLS") else None
    model.set_attn_implementation("eager" if way == "slow" else "sdpa")
    with torch.inference_mode():
        with watch(layer[-1], summary) if way == "watched" else nullcontext() as seen:
            output = model(pixel_values=pixels, output_attentions=way == "slow")
        if seen is not None:
            _ = seen.attention, seen.keys
    features: Tensor = output.last_hidden_state
    return features


def _ratio(row: Json) -> float:
    return float(row["times_peer"] if "times_peer" in row else row["peak_growth"])


def _rows(name: str, rounds: int) -> list[Json]:
    sizes = {"layers": LAYERS, "frames": FRAMES}
    run = in_fresh_process(time_run, tower=name, rounds=rounds, **sizes)
    plain, watched = (run.seconds[way][1:] for way in ("plain", "watched"))
    rows: list[Json] = [
        {
            "name": f"{name}: time",
            "way": "watched",
            "tokens": run.facts["tokens"],
            **timing(watched),
            "peer": PEER,
            "peer_seconds": round(median(plain), 6),
            "times_peer": round(median(watched) / median(plain), 3),
        }
    ]
    grown = {}
    for way in ("plain", "watched", "slow"):
        peak = in_fresh_process(memory_run, tower=name, way=way, **sizes)
        grown[way] = peak.peak_bytes - peak.start_bytes
    for way in ("watched", "slow"):
        rows.append(
            {
                "name": f"{name}: memory" + (" of eager attention" if way == "slow" else ""),
                "way": way,
                "peak_bytes": grown[way],
                "peer": PEER,
                "peer_peak_bytes": grown["plain"],
                "peak_growth": round(grown[way] / grown["plain"], 3),
            }
        )
    logger.info("%s: %s", name, rows)
    return rows
