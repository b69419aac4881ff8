"""Several items in work at once: never more than allowed, and an error ends all."""

import threading
import time

import pytest

from framesift.errors import TimeLimitError
from framesift.fetching.side_by_side import side_by_side
from framesift.run import on_progress, time_limit


def test_each_item_comes_once_with_its_number_and_no_more_are_in_work_than_allowed():
    guard, now, most = threading.Lock(), 0, 0

    def work(item):
        nonlocal now, most
        with guard:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with guard:
            now -= 1
        return item * item

    assert dict(side_by_side(work, range(20), 4, "judge")) == {n: n * n for n in range(20)}
    assert most == 4
    assert list(side_by_side(work, [], 4, "judge")) == []


def test_progress_counts_what_has_ended():
    steps = []
    with on_progress(lambda step: steps.append((step.stage, step.done, step.total))):
        list(side_by_side(lambda item: item, range(3), 1, "judge"))
    assert list(dict.fromkeys(steps)) == [("judge", n, 3) for n in range(3)]


def test_after_an_error_nothing_is_begun_and_what_is_in_work_ends():
    begun, ended = [], []

    def work(item):
        begun.append(item)
        if item == 1:
            raise ValueError("broken")
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="broken"):
        list(side_by_side(work, range(100), 3, "judge"))
    assert len(begun) < 10
    assert sorted([*ended, 1]) == sorted(begun)


def test_a_time_limit_ends_work_that_hangs(monkeypatch):
    monkeypatch.setattr("framesift.fetching.side_by_side.LAST_SECONDS", 0.1)
    over = threading.Event()
    start = time.monotonic()
    try:
        with pytest.raises(TimeLimitError), time_limit(0.2):
            list(side_by_side(lambda item: over.wait(60), range(2), 2, "judge"))
        assert time.monotonic() - start < 30
    finally:
        over.set()
