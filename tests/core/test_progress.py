import io

from framesift.progress import progress_bar


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
