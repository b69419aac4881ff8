"""How many cores a batch takes for its own."""

import os
import sys

import pytest

from framesift.batching import cores


@pytest.fixture
def eight(monkeypatch, tmp_path):
    """A process that may run on eight cores, in a container whose quota the test writes."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cores, "QUOTA", tmp_path / "cpu.max")
    return tmp_path / "cpu.max"


@pytest.mark.parametrize(
    ("quota", "count"),
    [
        (None, 8),
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("250000 100000\n", 2),
        ("50000 100000\n", 1),
        ("6400000 100000\n", 8),
        ("nonsense", 8),
        ("100000 0\n", 8),
    ],
)
def test_a_container_gives_its_share_of_the_cores(eight, quota, count):
    if quota is not None:
        eight.write_text(quota)
    assert cores.own_cores() == count


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are not bound here")
def test_a_process_that_is_bound_to_a_core_has_one():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cores.own_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
