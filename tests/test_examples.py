import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("[0-9]*.py"))


SURFACES = "08"
"""From here on an example is of a framework, which takes seconds to import alone."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem >= SURFACES))
        for path in EXAMPLES
    ],
)
def test_example_runs_and_says_something(path, tmp_path):
    done = subprocess.run(
        [sys.executable, path], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 1
    assert "Traceback" not in done.stderr


ASKABLE = [path for path in EXAMPLES if '"--question"' in path.read_text()]
"""Examples that take a question, which may be one that the video does not answer."""


@pytest.mark.slow
@pytest.mark.parametrize("path", ASKABLE, ids=lambda path: path.stem)
def test_a_question_that_the_video_does_not_answer_has_no_place(path, tmp_path):
    done = subprocess.run(
        [sys.executable, path, "--question", "Who filmed it?"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "at )" not in done.stdout
