"""The tables of `docs/scale.md`: what a library of 100,000 videos takes, from measured pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.scale import Outcome, Station, Step, simulate

VIDEOS: Final = 100_000
MINUTES: Final = 10
GPUS: Final = (1, 8, 64)
CORES: Final = 16
"""For each GPU, as the machine has that its GPU was measured on."""
NETWORK: Final = 2.5e8
"""Bytes a second for each GPU: 2 Gbit/s, or 16 Gbit/s for a machine of eight."""
KEEP: Final = 0.25
FRAMES: Final = 60
"""Of a minute, at one frame a second."""
BYTES_A_NUMBER: Final = 2
FILES: Final = 3
"""Of a video: its tokens, its report, its row."""
SIMULATED: Final = 1_000
"""Videos of each GPU that are simulated; the time of more is in proportion."""
WRITERS: Final = 4
"""For each GPU; the next videos are encoded meanwhile."""
RESULTS: Final = "benchmark-scale.json"
CARD: Final = "gpu-h200.json"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """What an encoder takes on the card, a minute of video."""

    name: str
    gpu_seconds: float
    bytes_out: float

    @staticmethod
    def of(
        name: str, seconds: float, frames: int, tokens: int, channels: int, plan: float
    ) -> Encoder:
        """Returns it from a measurement of so many frames."""
        return Encoder(
            name=name,
            gpu_seconds=(seconds + plan) * FRAMES / frames,
            bytes_out=tokens * channels * BYTES_A_NUMBER * KEEP * FRAMES / frames,
        )


def library_tables(results: Path) -> Iterator[tuple[str, str]]:
    """Yields the tables by the names of their marks, where their results are kept."""
    if not (results / RESULTS).is_file():
        return
    section = json.loads((results / RESULTS).read_text())["sections"]["scale"]
    pieces, card = section["pieces"], json.loads((results / CARD).read_text())
    encoders = list(_encoders(card))
    yield "pieces", _table(_piece_rows(pieces, encoders))
    yield "library", _table(_library_rows(pieces, encoders))
    yield "simulated", _table(_simulated_rows(section["rows"]))


def _encoders(card: Json) -> Iterator[Encoder]:
    planning = card["planning"]
    plan = next(row["seconds"] for row in planning["rows"] if row["strategy"] == "temporal")
    frames, tokens = planning["frames"], planning["tokens"]
    yield Encoder.of(
        planning["tower"], planning["encode_seconds"], frames, tokens, planning["channels"], plan
    )
    for model, channels in zip(card["models"], (3584, 3584), strict=True):
        row = model["first_tokens"][-1]
        yield Encoder.of(
            model["name"], row["encode_seconds"], row["frames"], row["tokens"], channels, plan
        )


def _piece_rows(pieces: Json, encoders: list[Encoder]) -> Iterator[dict[str, str]]:
    names = {
        "index": "find the frames of the file",
        "decode": "decode to one frame a second",
        "encode": f"encode with `{pieces['encoder']}`",
        "plan": "plan with `temporal`, keep 0.25, and apply it",
        "write": "write the tokens",
    }
    for name, words in names.items():
        cost = f"{pieces['core_seconds'][name]:.2g} core-seconds"
        yield {"piece": words, "a minute of video": cost, "measured on": "CPU"}
    yield {
        "piece": "the file itself",
        "a minute of video": _bytes(pieces["bytes_in"]),
        "measured on": "made with x264, 720p, 30 fps, crf 26",
    }
    for encoder in encoders:
        yield {
            "piece": f"encode with {encoder.name} and plan",
            "a minute of video": f"{encoder.gpu_seconds * 1000:.0f} ms of the card, "
            f"{_bytes(encoder.bytes_out)} of tokens kept",
            "measured on": "H200, 128 frames at once",
        }


def _library_rows(pieces: Json, encoders: list[Encoder]) -> Iterator[dict[str, str]]:
    for encoder in encoders:
        done = on_cluster(pieces, encoder)
        hours = done.seconds * VIDEOS / SIMULATED / 3600
        on_cores = _core_seconds(pieces)
        a_second = SIMULATED / done.seconds
        moved = (pieces["bytes_in"] + encoder.bytes_out) * MINUTES * a_second
        yield {
            "tokens of": encoder.name,
            **{f"{count} GPU{'s' if count > 1 else ''}": _hours(hours / count) for count in GPUS},
            "bottleneck": {"cores": "decoding", "network": "network", "gpu": "GPU"}[
                done.bottleneck
            ],
            "GPU busy": f"{done.busy['gpu']:.0%}",
            "cores that keep a GPU busy": f"{on_cores / encoder.gpu_seconds:,.0f}",
            "store, with 64": f"{_bytes(64 * moved)}/s, {64 * FILES * a_second:,.0f} files/s",
        }


def on_cluster(pieces: Json, encoder: Encoder) -> Outcome:
    """Returns how `SIMULATED` videos go through one GPU and what belongs to it."""
    fetched = Step(resource="network", amount=pieces["bytes_in"] * MINUTES, most=NETWORK)
    decoded = Step(resource="cores", amount=_core_seconds(pieces) * MINUTES)
    encoded = Step(resource="gpu", amount=encoder.gpu_seconds * MINUTES)
    written = Step(resource="network", amount=encoder.bytes_out * MINUTES, most=NETWORK)
    stations = [
        Station(name="decode", workers=CORES),
        Station(name="encode", workers=1),
        Station(name="write", workers=WRITERS),
    ]
    return simulate(
        [[[fetched, decoded], [encoded], [written]]] * SIMULATED,
        stations,
        {"network": NETWORK, "cores": CORES, "gpu": 1},
    )


def _core_seconds(pieces: Json) -> float:
    """Returns what a minute takes of the cores that feed a GPU."""
    return float(sum(pieces["core_seconds"][name] for name in ("index", "decode", "write")))


def _simulated_rows(rows: list[Json]) -> Iterator[dict[str, str]]:
    for row in rows:
        yield {
            "library": row["video"],
            "batch": row["name"],
            "measured": f"{row['seconds']:.1f} s",
            "simulated": f"{row['peer_seconds']:.1f} s",
            "measured / simulated": f"{row['times_peer']:.2f}",
        }


def _hours(hours: float) -> str:
    return f"{hours:,.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _table(rows: Iterator[dict[str, str]]) -> str:
    cells = list(rows)
    lines = [list(cells[0]), *(list(row.values()) for row in cells)]
    shown = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([shown[0], "|" + "---|" * len(cells[0]), *shown[1:]])
