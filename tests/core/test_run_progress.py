import io
import sys
import time
from contextlib import suppress

import pytest

from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError, PlanTooLongError, TimeLimitError
from framesift.run import (
    Progress,
    on_progress,
    progress_bar,
    report_progress,
    seconds_left,
    stoppable,
    throttled,
    time_limit,
)
from framesift.strategies.scissor import Scissor
from framesift.vlms.load import load_vlm


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_is_drawn_where_nobody_watches(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar("encode", total=3) as bar:
        bar.update(3)
    assert stream.getvalue() == ""


def test_a_terminal_shows_stage_and_count(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar("download", total=4000, unit="B") as bar:
        bar.update(4000)
    assert "download" in stream.getvalue()


def test_a_listener_is_told_the_beginning_and_each_step():
    told = []
    with on_progress(told.append), progress_bar("download", total=8, unit="B") as bar:
        bar.update(3)
        bar.update(5)
    report_progress("download", 9, None)
    assert told == [Progress(stage="download", done=done, total=8, unit="B") for done in (0, 3, 8)]


def test_an_inner_listener_hides_the_outer_one_only_while_it_lasts():
    outer, inner = [], []
    with on_progress(outer.append):
        with suppress(KeyError), on_progress(inner.append):
            report_progress("encode", 1, 2)
            raise KeyError
        report_progress("encode", 2, 2)
    assert [p.done for p in inner] == [1]
    assert [p.done for p in outer] == [2]


@pytest.mark.parametrize("stage", ["draw", "encode", "answer"])
def test_what_a_listener_raises_ends_the_work_and_leaves_no_file(stage, monkeypatch, tmp_path):
    # Loaded before, as torch makes a folder of its own for good when transformers is imported.
    vlm = load_vlm("tiny")
    assert vlm.hf is not None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = []

    def refuse(progress):
        told.append(progress)
        if progress.stage == stage and progress.done:
            raise TimeoutError(stage)

    sift = VideoCompressor(vlm=vlm, fps=0.5)
    with pytest.raises(TimeoutError, match=stage), on_progress(refuse):
        sift.ask(
            "synthetic://number?seed=3&seconds=4",
            "What number flashes?",
            generation=Generation(max_new_tokens=4),
        )
    assert told[-1].stage == stage
    assert list(tmp_path.iterdir()) == []


def test_a_time_limit_ends_the_work_at_its_next_step():
    told = []
    with time_limit(0.01), on_progress(told.append):
        report_progress("encode", 0, None)
        time.sleep(0.02)
        with pytest.raises(TimeLimitError, match=r"at 'encode' after its limit of 0\.01 s"):
            report_progress("encode", 1, None)
    report_progress("encode", 2, None)
    assert len(told) == 1


@pytest.mark.parametrize(("outer", "inner"), [(0.01, 60.0), (60.0, 0.01)])
def test_the_nearest_of_several_limits_holds(outer, inner):
    with time_limit(outer), time_limit(inner):
        assert seconds_left() <= 0.01
        time.sleep(0.02)
        assert seconds_left() == 0
        with pytest.raises(TimeLimitError):
            report_progress("plan", 0, None)
    assert seconds_left() is None


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_limit_is_above_zero(seconds):
    with pytest.raises(InvalidOptionError, match="above 0"), time_limit(seconds):
        pass


def test_steps_of_a_loop_are_told_before_they_are_done():
    told = []
    with on_progress(lambda progress: told.append((progress.done, progress.total))):
        for place, _ in enumerate(stoppable("abc")):
            assert len(told) == place + 1
        assert list(stoppable(iter("a"))) == ["a"]
    assert told == [(0, 3), (1, 3), (2, 3), (0, None)]


class Endless(Scissor):
    """A strategy that takes far longer than anybody waits."""

    def least_multiplications(self, frames, patches, channels, budget):
        return 1e18


def test_a_plan_that_cannot_end_in_time_is_refused_before_anything_is_decoded():
    stages, words = set(), r"at least \d+ s here for a plan of 1568 tokens"
    sift = VideoCompressor(strategy=Endless())
    with (
        time_limit(60),
        on_progress(lambda progress: stages.add(progress.stage)),
        pytest.raises(PlanTooLongError, match=words),
    ):
        sift.compress("synthetic://number?seed=3")
    assert "encode" not in stages


def test_a_throttled_listener_hears_a_stage_begin_and_end_and_little_between():
    heard = []
    listen = throttled(heard.append)
    for stage in ("encode", "plan"):
        for done in range(501):
            listen(Progress(stage=stage, done=done, total=500, unit="step"))
    assert len(heard) < 50
    for stage in ("encode", "plan"):
        steps = [progress.done for progress in heard if progress.stage == stage]
        assert (steps[0], steps[-1]) == (0, 500)


def test_a_throttled_listener_hears_what_has_no_end_now_and_then():
    heard = []
    listen = throttled(heard.append, seconds=0)
    listen(Progress(stage="download", done=0, total=None, unit="B"))
    listen(Progress(stage="download", done=1, total=None, unit="B"))
    assert [progress.done for progress in heard] == [0, 1]


def test_a_program_without_stderr_shows_no_progress_and_goes_on(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)  # as of pythonw, or of a service that closes it
    with progress_bar("decode", total=2) as bar:
        bar.update()
    assert bar.done == 1
