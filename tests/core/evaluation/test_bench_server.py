import sys

import pytest

from framesift.evaluation import _bench_server
from framesift.evaluation._bench_process import MeasurementError


@pytest.mark.slow
def test_a_server_under_load_answers_or_says_that_it_is_full():
    pytest.importorskip("framesift_server")
    section = _bench_server.measure(clients=(1, 6), seconds=2)
    alone, crowd = section["rows"]
    assert alone["full"] == alone["other"] == crowd["other"] == 0
    assert crowd["full"] > 0, "three fit in, six ask"
    assert alone["per_second"] > 0
    assert crowd["peak_bytes"] >= section["start_bytes"] > 0
    assert section["met"]["statuses"]


def test_a_server_that_does_not_start_is_one_line(monkeypatch, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(MeasurementError, match="framesift serve"):
        _bench_server.measure(clients=(1,), seconds=0.1)
