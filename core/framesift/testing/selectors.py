"""The promises of every frame selector, whatever its rule."""

from __future__ import annotations

from contextlib import suppress
from itertools import product

import numpy as np
import pytest
import torch

from framesift.decoders.base import FrameIndex
from framesift.errors import BudgetError
from framesift.run import Progress, on_progress
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors import registry
from framesift.selectors.base import Selection, Selector
from framesift.testing._suite import PartPromises
from framesift.types.tokens import VideoTokens
from framesift.types.video import TimedText, VideoInfo


def make_tokens(frames: int, *, still: bool = False, seed: int = 0) -> VideoTokens:
    """Returns tokens of noise, two frames a second, or of a still picture."""
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(1, 9, 8, generator=generator)
    moving = torch.randn(frames, 9, 8, generator=generator)
    features = base.expand(frames, -1, -1) if still else moving
    return VideoTokens(
        features=features.contiguous(),
        grid=(3, 3),
        pts_seconds=torch.arange(frames, dtype=torch.float64) / 2,
    )


def make_candidates(tokens: VideoTokens) -> GivenCandidates:
    """Returns candidates of which every encoder sees the same tokens, with packets of any size."""
    count = tokens.frame_count
    times = tokens.pts_seconds.numpy()
    info = VideoInfo(
        width_px=64,
        height_px=48,
        duration_seconds=count / 2,
        start_seconds=0.0,
        frame_count=count,
        average_fps=2.0,
        codec="h264",
    )
    index = FrameIndex(
        info=info,
        pts_seconds=times,
        packet_bytes=100 + 37 * np.arange(count) % 91,
        is_keyframe=np.arange(count) % 4 == 0,
    )
    return GivenCandidates(
        pts_seconds=tokens.pts_seconds,
        given_tokens=tokens,
        index=index,
        indices=range(count),
        given_texts=(TimedText(start_seconds=0.0, end_seconds=1.0, text="a red car"),),
    )


def select(selector: Selector, tokens: VideoTokens, count: int) -> Selection:
    """Returns what a selector picks for a question, of candidates with these tokens."""
    return selector.select(make_candidates(tokens), count, "Where is the red car?")


class SelectorContract(PartPromises):
    """Exact counts and equal choices for equal frames: what every selector promises.

    class TestMine(SelectorContract):
        spec = "mine:option=1"  # or an instance, or a class that needs no options
    """

    registry = registry

    @pytest.fixture
    def selector(self, part: Selector) -> Selector:
        """The selector under test, as `part` makes it."""
        return part

    @pytest.mark.parametrize("still", [False, True])
    def test_the_count_is_exact(self, selector: Selector, still: bool) -> None:
        """Exactly `count` frames are chosen, or all; each with a finite score and a reason."""
        for frames, count in product((1, 2, 3, 10, 41), (1, 2, 3, 9, -1)):
            count = count if count > 0 else max(1, frames - 1)
            selection = select(selector, make_tokens(frames, still=still), count)
            about = f"{count} of {frames} frames{' of a still video' if still else ''}"
            chosen = selection.indices
            assert len(chosen) == min(count, frames), f"{about}: {len(chosen)} are chosen"
            assert set(chosen) <= set(range(frames)), f"{about}: {chosen}"
            assert all(selection.reasons), f"{about}: a reason is empty"
            finite = torch.tensor(selection.scores).isfinite()
            assert all(finite), f"{about}: the scores are {selection.scores}"
            if selection.curve is not None:
                assert len(selection.curve) == frames, f"{about}: the curve"

    def test_a_count_above_the_frames_says_so(self, selector: Selector) -> None:
        """Where there are fewer frames than `count`, the reason of each says that all are taken."""
        selection = select(selector, make_tokens(4), 9)
        assert selection.indices == (0, 1, 2, 3)
        assert "all 4 sampled frames" in selection.reasons[0]

    @pytest.mark.parametrize("count", [0, -3])
    def test_a_count_below_one_is_an_error(self, selector: Selector, count: int) -> None:
        """A count of no frame is refused."""
        with pytest.raises(BudgetError, match="at least 1"):
            select(selector, make_tokens(4), count)

    def test_deterministic(self, selector: Selector) -> None:
        """Choosing twice gives the same frames, scores and reasons."""
        tokens = make_tokens(30)
        first, second = (select(selector, tokens, 7) for _ in range(2))
        assert first == second

    def test_zero_features_and_half_precision(self, selector: Selector) -> None:
        """Black frames and half precision lead to no other count."""
        tokens = make_tokens(12)
        features = tokens.features.half()
        features[3:6] = 0
        half = VideoTokens(features=features, grid=tokens.grid, pts_seconds=tokens.pts_seconds)
        assert len(select(selector, half, 5).indices) == 5

    def test_what_a_listener_raises_ends_a_selection_that_compares(
        self, selector: Selector
    ) -> None:
        """A selector that compares many tokens tells its progress as `select`, and can be ended."""
        stages = []

        def refuse(progress: Progress) -> None:
            stages.append(progress.stage)
            raise KeyboardInterrupt

        candidates = make_candidates(make_tokens(600))
        with suppress(KeyboardInterrupt), on_progress(refuse):
            selector.select(candidates, 9, "Where is the red car?")
        compares_many = candidates.cost.frames_encoded >= 600
        assert stages == ["select"] or (not stages and not compares_many)
