import pytest
import torch

from framesift.errors import InvalidOptionError, MissingSignalError
from framesift.strategies.base import create_strategy
from framesift.types.tokens import VideoTokens


def tokens_of(features, mask=None):
    frames, patches, _ = features.shape
    return VideoTokens(
        features=features,
        grid=(1, patches),
        pts_seconds=torch.arange(frames, dtype=torch.float64),
        mask=mask,
    )


def test_a_merged_token_weighs_by_what_it_stands_for():
    features = torch.eye(4)[[0, 0, 0, 1, 2, 2]][None]
    plan = create_strategy("tome").plan(tokens_of(features), 3)
    assert torch.equal(plan.apply(features), torch.eye(4)[:3][[0, 1, 2]])
    times = plan.apply(torch.arange(6.0)[:, None]).flatten()
    assert times.tolist() == [1.0, 3.0, 4.5]


def test_neighbouring_frames_merge_and_say_when():
    features = torch.eye(6)[:3].repeat(4, 1, 1)
    features[2:] *= -1
    plan = create_strategy("tome").plan(tokens_of(features), 6)
    times = plan.apply(torch.arange(4.0).repeat_interleave(3)[:, None]).flatten()
    assert times.tolist() == [0.5] * 3 + [2.5] * 3


def test_more_runs_than_tokens_are_joined():
    features = torch.randn(9, 4, 8, generator=torch.Generator().manual_seed(0))
    plan = create_strategy("tome:frames=1").plan(tokens_of(features), 3)
    assert plan.num_out == 3
    assert plan.used.all()


@pytest.mark.parametrize(("option", "value"), [("frames", 0), ("metric", "values")])
def test_options_are_checked(option, value):
    with pytest.raises(InvalidOptionError, match=f"{option}={value!r}"):
        create_strategy("tome", **{option: value})


def test_keys_must_be_there_where_they_are_asked_for():
    with pytest.raises(MissingSignalError, match="needs keys"):
        create_strategy("tome:metric=keys").plan(tokens_of(torch.ones(1, 4, 2)), 2)
