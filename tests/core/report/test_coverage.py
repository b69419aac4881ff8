import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framesift.report.coverage import cells, coverage, dimmed
from framesift.types.plan import TokenPlan


def test_kept_tokens_are_whole_and_lie_where_the_grid_says():
    plan = TokenPlan.keep(torch.tensor([1, 6 + 5]), num_in=12, tokens_per_frame=6)
    shares = coverage(plan, (2, 3))
    expected = np.zeros((2, 2, 3))
    expected[0, 0, 1] = expected[1, 1, 2] = 1
    np.testing.assert_array_equal(shares, expected)


@given(st.lists(st.integers(-1, 4), min_size=12, max_size=12).filter(lambda g: max(g) >= 0))
def test_shares_of_a_merge_add_up_to_the_tokens(group):
    plan = TokenPlan.merge(torch.tensor(group), tokens_per_frame=6)
    shares = coverage(plan, (3, 2))
    assert shares.sum() == pytest.approx(plan.num_out, rel=1e-5)
    np.testing.assert_array_equal(shares.ravel() > 0, np.array(group) >= 0)


def test_weights_that_sum_to_more_than_one_do_not_brighten():
    plan = TokenPlan.from_entries(
        dst=torch.tensor([0, 1, 1]),
        src=torch.tensor([0, 0, 1]),
        weight=torch.tensor([8.0, 3.0, 1.0]),
        num_in=2,
        num_out=2,
        tokens_per_frame=2,
    )
    np.testing.assert_allclose(coverage(plan, (1, 2)), [[[1.0, 0.25]]])


def test_another_grid_is_refused():
    plan = TokenPlan.keep(torch.tensor([0]), num_in=6, tokens_per_frame=6)
    with pytest.raises(ValueError, match="6 tokens per frame"):
        coverage(plan, (2, 2))


@pytest.mark.parametrize("size_px", [(40, 60), (37, 61), (2, 3), (1, 1)])
def test_kept_patches_keep_their_pixels(size_px):
    image = np.random.default_rng(1).integers(0, 256, (*size_px, 3), dtype=np.uint8)
    alone = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(dimmed(image, np.ones((2, 3), np.float32), alone), image)


def test_dropped_patches_lose_light_and_colour():
    image = np.full((40, 60, 3), (250, 40, 40), np.uint8)
    shares = np.zeros((2, 3), np.float32)
    shares[0, 2] = 1
    result = dimmed(image, shares, np.where(shares, 0, -1)).astype(int)
    kept, dropped = result[:20, 40:], result[21:, 1:20]
    assert (kept == image[:20, 40:]).all()
    assert dropped.max() < 100
    assert np.ptp(dropped, axis=-1).max() < 40
    assert len(np.unique(result.reshape(-1, 3), axis=0)) == 3


def test_a_merged_patch_lies_between():
    image = np.full((8, 8, 3), 200, np.uint8)
    one = np.zeros((1, 1), np.int64)
    levels = [
        int(dimmed(image, np.full((1, 1), share, np.float32), one)[4, 4, 0])
        for share in (0, 0.25, 1)
    ]
    assert levels[0] < levels[1] < levels[2]


def test_a_patch_belongs_to_the_output_that_it_weighs_most_in():
    plan = TokenPlan.from_entries(
        dst=torch.tensor([0, 0, 1, 1, 1]),
        src=torch.tensor([0, 1, 0, 2, 3]),
        weight=torch.tensor([0.5, 0.5, 1.0, 1.0, 1.0]),
        num_in=6,
        num_out=2,
        tokens_per_frame=6,
    )
    assert cells(plan, (2, 3)).tolist() == [[[0, 0, 1], [1, -1, -1]]]


def test_of_equal_weights_the_earlier_output_counts():
    plan = TokenPlan.from_entries(
        dst=torch.tensor([0, 1, 2]),
        src=torch.tensor([0, 0, 1]),
        weight=torch.ones(3),
        num_in=2,
        num_out=3,
        tokens_per_frame=2,
    )
    assert cells(plan, (1, 2)).tolist() == [[[0, 2]]]


def test_lines_go_around_cells_and_around_each_patch_in_none():
    image = np.full((40, 60, 3), 120, np.uint8)
    labels = np.array([[0, 0, 1], [0, 0, -1]])
    drawn = dimmed(image, np.zeros((2, 3), np.float32), labels)
    is_line = (drawn != drawn[5, 5]).any(-1)
    assert not is_line[:, :40].any()
    assert is_line[:, 40].all()
    assert is_line[20, 40:].all()
    assert not is_line[:20, 41:].any()
