"""The page of framesift-ray: what can be pasted works."""

import subprocess
import sys
from pathlib import Path

import pytest
from pytest_examples import find_examples

from framesift.testing.videos import write_video

PAGE = Path(__file__).parents[3] / "integrations" / "ray" / "README.md"


@pytest.mark.parametrize("example", list(find_examples(str(PAGE))), ids=str)
def test_python_blocks_run_and_print_what_they_say(example, trial, tmp_path):
    """Each is a program of its own, as it is on a cluster."""
    (tmp_path / "recordings").mkdir()
    write_video(tmp_path / "recordings" / "talk.mp4", 75)
    (tmp_path / "pasted.py").write_text(example.source)
    run = subprocess.run(
        [sys.executable, "pasted.py"],
        cwd=tmp_path,
        env=trial.env,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    lines = map(str.strip, example.source.splitlines())
    shown = [line.removeprefix("#>").strip() for line in lines if line.startswith("#>")]
    assert run.stdout.splitlines() == shown
