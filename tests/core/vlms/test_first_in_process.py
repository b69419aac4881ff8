"""The first thing that a process does may be to load a model."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_fresh_process_loads_a_model():
    code = "import framesift; print(framesift.load_vlm('tiny').width)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
