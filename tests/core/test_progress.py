import io
from contextlib import suppress

import pytest

from framesift.generation import Generation
from framesift.pipeline import VideoCompressor
from framesift.progress import Progress, on_progress, progress_bar, tell


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
    tell("download", 9, None)
    assert told == [Progress(stage="download", done=done, total=8, unit="B") for done in (0, 3, 8)]


def test_an_inner_listener_hides_the_outer_one_only_while_it_lasts():
    outer, inner = [], []
    with on_progress(outer.append):
        with suppress(KeyError), on_progress(inner.append):
            tell("encode", 1, 2)
            raise KeyError
        tell("encode", 2, 2)
    assert [p.done for p in inner] == [1]
    assert [p.done for p in outer] == [2]


@pytest.mark.parametrize("stage", ["draw", "encode", "answer"])
def test_what_a_listener_raises_ends_the_work_and_leaves_no_file(stage, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = []

    def refuse(progress):
        told.append(progress)
        if progress.stage == stage and progress.done:
            raise TimeoutError(stage)

    sift = VideoCompressor(vlm="tiny", fps=0.5)
    with pytest.raises(TimeoutError, match=stage), on_progress(refuse):
        sift.ask(
            "synthetic://number?seed=3&seconds=4",
            "What number flashes?",
            generation=Generation(max_new_tokens=4),
        )
    assert told[-1].stage == stage
    assert list(tmp_path.iterdir()) == []
