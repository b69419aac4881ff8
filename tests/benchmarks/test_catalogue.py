import pytest

from benchmarks.process import Laps, Measured, MeasurementError
from benchmarks.sections import catalogue, planning

pytest.importorskip("transformers")


@pytest.fixture
def section(monkeypatch):
    """The section about small tokens, measured in this process; one strategy breaks off."""
    for module in (catalogue, planning):
        monkeypatch.setattr(module, "GRID", (2, 2))
        monkeypatch.setattr(module, "CHANNELS", 16)

    def here(work, *, timeout_seconds=0.0, **options):
        if options.get("strategy") == "uniform":
            raise MeasurementError("took more than 600 s")
        laps = Laps()
        facts = work(laps, **options)
        return Measured(seconds=laps.seconds, start_bytes=10, peak_bytes=30, facts=facts)

    monkeypatch.setattr(catalogue, "in_fresh_process", here)
    names = ["temporal", "sttm", "uniform"]
    return catalogue.results(
        rounds=2, frames=6, growth=(2, 4, 8), names=names, tower_frames=3, layers=1
    )


def test_every_strategy_is_set_against_encoding_the_same_frames(section):
    assert [row["name"] for row in section["rows"]] == ["temporal", "sttm"]
    assert section["failed"] == {"uniform": "took more than 600 s"}
    assert section["encoding"]["tokens"] == 3 * 4
    for row in section["rows"]:
        assert (row["tokens_out"], row["peak_bytes"]) == (6, 20)
        assert row["peer_seconds"] == pytest.approx(2 * section["encoding"]["seconds"], abs=2e-6)
        assert row["times_peer"] == pytest.approx(row["seconds"] / row["peer_seconds"], rel=0.05)
    assert section["met"].keys() == {"temporal"}


def test_growth_is_a_power_between_neighbouring_lengths(section):
    growth = section["growth"]["temporal"]
    assert [row["frames"] for row in growth["rows"]] == [2, 4, 8]
    assert len(growth["powers"]) == 2
