import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import time
import traceback

import pytest

from framesift.decoders.ahead import MOST_AHEAD, ReadAhead, has_reader
from framesift.errors import CorruptVideoError, DecodeError, TimeLimitError
from framesift.run import on_progress, report_progress, stoppable, time_limit

NAME = "framesift-decode"


def threads():
    return [thread for thread in threading.enumerate() if thread.name == NAME]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    assert threads() == []


def ahead(make, warnings=None):
    return ReadAhead(lambda warn: make(), warn=[].append if warnings is None else warnings.append)


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.001)


def test_every_item_comes_once_and_in_order():
    assert list(ahead(lambda: iter(range(300)))) == list(range(300))


def test_a_finished_reader_stays_finished():
    items = ahead(lambda: iter("ab"))
    assert list(items) == ["a", "b"]
    assert list(items) == []
    assert threads() == []


def test_no_more_is_made_than_there_are_places():
    made = []
    items = ahead(lambda: (made.append(n) or n for n in range(10)))
    until(lambda: len(made) == MOST_AHEAD)
    time.sleep(0.05)
    assert len(made) == MOST_AHEAD
    for taken in range(1, 9):
        next(items)
        until(lambda taken=taken: len(made) == min(10, taken + MOST_AHEAD))
    items.close()


def test_items_are_made_while_the_one_before_is_worked_on():
    second = threading.Event()

    def make():
        yield 1
        second.set()
        yield 2

    items = ahead(make)
    assert next(items) == 1
    assert second.wait(10), "nobody asked for the second one yet"
    items.close()


def test_an_error_comes_behind_what_was_made_before_it_and_as_it_was_raised():
    def failing():
        yield 1
        yield 2
        try:
            raise OSError("the cause")
        except OSError as cause:
            raise CorruptVideoError("broken") from cause

    items = ahead(failing)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(CorruptVideoError, match="broken") as caught:
        next(items)
    assert isinstance(caught.value.__cause__, OSError)
    assert "failing" in [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert list(items) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_is_raised_reaches_the_reader(error):
    def failing():
        yield 1
        raise error

    items = ahead(failing)
    next(items)
    with pytest.raises(error):
        next(items)


def test_warnings_come_between_the_items_in_the_thread_of_the_reader():
    here, events = threading.get_ident(), []

    def start(warn):
        for number in range(3):
            warn(f"before {number}")
            yield number
        warn("at the end")

    def listen(line):
        assert threading.get_ident() == here
        events.append(line)

    for number in ReadAhead(start, warn=listen):
        events.append(number)
    assert events == ["before 0", 0, "before 1", 1, "before 2", 2, "at the end"]


def test_what_the_listener_of_warnings_raises_is_the_reader_s():
    def start(warn):
        warn("odd")
        yield 1

    def refuse(line):
        raise LookupError(line)

    with pytest.raises(LookupError, match="odd"):
        next(ReadAhead(start, warn=refuse))


@pytest.mark.parametrize("leave", ["close", "drop"])
def test_who_leaves_early_ends_the_thread_which_closes_what_it_reads(leave):
    closed = []

    def make():
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    items = ahead(make)
    next(items)
    if leave == "close":
        items.close()
        items.close()
    else:
        del items
    assert closed == [NAME]
    assert threads() == []


def test_a_circle_of_objects_is_ended_by_the_garbage_collection():
    items = ahead(lambda: iter(range(99)))
    circle = [items]
    circle.append(circle)
    del items, circle
    gc.collect()
    assert threads() == []


def test_the_thread_itself_may_collect_its_reader():
    holder, survived, ended = [], [], threading.Event()

    def make():
        try:
            yield 1
            until(lambda: holder)
            holder.pop().close()
            survived.append(True)
            yield 2
            yield 3
        finally:
            ended.set()

    items = ahead(make)
    holder.append(items)
    assert ended.wait(10)
    assert survived, "a thread cannot wait for its own end"
    items.close()


def test_loops_of_a_decoder_see_that_the_reader_has_left():
    begun = threading.Event()

    def endless():
        begun.set()
        while has_reader():
            time.sleep(0.001)
        yield 1

    assert has_reader()
    items = ahead(endless)
    assert begun.wait(10)
    items.close()
    assert has_reader()


def test_reading_on_after_the_end_of_the_video_is_one_clear_line():
    items = ahead(lambda: iter(range(99)))
    next(items)
    items.close()
    with pytest.raises(DecodeError, match="open the video again"):
        list(items)


def test_the_time_limit_of_the_reader_holds_in_the_thread():
    def make():
        for number in stoppable(range(10**9), "decode"):
            time.sleep(0.001)
            if number < 0:
                yield number

    with time_limit(0.05), pytest.raises(TimeLimitError, match="decode"):
        next(ahead(make))


def test_progress_is_reported_in_the_thread_of_the_reader_and_may_end_it():
    here, told = threading.get_ident(), []

    def make():
        for number in range(3):
            report_progress("look", number, 3)
            yield number

    def listen(progress):
        assert threading.get_ident() == here
        told.append(progress.done)
        if progress.done == 2:
            raise LookupError("enough")

    with on_progress(listen), pytest.raises(LookupError, match="enough"):
        list(ahead(make))
    assert told == [0, 1, 2]


def test_contexts_are_those_of_their_own_thread():
    which = contextvars.ContextVar("which", default="outside")

    def make():
        seen = which.get()
        which.set("changed in the thread")
        yield seen
        yield which.get()

    token = which.set("reader")
    try:
        assert list(ahead(make)) == ["reader", "changed in the thread"]
        assert which.get() == "reader"
    finally:
        which.reset(token)


def test_a_reader_may_go_from_thread_to_thread_as_servers_make_it():
    items = ahead(lambda: iter(range(6)))

    async def all_of():
        return [await asyncio.to_thread(next, items) for _ in range(5)]

    assert asyncio.run(all_of()) == list(range(5))
    items.close()


def test_seconds_are_those_of_the_thread():
    def make():
        time.sleep(0.05)
        yield 1

    items = ahead(make)
    until(lambda: items.seconds > 0)
    assert 0.05 <= items.seconds < 5
    items.close()


SCRIPT = """
import os, sys, time
from framesift.decoders.ahead import ReadAhead
from framesift.errors import DecodeError

def make():
    n = 0
    while True:
        n += 1
        yield n

items = ReadAhead(lambda warn: make(), warn=print)
assert next(items) == 1
"""
ENDS = {
    "exit": "",
    "error": "raise SystemExit(0)",
    "fork": """
pid = os.fork()
if pid == 0:
    try:
        while True: next(items)
    except DecodeError as error:
        assert "forked" in str(error)
        items.close()
        del items
        os._exit(0)
    os._exit(1)
_, status = os.waitpid(pid, 0)
assert next(items) == 2
sys.exit(status)
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_a_process_ends_though_somebody_still_reads(end):
    code = SCRIPT + ENDS[end]
    made = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (made.returncode, made.stderr) == (0, "")
