"""A question that a selector does not read is told, since it changes nothing."""

import pytest

import framesift

CUTS = "synthetic://cuts?seconds=4&seed=2"


@pytest.mark.parametrize(
    ("selector", "question", "told"),
    [("uniform", "What is red?", 1), ("uniform", None, 0), ("auto", "What is red?", 0)],
)
def test_keyframes_say_that_their_selector_reads_no_question(selector, question, told):
    sift, lines = framesift.VideoCompressor(selector=selector), []
    sift.select(CUTS, 2, question, warn=lines.append)
    assert len([line for line in lines if "does not read the question" in line]) == told
