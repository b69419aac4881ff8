import pytest
import torch

from framesift.errors import MissingSignalError
from framesift.strategies.base import create_strategy
from framesift.types.tokens import Signals, VideoTokens


def tokens_with(text, features):
    text = torch.tensor(text, dtype=torch.float32)
    return VideoTokens(
        features=torch.tensor(features, dtype=torch.float32),
        grid=(1, text.shape[1]),
        pts_seconds=torch.arange(len(text), dtype=torch.float64),
        signals=Signals(text=text),
    )


BLANK, FIRST, SECOND = [1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]


def test_text_that_stands_is_kept_once_and_again_where_it_changes():
    tokens = tokens_with(
        [[0.9, 0, 0.2], [0.9, 0, 0.2], [0.9, 0, 0.2]],
        [[FIRST, BLANK, FIRST], [FIRST, BLANK, FIRST], [SECOND, BLANK, FIRST]],
    )
    plan = create_strategy("protect-text:share=1,strategy=uniform").plan(tokens, 3)
    # The long text first, then the other one of its place, then the short one.
    assert plan.src.tolist() == [0, 2, 6]


def test_text_that_comes_later_is_new_where_it_comes():
    tokens = tokens_with([[0, 0.3], [0.8, 0.3]], [[BLANK, FIRST], [BLANK, FIRST]])
    plan = create_strategy("protect-text:share=1,strategy=uniform").plan(tokens, 2)
    assert plan.src.tolist() == [1, 2]


def test_what_no_text_takes_goes_to_the_strategy_within():
    tokens = tokens_with([[0, 0.3, 0], [0, 0, 0]], [[BLANK, FIRST, BLANK], [BLANK, BLANK, SECOND]])
    plan = create_strategy("protect-text:share=1,strategy=uniform").plan(tokens, 4)
    assert plan.num_out == 4
    assert 1 in plan.src.tolist()


def test_no_text_at_all_leaves_the_strategy_within():
    tokens = tokens_with([[0, 0, 0]] * 2, [[BLANK, FIRST, BLANK], [BLANK, BLANK, SECOND]])
    for inner in ("uniform", "temporal"):
        alone = create_strategy(inner).plan(tokens, 3)
        assert create_strategy("protect-text", strategy=inner).plan(tokens, 3).src.equal(alone.src)


def test_tokens_without_text_are_refused_with_what_reads_it():
    tokens = tokens_with([[0.5]], [[FIRST]])
    with pytest.raises(MissingSignalError, match=r"needs text.*VideoCompressor\(text='screen'\)"):
        create_strategy("protect-text").plan(
            VideoTokens(features=tokens.features, grid=tokens.grid, pts_seconds=tokens.pts_seconds),
            1,
        )
