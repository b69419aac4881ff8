"""A line takes only what it can finish: by a clock that the test moves."""

import math
from contextlib import ExitStack
from types import SimpleNamespace

import anyio
import pytest

from framesift_server.estimates import Estimate
from framesift_server.problems import ServerBusyError
from framesift_server.workers import Workers


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def line():
    clock = Clock()
    workers = Workers(waiting=16, seconds=120.0, clock=clock)

    def work(seconds, fails=None):
        """Has work done that takes as long by the clock."""

        def do():
            clock.now += seconds
            if fails:
                raise fails

        async def run():
            with workers.place("m", "ask") as place:
                await workers.run(place, do)

        anyio.run(run)

    def admitted():
        """Returns how many get in that come at once, and what the next one is told."""
        with ExitStack() as inside:
            for count in range(100):
                try:
                    inside.enter_context(workers.place("m", "ask"))
                except ServerBusyError as busy:
                    return count, busy.retry_seconds
        raise AssertionError

    return SimpleNamespace(clock=clock, workers=workers, work=work, admitted=admitted)


@pytest.mark.parametrize(
    ("seconds", "most"), [(1, 17), (14, 8), (29, 4), (59, 2), (119, 1), (500, 1)]
)
def test_as_many_get_in_as_can_be_finished(line, seconds, most):
    for _ in range(20):
        line.work(seconds)
    count, retry_seconds = line.admitted()
    assert count == most, "each takes its time, and the last one ends within 120 s"
    if count < 17:
        ahead = count * seconds
        assert retry_seconds == pytest.approx(max(1, ahead + seconds - 120), abs=seconds * 0.02 + 1)
    else:
        assert retry_seconds <= 2, "when the one in work is done"


def test_all_that_got_in_are_done_in_time(line):
    for _ in range(20):
        line.work(25)
    count, _ = line.admitted()
    start = line.clock.now
    for _ in range(count):
        line.work(25)
    assert line.clock.now - start <= 120


def test_who_comes_when_it_was_said_gets_in(line):
    for _ in range(20):
        line.work(50)
    with ExitStack() as inside:
        first = inside.enter_context(line.workers.place("m", "ask"))
        first.began = line.clock.now
        inside.enter_context(line.workers.place("m", "ask"))
        with pytest.raises(ServerBusyError) as busy:
            inside.enter_context(line.workers.place("m", "ask"))
        line.clock.now += busy.value.retry_seconds - 2
        with pytest.raises(ServerBusyError):
            inside.enter_context(line.workers.place("m", "ask"))
        line.clock.now += 2
        inside.enter_context(line.workers.place("m", "ask"))


def test_little_is_taken_before_anything_is_known(line):
    assert line.admitted()[0] == 4


def test_the_first_one_loads_the_model_and_counts_until_the_second(line):
    line.work(100)
    assert line.admitted()[0] == 1
    line.work(1)
    assert line.admitted()[0] == 17


def test_what_failed_early_makes_nobody_hopeful(line):
    for _ in range(20):
        line.work(50)
    for _ in range(20):
        with pytest.raises(ValueError, match="no video"):
            line.work(0.1, ValueError("no video"))
    assert line.admitted()[0] == 2


def test_what_was_cut_off_took_at_least_as_long(line):
    for _ in range(20):
        line.work(1)
    for _ in range(20):
        with pytest.raises(TimeoutError):
            line.work(120, TimeoutError())
    assert line.admitted()[0] == 1


def test_kinds_of_work_are_known_apart(line):
    for _ in range(20):
        line.work(1)
    with line.workers.place("m", "ask"), line.workers.place("m", "compress"):
        assert line.workers.inside["m"] == 2
    with ExitStack() as inside:
        for _ in range(3):
            inside.enter_context(line.workers.place("m", "compress"))
        inside.enter_context(line.workers.place("m", "ask"))


def test_a_job_under_way_holds_up_the_line(line):
    with line.workers.joined("m", "job ask", 3600) as job:
        job.estimate.note(600)
        with pytest.raises(ServerBusyError) as busy, line.workers.place("m", "ask"):
            pass
    assert busy.value.retry_seconds == math.ceil(750 + 30 - 120)


def test_what_can_no_longer_be_done_in_time_is_not_begun(line):
    for _ in range(20):
        line.work(50)
    done = []

    async def run():
        with line.workers.place("m", "ask") as late, line.workers.place("m", "ask"):
            line.clock.now += 100
            with pytest.raises(ServerBusyError):
                await line.workers.run(late, lambda: done.append(1))

    anyio.run(run)
    assert not done


def test_an_estimate_is_wide_where_work_varies():
    even, uneven = Estimate(1.0), Estimate(1.0)
    for number in range(40):
        even.note(10)
        uneven.note(2 if number % 2 else 18)
    assert even.seconds == pytest.approx(10, abs=0.1)
    assert uneven.seconds > 15
