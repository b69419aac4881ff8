"""Pieces of a batch are measured for what they are; a simulation that does not hold says so."""

import cv2
import pytest
import torch

from benchmarks.process import Laps, Measured
from benchmarks.scale import Step
from benchmarks.sections import scale
from framesift.testing.videos import write_video

CORE_SECONDS = {"short": 2.0, "long": 6.0}
START = 1.0
"""What a video and the start of a worker take in a world of one task that uses one core."""


@pytest.fixture(autouse=True)
def own_threads():
    """Threads are as they were, since a measured process has them for itself."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "clip.mp4", count=75)


def world(slower):
    """Returns a stand-in for processes, whose batches of several take `slower` times as long."""

    def measured(work, *, videos=(), video=None, task, workers):
        if work is scale.video_run:
            amount = CORE_SECONDS[video]
            return Measured(
                seconds={},
                start_bytes=1,
                peak_bytes=1,
                facts={"seconds": amount, "core_seconds": amount},
            )
        amounts = [CORE_SECONDS[each] for each in videos]
        alone = workers == 1 or len(amounts) == 1
        # Two workers on two cores: the videos of a kind are an even number, and come in order.
        wall = START + (sum(amounts) if alone else sum(amounts[::2]))
        return Measured(
            seconds={"batch": [wall * (slower if len(amounts) > 1 else 1)]},
            start_bytes=1,
            peak_bytes=1,
            facts={"core_seconds": START + sum(amounts)},
        )

    return measured


@pytest.mark.parametrize(("slower", "holds"), [(1, True), (1.15, True), (1.3, False), (0.7, False)])
def test_rows_say_whether_batches_take_what_their_pieces_add_up_to(monkeypatch, slower, holds):
    monkeypatch.setattr(scale, "in_fresh_process", world(slower))
    monkeypatch.setattr(scale.os, "cpu_count", lambda: 2)
    videos = {name: name for name in CORE_SECONDS}
    rows = scale.batch_rows(videos, {"short": 4, "long": 2}, rounds=3)
    assert len(rows) == 3 * 2 * 2
    for row in rows:
        assert row["times_peer"] == pytest.approx(slower, rel=0.01), row
        assert row["holds"] is holds
    one = next(row for row in rows if row["name"] == "compress, 1 worker")
    assert one["peer_seconds"] == pytest.approx(START + 8 * CORE_SECONDS["short"])
    assert one["costs"]["short"]["start"] == {"resource": "cores", "amount": 1, "most": 1}


def test_the_typical_cost_is_the_one_of_the_middle_video():
    costs = [
        scale.Cost(
            video=Step(resource="cores", amount=amount), start=Step(resource="cores", amount=0)
        )
        for amount in (9, 1, 2)
    ]
    assert scale.Cost.middle(costs) is costs[2]


def test_a_video_is_worked_on_three_times_of_which_the_first_does_not_count(clip, monkeypatch):
    laps, seconds, cores = Laps(), iter([0, 100, 200, 201, 300, 303]), iter([0, 90, 0, 2, 0, 4])
    monkeypatch.setattr(scale, "perf_counter", lambda: next(seconds))
    monkeypatch.setattr(scale, "process_time", lambda: next(cores))
    found = scale.video_run(laps, video=str(clip), task="compress", workers=1)
    assert found == {"seconds": 2, "core_seconds": 3}
    assert len(laps.seconds["video"]) == 3


def test_a_video_that_fails_is_no_measurement(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(RuntimeError, match=r"text\.mp4"):
        scale.video_run(Laps(), video=str(tmp_path / "text.mp4"), task="compress", workers=1)


def test_pieces_are_those_of_a_minute_and_bytes_those_of_the_files(clip, tmp_path, monkeypatch):
    written, used = [], iter([0, 1, 0, 4, 0, 15, 0, 2, 0, 3])
    write = scale._written
    monkeypatch.setattr(scale, "process_time", lambda: next(used))
    monkeypatch.setattr(
        scale, "_written", lambda *given: written.append(write(*given)) or written[0]
    )
    laps = Laps()
    found = scale.pieces_run(laps, video=str(clip))
    assert set(laps.seconds) == {"index", "decode", "all", "plan", "write"}
    minutes = 3 / 60
    seconds = {"index": 1, "decode": 4, "plan": 2, "write": 3, "encode": 15 - 1 - 4}
    assert found["core_seconds"] == pytest.approx({k: v / minutes for k, v in seconds.items()})
    assert found["bytes_in"] == round(clip.stat().st_size / minutes)
    assert found["bytes_out"] == round(written[0] / minutes)
    assert written[0] > 1000
    assert found["encoder"] == scale.ENCODER
