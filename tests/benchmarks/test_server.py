import sys

import pytest

from benchmarks.effort import Effort
from benchmarks.process import MeasurementError
from benchmarks.sections import server


@pytest.mark.slow
def test_a_server_under_load_answers_or_says_that_it_is_full():
    pytest.importorskip("framesift_server")
    section = server.measure(Effort(server_seconds=2, server_clients=(1, 6)), None)
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
        server.measure(Effort(server_seconds=0.1), None)
