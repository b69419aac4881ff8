"""A Ray cluster of this machine, clips, and a strategy that leaves time for accidents."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from framesift.testing.videos import write_video
from ray_runs import SECONDS, ended

TRIAL = '''
import multiprocessing, os, signal, time
from framesift.strategies.base import ScoreStrategy


class Trial(ScoreStrategy):
    """Takes its time, notes each video, and ends a process by the number of frames."""

    summary = "for tests"
    output = "kept"
    cost = "O(1)"

    def score(self, tokens, budget):
        frames = len(tokens.features)
        with open(os.environ["TRIAL_NOTES"], "a") as notes:
            notes.write(f"{frames}\\n")
        if frames == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if frames == 4:
            os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        if frames == 5:
            held = []
            while True:
                held.append(bytearray(2**26))
        time.sleep(0.7)
        return tokens.features.float().mean(2)
'''
CLUSTER = """
import sys
from ray.cluster_utils import Cluster

given = dict(num_cpus=1, include_dashboard=False)
cluster = Cluster(initialize_head=True, head_node_args=given)
nodes = {"second": cluster.add_node(num_cpus=1)}
print(cluster.address, flush=True)
for line in sys.stdin:
    if line.strip() == "remove":
        cluster.remove_node(nodes.pop("second"), allow_graceful=False)
    elif line.strip() == "add":
        nodes["second"] = cluster.add_node(num_cpus=1)
    elif line.strip() == "end":
        cluster.head_node.kill_gcs_server()
    print("done", flush=True)
cluster.shutdown()
"""


def pytest_collection_modifyitems(items):
    """Skips all of this folder where Ray is not installed."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.batch)
            if importlib.util.find_spec("ray") is None:
                item.add_marker(pytest.mark.skip(reason="ray is not installed"))


@pytest.fixture(scope="session")
def trial(tmp_path_factory):
    """The environment of processes that know the strategy, and where it takes its notes."""
    package = tmp_path_factory.mktemp("trial")
    about = package / "trial-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: trial\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[framesift.strategies]\ntrial = trial:Trial\n")
    (package / "trial.py").write_text(TRIAL)
    notes = package / "notes"
    path = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": path, "TRIAL_NOTES": str(notes), "OMP_NUM_THREADS": "1"}
    # A driver gives a cluster that has gone away up after a minute by default.
    env["RAY_gcs_rpc_server_reconnect_timeout_s"] = "3"
    return SimpleNamespace(
        env=env, begun=lambda: notes.read_text().split() if notes.exists() else []
    )


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """A folder of clips, one of them damaged."""
    folder = tmp_path_factory.mktemp("library")
    for seconds in SECONDS:
        write_video(folder / f"{seconds:02}.mp4", 25 * seconds)
    (folder / "damaged.mp4").write_bytes(b"nothing")
    return folder


@pytest.fixture(scope="session")
def batch(trial):
    """Begins `framesift batch`, which is killed at the end if it still goes on."""
    runs = []

    def begin(*arguments, strategy="trial", **env):
        command = [sys.executable, "-m", "framesift", "batch", *map(str, arguments)]
        if strategy is not None:
            command += ["--strategy", strategy]
        run = subprocess.Popen(
            command,
            env={**trial.env, **env},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        runs.append(run)
        return run

    yield begin
    for run in runs:
        if run.poll() is None:
            run.kill()
        run.communicate()


@pytest.fixture(scope="session")
def whole(batch, library, tmp_path_factory):
    """The folder that a run of one machine writes without being interrupted."""
    out = tmp_path_factory.mktemp("whole") / "out"
    ended(batch(library, "--out", out, "--workers", 2), 3)
    return out


@pytest.fixture
def cluster(trial):
    """A cluster of two nodes on this machine, each with a CPU."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        env=trial.env,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def tell(line):
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        assert process.stdout.readline().strip() == "done"

    try:
        yield SimpleNamespace(address=process.stdout.readline().strip(), tell=tell)
        process.stdin.close()
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
