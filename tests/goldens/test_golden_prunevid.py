from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from framesift.strategies.base import create_strategy
from goldens.merged import assert_merged
from goldens.prunevid import frame_segments, groups, prunevid
from goldens.videos import KINDS, video


def uneven(kind, **shape):
    """Returns a video whose frames are not evenly spaced, as those of a pure drift are.

    The middle ones of evenly spaced points are equally dense but for the last bits of sums.
    """
    tokens = video(kind, **shape)
    noise = torch.randn(tokens.features.shape, generator=torch.Generator().manual_seed(4))
    return replace(tokens, features=tokens.features + 0.05 * noise)


def found_groups(tokens, threshold):
    features = tokens.features.double().numpy()
    return groups(features, frame_segments(features, len(features) // 4), threshold)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threshold", [0.7, 0.9])
def test_half_of_each_group_is_the_published_method(kind, threshold):
    tokens = uneven(kind, frames=9, height=4, width=6)
    found = found_groups(tokens, threshold)
    sizes = [len(points) for points, _ in found]
    counts = [size // 2 if size > 14 else size for size in sizes]
    plan = create_strategy("prunevid", threshold=threshold).plan(tokens, sum(counts))
    assert_merged(plan, tokens, prunevid(found, counts))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [Fraction(1, 5), Fraction(3, 5)])
def test_groups_share_the_budget_alike_where_none_stays_whole(kind, share):
    tokens = uneven(kind, frames=8, height=3, width=4)
    found = found_groups(tokens, 0.8)
    counts = [int(share * len(points)) for points, _ in found]
    plan = create_strategy("prunevid:whole=0").plan(tokens, sum(counts))
    assert_merged(plan, tokens, prunevid(found, counts))
