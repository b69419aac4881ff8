"""What a batch costs: its speed beside a loop, and the memory of its workers.

Called as `PYTHONPATH=tests python -m benchmarks.batch_costs speed|memory`, each writes one
line of JSON. The load of the machine stands beside: what others run takes shares of both sides.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import framesift
from benchmarks.batch_kills import made_library
from framesift.batching import local

KINDS = 20
"""Clips that are written; the others are copies."""


@contextmanager
def library(clips: Path | None, videos: int) -> Iterator[tuple[Path, Path]]:
    """Gives a folder of videos, and an empty one beside it."""
    with tempfile.TemporaryDirectory() as made:
        folder = made_library(Path(made) / "library", clips, min(videos, KINDS))
        written = sorted(folder.iterdir())
        for number in range(len(written), videos):
            source = written[number % len(written)]
            shutil.copy(source, folder / f"copy-{number:05}{source.suffix}")
        yield folder, Path(made)


@click.group()
def main() -> None:
    """Measures a batch."""


def _loop(videos: Path, out: Path) -> None:
    """What a user writes without a batch."""
    sift = framesift.VideoCompressor()
    for path in sorted(videos.iterdir()):
        sift.compress(path).save(out / path.stem)


def _batch(videos: Path, out: Path) -> None:
    framesift.batch(videos, out, workers=2)


WAYS = {"loop": _loop, "batch": _batch}


@main.command(hidden=True)
@click.argument("way", type=click.Choice(list(WAYS)))
@click.argument("videos", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def one(way: str, videos: Path, out: Path) -> None:
    """Does one lap in this process, and tells its seconds."""
    start = time.perf_counter()
    WAYS[way](videos, out)
    click.echo(json.dumps({"seconds": round(time.perf_counter() - start, 2)}))


def _cpu_seconds_of_children() -> float:
    """Returns what processes have used that began here and have ended, with all behind them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@main.command()
@click.option("--clips", type=click.Path(path_type=Path, exists=True), help="Folder of real ones.")
@click.option("--videos", default=150)
@click.option("--rounds", default=3)
def speed(clips: Path | None, videos: int, rounds: int) -> None:
    """Two workers beside one process in a loop, in turn, start of processes included."""
    told: list[dict[str, Any]] = []
    with library(clips, videos) as (folder, beside):
        for turn in range(rounds):
            lap: dict[str, Any] = {}
            for way in sorted(WAYS, reverse=bool(turn % 2)):
                load = os.getloadavg()[0]
                out = beside / f"{way}-{turn}"
                command = [sys.executable, "-m", __spec__.name, "one", way, str(folder), str(out)]
                before = _cpu_seconds_of_children()
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                cpu = _cpu_seconds_of_children() - before
                about = {"cpu_seconds": round(cpu, 2), "load": round(load, 1)}
                lap[way] = json.loads(done.stdout) | about
            lap["times_the_loop"] = round(lap["loop"]["seconds"] / lap["batch"]["seconds"], 2)
            told.append(lap)
    click.echo(json.dumps({"videos": videos, "rounds": told}))


@main.command()
@click.option("--clips", type=click.Path(path_type=Path, exists=True), help="Folder of real ones.")
@click.option("--videos", default=1000)
@click.option("--workers", default=2)
@click.option("--videos-each", default=local.VIDEOS_EACH, help="After which one is replaced.")
def memory(clips: Path | None, videos: int, workers: int, videos_each: int) -> None:
    """Resident megabytes of the workers as videos are done."""
    local.VIDEOS_EACH = videos_each  # type: ignore[misc]
    told: dict[int, list[int]] = {}

    def on_done(_: object, so_far: framesift.BatchResult) -> None:
        if so_far.done in (25, 50) or so_far.done % 100 == 0:
            told[so_far.done] = sorted(_worker_megabytes())

    with library(clips, videos) as (folder, beside):
        framesift.batch(folder, beside / "out", workers=workers, on_done=on_done)
    click.echo(json.dumps({"videos_each": videos_each, "megabytes_after_videos": told}))


def _worker_megabytes() -> list[int]:
    """Returns what those take that were forked by a process of this one."""
    own = {process.pid for process in multiprocessing.active_children()}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) in own and b"spawn_main" in command:
            found.append(int(fields[21]) * resource.getpagesize() // 2**20)
    return found


if __name__ == "__main__":
    main()
