"""Prompts hold what questions about pages need."""

import pytest

from benchmarks.sections import page_prompts


@pytest.mark.slow
def test_lines_nearest_to_the_question_hold_its_answer_more_often_than_the_first_ones():
    pytest.importorskip("rapidocr")
    pytest.importorskip("bm25s")
    rows = {row["name"]: row["share"] for row in page_prompts.results(1, "screen")["rows"]}
    assert rows["nearest to the question, 512 tokens"] == 1.0
    assert rows["nearest to the question, 64 tokens"] > rows["first lines, 64 tokens"]
    assert rows["answered by tiny, without lines"] == 0.0
