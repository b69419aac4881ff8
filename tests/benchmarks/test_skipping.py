"""What skipping costs is counted beside the same questions, changes and clips without it."""

import torch

from benchmarks.sections import skipping
from framesift.evaluation.answers import question_sets
from framesift.testing import random_tokens


def test_one_video_is_answered_in_every_way(monkeypatch):
    # The answers that are guessed without a video are not asked for here, and take their time.
    monkeypatch.setattr(question_sets, "commonest_answers", dict)
    rows = {row["name"]: row for row in skipping.answer_rows(1)}
    assert list(rows) == [
        *("all tokens", "gate 8", "gate 12"),
        *("temporal 0.25", "gate 8, temporal 0.25", "gate 12, temporal 0.25"),
    ]
    assert rows["all tokens"]["encoded"] == rows["temporal 0.25"]["encoded"] == 1
    assert 0 < rows["gate 12"]["encoded"] <= rows["gate 8"]["encoded"] < 1
    for row in rows.values():
        for peer in (row["against all tokens"], row["against same keep"]):
            gained = (peer["won"] - peer["lost"]) / row["events"]
            assert abs(peer["difference"] - gained) < 1e-4
    assert rows["gate 8"]["against all tokens"] == rows["gate 8"]["against same keep"]


def test_won_and_lost_are_of_the_same_questions():
    own = [("a", True), ("a", True), ("a", False), ("b", False)]
    peers = [("a", False), ("a", True), ("a", True), ("b", True)]
    paired = skipping.paired(own, peers)
    assert (paired["won"], paired["lost"], paired["difference"]) == (1, 2, -0.25)


def test_large_digits_are_seen_where_faint_small_ones_are_not():
    rows = {(row["video"], row["name"]): row["share"] for row in skipping.digit_rows(3)}
    assert len(rows) == 2 * 2 * 4 * 2
    assert rows["378 px", "strong digit of 5%, gate 8"] == 1
    assert rows["378 px", "faint digit of 2%, gate 12"] < 1
    assert rows["1008 px", "faint digit of 3%, gate 8"] == 1


def test_skipped_tokens_copy_the_last_encoded_ones():
    tokens = random_tokens(frames=4, height=1, width=2)
    encoded = torch.tensor([[1, 1], [0, 1], [0, 0], [1, 0]]).bool()
    copies = skipping.copied(tokens, encoded).features
    assert torch.equal(copies[:, 0], tokens.features[[0, 0, 0, 3], 0])
    assert torch.equal(copies[:, 1], tokens.features[[0, 1, 1, 1], 1])
