"""The promises of every frame selector, whatever its rule."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from framesift.errors import BudgetError
from framesift.run import Progress, on_progress
from framesift.selectors import registry
from framesift.selectors.base import Selection, Selector
from framesift.testing._suite import PartPromises
from framesift.types.tokens import VideoTokens


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


def select(selector: Selector, tokens: VideoTokens, count: int) -> Selection:
    """Returns what a selector picks; it gets the tokens only if it names an encoder."""
    seen = tokens if selector.encoder is not None else None
    return selector.select(tokens.pts_seconds, seen, count)


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
        for frames, count in product((1, 2, 3, 10, 41), (1, 2, 3, 9)):
            selection = select(selector, make_tokens(frames, still=still), count)
            about = f"{count} of {frames} frames{' of a still video' if still else ''}"
            chosen = selection.indices
            assert len(chosen) == min(count, frames), f"{about}: {len(chosen)} are chosen"
            assert set(chosen) <= set(range(frames)), f"{about}: {chosen}"
            assert all(selection.reasons), f"{about}: a reason is empty"
            finite = torch.tensor(selection.scores).isfinite()
            assert all(finite), f"{about}: the scores are {selection.scores}"

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
        """A selector that reads tokens tells its progress as stage `select`, and can be ended."""
        stages = []

        def refuse(progress: Progress) -> None:
            stages.append(progress.stage)
            raise KeyboardInterrupt

        if selector.encoder is not None:
            with pytest.raises(KeyboardInterrupt), on_progress(refuse):
                select(selector, make_tokens(600), 9)
            assert stages == ["select"]
