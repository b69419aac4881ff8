"""A video of hours, in one process and split over workers: time, memory, and whether they agree.

Called as `PYTHONPATH=tests python -m benchmarks.long_video --hours 10 --workers 2`, it writes a
video and one line of JSON. Memory is what no file stands for (`RssAnon` of Linux): the system can
take back the rest whenever another process wants it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import click
import cv2
import numpy as np
import numpy.typing as npt

import framesift
from framesift.batching.items import Item
from framesift.batching.store import Store
from framesift.batching.tasks import Task
from framesift.batching.work import Done, Work, work_on

SIZE_PX: Final = (160, 90)
"""Width and height."""
FPS: Final = 2
"""Frames a second; every second one is sampled."""
EVERY_SECONDS: Final = 0.1
"""Time between two looks at the memory of all processes."""
TASKS: Final = ("compress", "keyframes")
Pictures = Iterator[npt.NDArray[np.uint8]]


def write_long_video(path: Path, hours: float) -> Path:
    """Returns `path`, a video of scenes: moving, standing still or blank, with some noise."""
    with av.open(str(path), "w") as container:
        options = {"g": str(30 * FPS), "preset": "ultrafast"}
        stream: Any = container.add_stream("libx264", rate=FPS, options=options)
        (stream.width, stream.height), stream.pix_fmt = SIZE_PX, "yuv420p"
        for number, picture in enumerate(_pictures(round(hours * 3600 * FPS))):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base, frame.pts = Fraction(1, FPS), number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def _pictures(count: int) -> Pictures:
    chance, left = np.random.default_rng(22), count
    grain = chance.integers(0, 7, (8, SIZE_PX[1], SIZE_PX[0], 3), dtype=np.uint8)
    while left:
        length = min(left, int(chance.integers(5, 180)) * FPS)
        left -= length
        coarse = chance.integers(0, 249, (4, 6, 3), dtype=np.uint8)
        ground = cv2.resize(coarse, SIZE_PX, interpolation=cv2.INTER_CUBIC).clip(0, 248)
        kind, color = chance.random(), chance.integers(0, 255, 3)
        place, way = chance.integers(0, 60, 2), chance.integers(-3, 4, 2)
        for number in range(length):
            if kind < 0.1:
                yield np.zeros_like(ground)
                continue
            picture = ground + grain[number % len(grain)]
            if kind > 0.4:
                x, y = (place + number * way) % (SIZE_PX[0] - 30, SIZE_PX[1] - 20)
                picture[y : y + 20, x : x + 30] = color
            yield picture


def _at_once(work: Work, items: Sequence[Item], store: Store, _: object) -> Iterator[Done]:
    """An engine that gives each video to this process, whole."""
    for item in items:
        yield work_on(work, item, store)


@dataclass(slots=True)
class Peaks:
    """The most memory that a process and those that it starts take, each by itself, in bytes."""

    parent: int
    most: dict[int, int] = field(default_factory=dict)
    """By process."""
    joining: set[int] = field(default_factory=set)
    """Those that join stretches: they hold the memory that files of ours stand for."""

    def look(self) -> None:
        """Looks at all of them, as they are now."""
        for process in self._family():
            try:
                status = (process / "status").read_text()
                maps = (process / "maps").read_text()
            except OSError:  # it has ended
                continue
            number = int(process.name)
            lines = dict(line.split(":", 1) for line in status.splitlines())
            now = int(lines.get("RssAnon", "0 kB").split()[0]) * 1024
            self.most[number] = max(self.most.get(number, 0), now)
            if "framesift-run-" in maps:
                self.joining.add(number)

    def megabytes(self) -> dict[str, Any]:
        """Returns the peaks: of the first process, of workers that join stretches, of others."""
        most = {number: round(peak / 2**20) for number, peak in self.most.items()}
        rest = {number: peak for number, peak in most.items() if number != self.parent}
        return {
            "parent": most.get(self.parent, 0),
            "joining": sorted(peak for number, peak in rest.items() if number in self.joining),
            "others": sorted(peak for number, peak in rest.items() if number not in self.joining),
        }

    def _family(self) -> list[Path]:
        found, new = [Path(f"/proc/{self.parent}")], [self.parent]
        while new:
            number = new.pop()
            for tasks in Path(f"/proc/{number}/task").glob("*/children"):
                try:
                    children = [int(each) for each in tasks.read_text().split()]
                except OSError:
                    continue
                found += [Path(f"/proc/{child}") for child in children]
                new += children
        return found


def _measured(arguments: Sequence[str]) -> dict[str, Any]:
    """Runs this module in a process of its own, and returns its seconds and its memory."""
    command, load = [sys.executable, "-m", __spec__.name, *arguments], os.getloadavg()[0]
    start = time.perf_counter()
    places = {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=os.environ | places)
    peaks = Peaks(process.pid)
    while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        peaks.look()
        time.sleep(EVERY_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    if process.returncode:
        raise click.ClickException(f"{' '.join(arguments)} ended with {process.returncode}")
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(ended[2].ru_utime + ended[2].ru_stime, 1),
        "anonymous_megabytes": peaks.megabytes(),
        "load": round(load, 1),
    }


def _contents(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@click.group(invoke_without_command=True)
@click.pass_context
@click.option("--hours", default=10.0)
@click.option("--workers", default=2)
@click.option("--tasks", default=",".join(TASKS), help="With commas between them.")
@click.option("--encoder", default="handcrafted", help="Spec string.")
@click.option("--video", type=click.Path(path_type=Path, exists=True), help="Instead of a new one.")
def main(
    context: click.Context, hours: float, workers: int, tasks: str, encoder: str, video: Path | None
) -> None:
    """Measures a long video."""
    if context.invoked_subcommand is not None:
        return
    told: dict[str, Any] = {"hours": hours, "workers": workers, "encoder": encoder}
    with tempfile.TemporaryDirectory() as made:
        start = time.perf_counter()
        path = video or write_long_video(Path(made) / "long.mp4", hours)
        told["seconds_to_write"] = round(time.perf_counter() - start, 1)
        for task in tasks.split(","):
            outs = {count: Path(made) / f"{task}-{count}" for count in (0, workers)}
            unsplit, split = (
                _measured(["one", task, encoder, str(count), str(path), str(out)])
                for count, out in outs.items()
            )
            equal = _contents(outs[0]) == _contents(outs[workers])
            told[task] = {"unsplit": unsplit, "split": split, "equal": equal}
    click.echo(json.dumps(told))


@main.command(hidden=True)
@click.argument("task")
@click.argument("encoder")
@click.argument("workers", type=int)
@click.argument("video", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
def one(task: Task, encoder: str, workers: int, video: Path, out: Path) -> None:
    """Does one task on one video, by so many workers; with 0 of them here and whole."""
    result = framesift.batch(
        video,
        out,
        task,
        compressor=framesift.VideoCompressor(encoder=encoder),
        workers=workers or None,
        engine=None if workers else _at_once,
    )
    if result.failed:
        raise click.ClickException(f"the video failed: {result.errors}")


if __name__ == "__main__":
    main()
