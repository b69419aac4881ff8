"""The promises of every scorer, whatever it looks at."""

from __future__ import annotations

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.scorers import registry
from framesift.scorers.base import Scorer
from framesift.scorers.candidates import GivenCandidates
from framesift.testing._suite import PartPromises
from framesift.testing.selectors import make_candidates, make_tokens
from framesift.types.tokens import VideoTokens

QUESTION = "Where is the red car?"


class ScorerContract(PartPromises):
    """One finite score and one reason a frame, the same ones each time: what scorers promise.

    class TestMine(ScorerContract):
        spec = "mine:option=1"  # or an instance, or a class that needs no options

    A scorer with an encoder of its own, which made-up tokens do not stand for, overrides
    `candidates` with ones that have pictures.
    """

    registry = registry

    @pytest.fixture
    def scorer(self, part: Scorer) -> Scorer:
        """The scorer under test, as `part` makes it."""
        return part

    def candidates(self, tokens: VideoTokens) -> GivenCandidates:
        """Returns candidates at the times of some tokens."""
        return make_candidates(tokens)

    @pytest.mark.parametrize("frames", [1, 2, 3, 10, 41])
    def test_each_frame_has_a_score_and_a_reason(self, scorer: Scorer, frames: int) -> None:
        """As many finite scores and lines come out as there are frames, on the CPU."""
        scores = scorer.score(self.candidates(make_tokens(frames)), QUESTION)
        assert scores.values.shape == (frames,)
        assert scores.values.dtype == torch.float32
        assert bool(scores.values.isfinite().all())
        assert len(scores.reasons) == frames
        assert all(reason and "\n" not in reason for reason in scores.reasons)

    def test_frames_of_a_still_video_are_worth_the_same_each_time(self, scorer: Scorer) -> None:
        """Scoring twice gives the same values and reasons."""
        candidates = self.candidates(make_tokens(12, still=True))
        first, second = (scorer.score(candidates, QUESTION) for _ in range(2))
        assert torch.equal(first.values, second.values)
        assert first.reasons == second.reasons

    def test_some_frames_alone_have_the_scores_that_they_have_among_all(
        self, scorer: Scorer
    ) -> None:
        """A scorer that does not compare frames rates each of them for itself; others refuse."""
        candidates, places = self.candidates(make_tokens(9)), [1, 4, 5]
        if scorer.compares_all:
            with pytest.raises(InvalidOptionError, match="cannot rate a few"):
                scorer.score(candidates, QUESTION, places)
            return
        whole = scorer.score(candidates, QUESTION).values[places]
        torch.testing.assert_close(scorer.score(candidates, QUESTION, places).values, whole)

    @pytest.mark.parametrize("question", [None, "", "  \n"])
    def test_a_missing_question_is_refused_where_one_is_read(
        self, scorer: Scorer, question: str | None
    ) -> None:
        """The line says which scorers need none."""
        candidates = self.candidates(make_tokens(3))
        if scorer.reads_question:
            with pytest.raises(InvalidOptionError, match="needs none"):
                scorer.score(candidates, question)
        else:
            assert len(scorer.score(candidates, question).values) == 3
