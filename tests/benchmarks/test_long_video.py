"""What the measurement of a long video writes, sees and tells."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import long_video
from framesift.decoders import registry as decoders
from framesift.testing.videos import all_of

HOLDS = """
import sys
held = bytearray(100 * 2**20)
held[::4096] = b"x" * len(held[::4096])
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_long_video_moves_stands_still_and_is_blank(tmp_path):
    path = long_video.write_long_video(tmp_path / "a.mp4", hours=0.2)
    decoder = decoders.create("pyav")
    pixels = all_of(decoder, path).data.astype(np.int16)
    assert len(pixels) == 0.2 * 3600 * long_video.FPS
    change = np.abs(np.diff(pixels, axis=0)).mean((1, 2, 3))
    assert (change[pixels[1:].max((1, 2, 3)) < 8] < 1).sum() > 20  # blank ones
    assert (change > 20).sum() > 5  # cuts
    assert decoder.index(path).is_keyframe.sum() > 10


@pytest.mark.skipif(sys.platform != "linux", reason="memory of other processes by /proc")
def test_memory_of_processes_that_others_start_is_seen():
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    peaks = long_video.Peaks(os.getpid())
    peaks.look()
    process.communicate()
    assert process.pid in peaks.most
    assert 100 <= peaks.most[process.pid] / 2**20 < 130
    told = peaks.megabytes()
    assert told["parent"] > 0
    assert max(told["others"]) >= 100


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory of other processes by /proc")
def test_it_tells_whether_split_and_unsplit_agree():
    pytest.importorskip("pebble")
    pytest.importorskip("pyarrow")
    given = ["--hours", "0.01", "--tasks", "keyframes", "--encoder", "handcrafted:grid_size=4"]
    told = json.loads(CliRunner().invoke(long_video.main, given).stdout)
    assert told["keyframes"]["equal"] is True
    assert told["keyframes"]["unsplit"]["anonymous_megabytes"]["parent"] > 50
    assert len(told["keyframes"]["split"]["anonymous_megabytes"]["others"]) >= 2
