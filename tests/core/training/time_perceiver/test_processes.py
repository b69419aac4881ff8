"""Two processes that train together, as `accelerate launch` starts them, on the CPU."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

VIDEO = "synthetic://number?seconds=5&width=64&height=64&seed={}"
OPTIONS = ("--recipe", "tiny", "--vlm", "tiny", "--set", "stage_1.epochs=1", "--set", "batch=2")
SHARED = ("--set", "accumulation=2", "--set", "held_out=0", "--set", "precision=float32")


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_two_processes_learn_what_one_does(tmp_path):
    lines = [
        {"video": VIDEO.format(seed), "question": "What number?", "answer": f"{seed}"}
        for seed in range(4)
    ]
    data = tmp_path / "lines.jsonl"
    data.write_text("\n".join(map(json.dumps, lines)))
    together = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    weights = []
    for name, launcher in (("one", ()), ("two", together)):
        out = tmp_path / name
        command = [sys.executable, *launcher, "-m", "framesift", "train", "time-perceiver"]
        done = subprocess.run(
            [*command, str(data), "-o", str(out), *OPTIONS, *SHARED],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count(f"wrote     {out}") == 1
        weights.append(load_file(out / "model.safetensors"))
    for name, value in weights[0].items():
        assert torch.allclose(value.float(), weights[1][name].float(), atol=1e-3)
