import pytest

from framesift.evaluation import _bench_growth
from framesift.evaluation._bench_process import Laps, Measured, MeasurementError


def test_the_exponent_is_the_power_of_the_frames():
    frames = [2, 4, 8, 32]
    assert _bench_growth.exponent(frames, [0.5 * n**2 for n in frames]) == pytest.approx(2)
    assert _bench_growth.exponent(frames, [7.0] * 4) == pytest.approx(0)


def test_every_strategy_has_a_row_up_to_its_limit(monkeypatch):
    def here(work, *, strategy, frames, **options):
        if strategy == "evs":
            raise MeasurementError("took more than 600 s")
        laps = Laps()
        facts = work(laps, strategy=strategy, frames=frames, **options)
        assert facts["tokens_out"] == frames
        return Measured(
            seconds={"work": [9.0, 0.1 * frames]}, start_bytes=1, peak_bytes=2, facts=facts
        )

    monkeypatch.setattr(_bench_growth, "in_fresh_process", here)
    monkeypatch.setattr(_bench_growth, "GRID", (2, 2))
    monkeypatch.setattr(_bench_growth, "LIMITS", {"scissor": 4})
    names = ["temporal", "evs", "scissor"]
    found = _bench_growth.measure(rounds=1, names=names, frames=(2, 4, 8), channels=8)
    assert {row["name"]: row["frames"] for row in found["rows"]} == {
        "temporal": [2, 4, 8],
        "scissor": [2, 4],
    }
    assert [row["exponent"] for row in found["rows"]] == [1.0, 1.0]
    assert found["failed"] == {"evs": "took more than 600 s"}
