"""What changes of a page is read, and counted against what was written."""

import pytest

from benchmarks import plots
from benchmarks.sections import screen_text
from benchmarks.table import table_lines
from benchmarks.written_pages import written_line
from framesift import TimedText


def read(start, text, end=9.0, confidence=0.99):
    return TimedText(start_seconds=start, end_seconds=end, text=text, confidence=confidence)


def test_no_two_lines_of_an_hour_are_the_same():
    assert len({written_line(number) for number in range(360)}) == 360


def test_lines_are_compared_by_text_and_time():
    whole = [
        read(0, "Settings"),
        read(3, "Input image"),
        read(5, "blur", 6.0),
        read(5, "ghst", 9, 0.6),
    ]
    found = screen_text.difference("found", whole, [read(1, "Settings"), read(6, "Input image")])
    assert found == {"lines_found": 1, "lines_found_of": 2, "lines_not_found": ["Input image"]}


@pytest.mark.slow
def test_a_page_is_read_line_by_line(tmp_path):
    pytest.importorskip("rapidocr")
    row = screen_text.memory_row((20, 60))
    assert (row["lines_written"], row["lines_read"]) == (6, 6)
    assert row["pixels_share"] < 0.25
    results = {"sections": {"screen_text": {"question": "how much", "rows": [row]}}}
    assert len(list(table_lines(results))) == 2
    plots.write_figure(
        tmp_path / "p.png", {**results, "machine": {"cpu": "", "cores": 2}, "made": ""}
    )
