import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.scorers import registry
from framesift.scorers.candidates import GivenCandidates
from framesift.types.tokens import Signals, VideoTokens

pytest.importorskip("transformers")
URI = "synthetic://brief?seconds=16&seed=3&width=320&height=180&fps=4"


class Seen:
    """Stands for a tower that finds the given similarities."""

    def __init__(self, near):
        self.near = near

    def asked(self, tokens, question):
        signals = Signals(question_similarity=self.near[: tokens.frame_count])
        return VideoTokens(
            features=tokens.features,
            grid=tokens.grid,
            pts_seconds=tokens.pts_seconds,
            signals=signals,
        )


class Model:
    def __init__(self, near):
        self.encoder = Seen(near)


def scores(near, patches):
    tokens = VideoTokens(
        features=torch.ones(len(near), near.shape[1], 4),
        grid=(1, near.shape[1]),
        pts_seconds=torch.arange(float(len(near))),
    )
    scorer = registry.create("similarity", patches=patches)
    scorer.__dict__["model"] = Model(near)
    candidates = GivenCandidates(pts_seconds=tokens.pts_seconds.double(), given_tokens=tokens)
    return scorer.score(candidates, "Where is the cat?"), candidates


def test_the_nearest_patches_of_a_frame_count():
    near = torch.tensor([[0.1, 0.5, 0.3], [0.4, 0.4, -1.0]])
    torch.testing.assert_close(scores(near, 1)[0].values, torch.tensor([0.5, 0.4]))
    torch.testing.assert_close(scores(near, 2)[0].values, torch.tensor([0.4, 0.4]))


def test_more_patches_than_there_are_means_all():
    near = torch.tensor([[0.1, 0.5, 0.3]])
    torch.testing.assert_close(scores(near, 99)[0].values, torch.tensor([0.3]))


def test_the_reason_is_the_score_and_each_frame_is_a_call():
    found, candidates = scores(torch.tensor([[0.25], [0.5]]), 1)
    assert found.reasons == ("similarity 0.25 to the question", "similarity 0.50 to the question")
    assert candidates.cost.calls == 2


def test_a_selector_takes_it_for_a_video_and_another_question_gives_another_curve():
    sift = VideoCompressor(selector="topk:scorer=[similarity:vlm=[tiny:device=cpu]]")
    one = sift.select(URI, 4, "Which number is on the red card?")
    other = sift.select(URI, 4, "What color is the star?")
    assert len(one.picked) == 4
    assert one.frames_encoded == 16
    assert one.curve != other.curve
