"""Questions about a screen recording find the right stretch by the text that OCR reads off it."""

import pytest

from benchmarks.effort import FULL
from benchmarks.sections import text_retrieval


def test_without_the_clip_there_is_nothing_to_measure(tmp_path):
    for clips in (None, tmp_path):
        results = text_retrieval.measure(FULL, clips)
        assert (results["rows"], results["skipped"]) == ([], {text_retrieval.CLIP: "no clip"})


@pytest.mark.slow
def test_the_right_stretch_comes_first_for_seven_of_eight_questions(clips, tmp_path):
    for package in ("rapidocr", "llama_index.core", "langchain_core"):
        pytest.importorskip(package)
    results = text_retrieval.results(clips / text_retrieval.CLIP, tmp_path, None)
    assert results["met"], [(row["name"], row["missed"]) for row in results["rows"]]
    assert results["found of what is not there"] == {"words": 0}
