"""`framesift batch --engine ray` on real clusters of this machine, whatever ends there."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet
import pytest

import framesift
import framesift_ray
from framesift.testing.videos import write_video
from ray_runs import SECONDS, contents, ended, rows_in, when


def processes_of(run):
    return psutil.Process(run.pid).children(recursive=True)


def lives(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(processes):
    """Waits until processes have ended."""
    until = time.monotonic() + 60
    while any(map(lives, processes)) and time.monotonic() < until:
        time.sleep(0.1)
    return not any(map(lives, processes))


@pytest.fixture
def folder_of_ray():
    """Where `ray start` left the address of a cluster that is gone; sockets need short names."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "ray").mkdir()
        (Path(folder) / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
        yield Path(folder)


def test_a_cluster_that_the_environment_names_is_taken(monkeypatch, library, tmp_path):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(framesift_ray.ClusterError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        framesift.batch(library, tmp_path / "out", engine=framesift_ray.engine())


def test_ctrl_c_in_a_terminal_is_one_line_before_the_driver_has_begun(trial, library, tmp_path):
    command = [sys.executable, "-m", "framesift", "batch", str(library), "--engine", "ray"]
    run = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        env=trial.env,
        text=True,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    when(lambda: any("spawn_main" in " ".join(each.cmdline()) for each in processes_of(run)), run)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 130
    (line,) = said.splitlines()
    assert line.startswith("framesift: interrupted; the 0 videos")


def test_a_cluster_of_its_own_gives_the_folder_of_one_machine_and_goes_with_the_run(
    batch, library, whole, folder_of_ray, tmp_path
):
    out, env = tmp_path / "out", {"RAY_TMPDIR": str(folder_of_ray)}
    run = batch(library, "--out", out, "--engine", "ray", "--workers", 2, **env)
    when(lambda: rows_in(out) >= 2, run)
    began = processes_of(run)
    assert any("raylet" in process.name() for process in began)
    _, said = ended(run, 3)
    assert [line.partition(":")[0] for line in said.splitlines()] == ["failed    damaged.mp4"]
    assert contents(out) == contents(whole)
    assert gone(began)


def test_a_run_that_is_stopped_or_killed_leaves_no_process_and_goes_on(
    batch, library, whole, trial, tmp_path
):
    out = tmp_path / "out"
    for number, end in enumerate((signal.SIGINT, signal.SIGKILL), start=1):
        run = batch(library, "--out", out, "--engine", "ray", "--workers", 2)
        when(lambda least=2 * number: rows_in(out) >= least, run)
        began = processes_of(run)
        run.send_signal(end)
        _, said = run.communicate(timeout=60)
        assert run.returncode != 0
        assert "Traceback" not in said
        assert gone(began)
    done = [path.read_bytes() for path in (out / "rows").rglob("*.json")]
    ids = [json.loads(row)["id"] for row in done if json.loads(row)["status"] == "done"]
    before = len(trial.begun())
    ended(batch(library, "--out", out, "--engine", "ray", "--workers", 2), 3)
    finished = {str(int(name.removesuffix(".mp4"))) for name in ids}
    assert sorted(trial.begun()[before:]) == sorted({*map(str, SECONDS)} - finished)
    assert contents(out) == contents(whole)


def test_a_node_that_is_removed_loses_and_repeats_nothing(
    batch, cluster, library, whole, trial, tmp_path
):
    out, before = tmp_path / "out", len(trial.begun())
    run = batch(library, "--out", out, "--engine", "ray", "--address", cluster.address)
    when(lambda: rows_in(out) >= 3, run)
    cluster.tell("remove")
    ended(run, 3)
    assert contents(out) == contents(whole)
    begun = trial.begun()[before:]
    assert {*begun} == {*map(str, SECONDS)}
    assert len(begun) <= len(SECONDS) + 1, "what was running on the node alone is begun anew"


def test_processes_that_are_killed_or_run_out_of_memory(batch, cluster, library, trial, tmp_path):
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for seconds in (2, 3, 4, 5, 6, 7):
        write_video(clips / f"{seconds}.mp4", 25 * seconds)
    given = ("--engine", "ray", "--address", cluster.address, "--max-memory", "3G")
    ended(batch(clips, "--out", out, *given), 3)
    rows = {row["id"]: row for row in pyarrow.parquet.read_table(out / "data").to_pylist()}
    assert {name: row["error_kind"] for name, row in rows.items()} == {
        **dict.fromkeys(("2.mp4", "6.mp4", "7.mp4")),
        **{"3.mp4": "WorkerEnded", "4.mp4": "WorkerEnded", "5.mp4": "ModelError"},
    }
    assert "SIGKILL, 2 times" in rows["3.mp4"]["error"]
    assert rows["4.mp4"]["error"] == (
        "the actor that worked on it was lost, 3 times, by a crash or because memory ran out on "
        "its machine; bound a worker by --max-memory, or give a part by #t=START,END"
    )
    assert "memory" in rows["5.mp4"]["error"]
    begun = trial.begun()
    assert (begun.count("3"), begun.count("4"), begun.count("2")) == (2, 3, 1)


def test_a_cluster_that_goes_away_is_one_line_and_the_run_goes_on(
    batch, cluster, library, whole, tmp_path
):
    out = tmp_path / "out"
    run = batch(library, "--out", out, "--engine", "ray", "--address", cluster.address)
    when(lambda: rows_in(out) >= 2, run)
    cluster.tell("end")
    _, said = ended(run, 2)
    lines = [line for line in said.splitlines() if "failed " not in line]
    assert len(lines) == 1
    assert "finished videos stay, and the same command goes on" in lines[0]
    again = batch(library, "--out", out, "--engine", "ray", "--address", cluster.address)
    _, said = ended(again, 2)
    assert "there is no Ray cluster at" in said
    ended(batch(library, "--out", out, "--workers", 2), 3)
    assert contents(out) == contents(whole)
