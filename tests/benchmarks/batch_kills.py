"""Kills a batch at random moments, and compares what it ends with to a run that nobody disturbed.

Called as `PYTHONPATH=tests python -m benchmarks.batch_kills --clips FOLDER`, it writes one line of
JSON. In turn a kill ends all processes at once, and the first one alone, whose workers must then
end by themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from framesift.testing.videos import write_video

SECONDS_TO_END = 30.0
Contents = dict[str, str]


def made_library(folder: Path, clips: Path | None, videos: int) -> Path:
    """Returns `folder` with real clips and short written ones, `videos` in all."""
    folder.mkdir()
    for clip in [] if clips is None else sorted(clips.glob("*.mp4"))[:videos]:
        shutil.copy(clip, folder)
    for number in range(len(list(folder.iterdir())), videos):
        write_video(folder / f"{number:04}.mp4", 25 + number * 7 % 100, first=number % 100)
    return folder


def contents(out: Path) -> Contents:
    """Returns the digest of each file that a batch wrote, and checks those that name themselves."""
    found = {}
    for path in sorted(out.rglob("*")):
        if path.is_file() and path.name != "batch.json":
            name = path.relative_to(out).as_posix()
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
            if name.startswith("files/") and not path.name.startswith("."):
                assert found[name].startswith(path.stem), f"{name} is half a file"
    return found


def finished(out: Path) -> dict[str, int]:
    """Returns the rows that are there, each whole, with when they were written."""
    rows = {}
    for path in (out / "rows").rglob("[!.]*.json"):
        assert json.loads(path.read_bytes())["status"] == "done", path
        rows[path.name] = path.stat().st_mtime_ns
    return rows


def begun(library: Path, out: Path, options: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Returns a run that goes on."""
    command = [sys.executable, "-m", "framesift", "batch", str(library), "--out", str(out)]
    return subprocess.Popen([*command, *options], start_new_session=True, stdout=subprocess.DEVNULL)


def of_session(leader: int) -> list[int]:
    """Returns the processes of a session that live."""
    living = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (folder / "stat").read_text().rpartition(") ")[2].split()[:4]
        except OSError:
            continue
        if int(session) == leader and state not in "ZX":
            living.append(int(folder.name))
    return living


def killed(run: subprocess.Popen[bytes], *, alone: bool) -> float:
    """Kills a run, and returns after how many seconds its last process was gone."""
    for process in [run.pid] if alone else of_session(run.pid):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    start = time.monotonic()
    run.wait()
    while of_session(run.pid):
        assert time.monotonic() - start < SECONDS_TO_END, of_session(run.pid)
        time.sleep(0.02)
    return round(time.monotonic() - start, 2)


def wait_for_a_moment(
    run: subprocess.Popen[bytes], out: Path, chance: random.Random, *, most_rows: int
) -> None:
    """Waits until a run has finished some more videos, or for a moment of its start."""
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0, 8))
        return
    there = len(finished(out))
    more = chance.randint(1, most_rows)
    while run.poll() is None and len(finished(out)) < there + more:
        time.sleep(0.05)
    time.sleep(chance.uniform(0, 0.2))


def disturbed(
    library: Path, folder: Path, *, kills: int, seed: int = 5, options: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Returns what became of a batch that was killed, beside one that was not.

    Args:
        library: the videos.
        folder: where both results go.
        kills: how often; in turn of all processes, and of the first one alone.
        seed: of the moments.
        options: of both.
    """
    chance, videos = random.Random(seed), len(list(library.iterdir()))
    start = time.monotonic()
    assert begun(library, folder / "whole", options).wait() == 0
    seconds = time.monotonic() - start
    out, rows, after, told = folder / "out", dict[str, int](), list[float](), list[int]()
    for kill in range(kills):
        run = begun(library, out, options)
        wait_for_a_moment(run, out, chance, most_rows=max(1, 2 * videos // kills))
        after.append(killed(run, alone=bool(kill % 2)) if run.poll() is None else 0.0)
        now = finished(out)
        assert rows.items() <= now.items(), "a finished video was begun again"
        rows = now
        told.append(len(rows))
    assert begun(library, out, options).wait() == 0
    assert rows.items() <= finished(out).items(), "a finished video was begun again"
    return {
        "videos": videos,
        "kills": kills,
        "rows_after_each_kill": told,
        "seconds_until_all_were_gone": max(after),
        "seconds_undisturbed": round(seconds, 1),
        "equal_to_the_byte": contents(out) == contents(folder / "whole"),
    }


@click.command()
@click.option("--clips", type=click.Path(path_type=Path, exists=True), help="Folder of real ones.")
@click.option("--videos", default=300, help="In all.")
@click.option("--kills", default=20)
@click.option("--seed", default=5)
@click.argument("options", nargs=-1)
def main(clips: Path | None, videos: int, kills: int, seed: int, options: tuple[str, ...]) -> None:
    """Compares a run that is killed to one that is not; OPTIONS go to both."""
    with tempfile.TemporaryDirectory() as made:
        library = made_library(Path(made) / "library", clips, videos)
        told = disturbed(library, Path(made), kills=kills, seed=seed, options=options)
    click.echo(json.dumps(told))


if __name__ == "__main__":
    main()
