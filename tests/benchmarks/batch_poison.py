"""Poison among the videos of a batch: a part that ends its process, hangs, or takes all memory.

Called as `PYTHONPATH=tests python -m benchmarks.batch_poison`, it writes one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from framesift.testing.videos import write_video

SECONDS: Final = (3, 4, 5)
"""Lengths of the videos that are poison, by its kind."""
PART: Final = '''
import os, subprocess, sys
from pathlib import Path
from framesift.strategies.base import ScoreStrategy


class Poison(ScoreStrategy):
    """Ends its process, or never ends, by the number of frames."""

    summary = "for tests"
    output = "kept"
    cost = "O(1)"

    def score(self, tokens, budget):
        frames = len(tokens.features)
        if frames == 3:
            os.abort()
        if frames == 4:
            asleep = [sys.executable, "-c", "import time; time.sleep(600)"]
            child = subprocess.Popen(asleep)
            Path(__file__).with_name("child").write_text(str(child.pid))
            child.wait()
        if frames == 5:
            held = []
            while True:
                held.append(bytearray(2**26))
        return tokens.features.float().mean(2)
'''


def poison_package(folder: Path) -> Path:
    """Returns `folder`, to be imported from, with a strategy `poison` that is found there.

    What hangs waits for a process of its own, whose number is then in the file `child`.
    """
    about = folder / "poison-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: poison\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[framesift.strategies]\npoison = poison:Poison\n")
    (folder / "poison.py").write_text(PART)
    return folder


@click.command()
@click.option("--videos", default=100)
@click.option("--poisoned", default=10)
def main(videos: int, poisoned: int) -> None:
    """Counts what becomes of each video."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "library"
        folder.mkdir()
        chosen = random.Random(1).sample(range(videos), poisoned)
        for number in range(videos):
            seconds = SECONDS[chosen.index(number) % 3] if number in chosen else 2
            write_video(folder / f"{number:03}.mp4", 25 * seconds)
        package = poison_package(Path(made) / "package")
        command = [sys.executable, "-m", "framesift", "batch", str(folder), "--out", f"{made}/out"]
        options = ["--strategy", "poison", "--timeout", "20", "--max-memory", "3G", "--json"]
        done = subprocess.run(
            [*command, *options, "--workers", "2"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package), *sys.path])},
            capture_output=True,
            text=True,
        )
    click.echo(json.dumps({"exit_code": done.returncode, **json.loads(done.stdout)}))


if __name__ == "__main__":
    main()
