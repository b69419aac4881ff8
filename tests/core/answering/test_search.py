"""What is asked of a model in a search, and which weights stand out."""

import pytest
import torch

from framesift.answering.search import LEAST, as_question, least, standing_out


def test_words_become_a_question_and_questions_stay():
    assert as_question("a red star") == "Is this in the video: a red star?"
    for question in (
        "What number flashes?",
        "Where? ",
        "\u54ea\u91cc\uff1f",
        "\u0623\u064a\u0646\u061f",
    ):
        assert as_question(question) == question


def test_no_weights_at_all_stand_out_from_nothing():
    none, even = torch.zeros(12), torch.ones(12)
    for kind in LEAST:
        for weights in (none, even):
            for neutral in (none, even):
                assert standing_out(weights, neutral, kind, 3) <= least(kind, 3)
        assert standing_out(torch.ones(1), torch.ones(1), kind, 1) <= least(kind, 1)
    spread = torch.linspace(-1, 1, 12)
    assert standing_out(spread, spread, "similarity", 3) == pytest.approx(1)
    one = torch.eye(12)[5]
    assert standing_out(one, even, "attention", 3) > least("attention", 3)
    assert standing_out(one, one, "attention", 3) > least("attention", 3)
