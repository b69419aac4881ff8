"""Measures speed and memory beside named peers: `python -m framesift.evaluation.benchmark`.

These are measurements, not tests: every figure is set in proportion to a peer of the same run, so
it holds on other machines too. The results go to one JSON file and one picture.
"""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from framesift.evaluation import (
    _bench_attention,
    _bench_catalogue,
    _bench_costs,
    _bench_coverage,
    _bench_evidence,
    _bench_keyframes,
    _bench_memory,
    _bench_planning,
    _bench_pointing,
    _bench_real_size,
    _bench_sampling,
    _bench_scissor,
    _bench_server,
)
from framesift.evaluation._bench_process import Json, logger
from framesift.evaluation._bench_videos import numbered_clip, repeated
from framesift.evaluation._real_models import MODELS
from framesift.evaluation.plots import write_figure
from framesift.evaluation.provenance import cpu_model, versions
from framesift.registry import require
from framesift.storage import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured."""

    clip_seconds: int = 60
    sampling_rounds: int = 5
    planning_rounds: int = 3
    frames: tuple[int, ...] = (32, 128, 512)
    coverage_videos: int = 20
    pointing_videos: int = 40
    evidence_keeps: tuple[float, ...] = _bench_evidence.KEEPS
    server_seconds: float = 20.0
    real_models: tuple[str, ...] = tuple(MODELS)
    cost_rounds: int = 2
    cost_keeps: tuple[float, ...] = _bench_costs.KEEPS
    cost_seconds: int | None = None
    memory_seconds: tuple[int, int] = (300, 3600)
    """Lengths of the short and the long video, multiples of `clip_seconds`."""


FULL: Final = Effort()
QUICK: Final = Effort(
    sampling_rounds=3,
    coverage_videos=3,
    pointing_videos=2,
    evidence_keeps=(0.25,),
    server_seconds=5.0,
    real_models=("llava",),
    cost_rounds=1,
    cost_keeps=(1.0, 0.25),
    cost_seconds=6,
    memory_seconds=(60, 360),
)


def sampling(effort: Effort, clips: Path | None) -> Json:
    """Returns how fast frames are sampled, beside other libraries."""
    seconds = effort.clip_seconds
    videos = {f"GOP {gop}": numbered_clip(seconds=seconds, gop=gop) for gop in (250, 60)}
    return _bench_sampling.measure(videos, clip_seconds=seconds, rounds=effort.sampling_rounds)


def keyframes(effort: Effort, clips: Path | None) -> Json:
    """Returns how fast keyframes are picked, beside PySceneDetect."""
    videos = {"test video": numbered_clip(seconds=effort.clip_seconds, gop=250)}
    if clips is not None:
        videos |= {path.stem: path for path in sorted(clips.glob("*.mp4"))}
    return _bench_keyframes.measure(videos, rounds=effort.sampling_rounds)


def planning(effort: Effort, clips: Path | None) -> Json:
    """Returns how long every strategy plans."""
    video = numbered_clip(seconds=effort.clip_seconds, gop=250)
    return _bench_planning.measure(video, frames=effort.frames, rounds=effort.planning_rounds)


def memory(effort: Effort, clips: Path | None) -> Json:
    """Returns how peak memory grows with the length of a video."""
    clip = numbered_clip(seconds=effort.clip_seconds, gop=60)
    short, long = (
        repeated(clip, times=seconds // effort.clip_seconds) for seconds in effort.memory_seconds
    )
    rounds = effort.planning_rounds
    return _bench_memory.measure(short, long, seconds=effort.memory_seconds, rounds=rounds)


def coverage(effort: Effort, clips: Path | None) -> Json:
    """Returns how many events keyframes find."""
    return _bench_coverage.measure(videos=effort.coverage_videos)


def attention(effort: Effort, clips: Path | None) -> Json:
    """Returns what it costs to see what a vision tower attends to."""
    return _bench_attention.measure(rounds=effort.planning_rounds)


def real_size(effort: Effort, clips: Path | None) -> Json:
    """Returns what vision LLMs of real size take."""
    return _bench_real_size.measure(names=effort.real_models)


def costs(effort: Effort, clips: Path | None) -> Json:
    """Returns what the stages of an answer take a model of real size, at shares of the tokens."""
    return _bench_costs.measure(
        rounds=effort.cost_rounds, keeps=effort.cost_keeps, seconds=effort.cost_seconds
    )


def pointing(effort: Effort, clips: Path | None) -> Json:
    """Returns which evidence points right, and what a gate costs."""
    return _bench_pointing.measure(videos=effort.pointing_videos)


def evidence(effort: Effort, clips: Path | None) -> Json:
    """Returns whether shortened real clips still hold what questions are about."""
    if clips is None:
        raise click.UsageError("evidence needs the real clips; pass --clips FOLDER")
    return _bench_evidence.measure(clips, keeps=effort.evidence_keeps)


def catalogue(effort: Effort, clips: Path | None) -> Json:
    """Returns what each strategy takes beside encoding the same frames."""
    return _bench_catalogue.measure(rounds=effort.planning_rounds)


def scissor(effort: Effort, clips: Path | None) -> Json:
    """Returns what exact components take beside one matrix and the published loop."""
    return _bench_scissor.measure(rounds=effort.planning_rounds)


def server(effort: Effort, clips: Path | None) -> Json:
    """Returns how a server bears several clients."""
    return _bench_server.measure(seconds=effort.server_seconds)


SECTIONS: Final[dict[str, Callable[[Effort, Path | None], Json]]] = {
    part.__name__: part
    for part in (
        sampling,
        keyframes,
        planning,
        coverage,
        memory,
        attention,
        real_size,
        costs,
        pointing,
        evidence,
        catalogue,
        scissor,
        server,
    )
}


def run(names: list[str], effort: Effort, clips: Path | None = None) -> Json:
    """Returns the results of the sections in `names`, with what they were measured on."""
    return {
        "made": datetime.now(UTC).date().isoformat(),
        "machine": {
            "cpu": cpu_model(),
            "cores": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "versions": versions(),
        "quick": effort == QUICK,
        "sections": {name: SECTIONS[name](effort, clips) for name in names},
    }


def _table(results: Json) -> Iterator[str]:
    """Yields a line for each row: what was measured, its value, and the peer it is set against."""
    for section, found in results["sections"].items():
        yield f"\n{section}: {found['question']}"
        for row in found["rows"]:
            yield "  " + _line(row)
        for row in found.get("shares_of_decode", ()):
            yield f"  {row['name']:<30} plan takes {row['share_of_decode']:.2%} of decode"
        for name, reason in (found.get("skipped", {}) | found.get("failed", {})).items():
            yield f"  left out: {name}: {reason}"
        if "met" in found:
            yield f"  asked: {found['asked']}; met: {found['met']}"


def _line(row: Json) -> str:
    label = " ".join(str(row[key]) for key in ("video", "frames", "name") if key in row)
    if "per_second" in row:
        return f"{label:<50}{row['per_second']:9.2f} answers per second, {row['full']} x 429"
    if "share" in row:
        low, high = row["interval"]
        return f"{label:<50}{row['share']:9.1%} of {row['events']} events, {low:.1%} to {high:.1%}"
    if "parameters" in row:
        size, peak = row["parameters"] / 1e9, row["peak_bytes"] / 1e6
        return f"{label:<50}{row['seconds']:9.3f} s   {peak:.0f} MB at {size:.2f} B weights"
    if "stage" in row:
        took = f"{row['seconds']:9.3f} s   {row['times_peer']:6.3f} x {row['peer']}"
        held = f"   {row['peak_bytes'] / 1e6:.0f} MB" if "peak_bytes" in row else ""
        return f"{label:<50}{took}{held}"
    if "peak_growth" in row:
        value = f"{row['peak_bytes'] / 1e6:9.0f} MB  {row['peak_growth']:6.2f} x the peak of"
    elif "times_peer" in row:
        value = f"{row['seconds']:9.3f} s   {row['times_peer']:6.1f} x the time of"
    elif "peer" in row:
        value = f"{row['seconds']:9.3f} s   {row['speed_vs_peer']:6.2f} x the speed of"
    else:
        value = f"{row['seconds']:9.3f} s   no peer"
    inexact = "  NOT THE ASKED FRAMES" if row.get("exact") is False else ""
    return f"{label:<50}{value} {row.get('peer', '')}{inexact}"


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default="benchmark", help="Folder to write to."
)
@click.option("--only", help="Sections to measure, separated by commas; all by default.")
@click.option(
    "--clips",
    type=click.Path(path_type=Path),
    envvar="FRAMESIFT_CLIPS",
    help="Folder of more clips.",
)
@click.option("--quick", is_flag=True, help="Fewer rounds and smaller sizes.")
def main(out: Path, only: str | None, clips: Path | None, quick: bool) -> None:
    """Measure speed and memory; a full run takes about an hour and leaves `benchmark.json`.

    A run of some sections leaves `benchmark-SECTION.json`, and the results of full runs alone.
    """
    names = [name.strip() for name in only.split(",")] if only else list(SECTIONS)
    if not only and clips is None:
        names = [name for name in names if name != evidence.__name__]
        click.echo("evidence is left out; it needs the real clips in --clips FOLDER")
    if unknown := sorted(set(names) - SECTIONS.keys()):
        raise click.BadParameter(
            f"{','.join(unknown)!r} is no section; choose from: {', '.join(SECTIONS)}"
        )
    for package in ("matplotlib", "psutil"):
        require(package, extra="bench")
    logger.addHandler(logging.StreamHandler())
    logger.setLevel(logging.INFO)
    results = run(names, QUICK if quick else FULL, clips)
    stem = "-".join(["benchmark", *(names if only else [])])
    write_atomically(out / f"{stem}.json", f"{json.dumps(results, indent=1)}\n".encode())
    write_figure(out / f"{stem}.png", results)
    click.echo("\n".join(_table(results)))


if __name__ == "__main__":
    main()
