"""What is held of a video of hours beside its tokens: a few bytes of each, no indices or copies."""

import subprocess
import sys

import pytest

PLANNED = """
import sys, threading
import torch
from framesift.batching.store import store_of
from framesift.compression.reducing import applied
from framesift.disk.tensors import TensorFile, mapped_rows
from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens

torch.set_num_threads(1)
frames, patches, channels = int(sys.argv[1]), 100, 16


def anonymous():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


features = mapped_rows(torch.zeros(0, patches, channels, dtype=torch.float16), frames)
torch.manual_seed(0)
for part in features.split(50):  # 50 frames stand still but for some noise
    part[:] = torch.randn(1, patches, channels) + 0.02 * torch.randn(part.shape)
seconds = torch.arange(frames, dtype=torch.float64)
tokens = VideoTokens(features=features, grid=(10, 10), pts_seconds=seconds)
strategy = create_strategy(sys.argv[2])
strategy.plan(tokens.frames(range(200)), 1000)
before, peaks, done = anonymous(), [0], threading.Event()


def watch():
    while not done.wait(0.001):
        peaks.append(anonymous())


thread = threading.Thread(target=watch)
thread.start()
plan = strategy.plan(tokens, tokens.count // 8)
fields = applied(tokens, plan, strategy.features(tokens, plan))
store_of(sys.argv[3]).keep(TensorFile({"tokens": fields["tokens"]}), ".safetensors")
done.set()
thread.join()
print(max(peaks) - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="anonymous memory by /proc")
@pytest.mark.parametrize("strategy", ["temporal", "temporal:threshold=0.95"])
def test_little_of_each_token_is_held_beside_the_tokens(strategy, tmp_path):
    frames = 5000, 20000
    peaks = [
        int(
            subprocess.check_output(
                [sys.executable, "-c", PLANNED, str(count), strategy, str(tmp_path)]
            )
        )
        for count in frames
    ]
    assert (peaks[1] - peaks[0]) / (100 * (frames[1] - frames[0])) < 45
