import numpy as np
import torch

from framesift.evaluation.reading.painting import GREY, painted
from framesift.types.plan import TokenPlan

GRID = (2, 3)


def pictures(frames=2):
    """Returns frames of 4 x 6 pixels whose six patches have a level each."""
    levels = np.arange(frames * 6, dtype=np.uint8).reshape(frames, 2, 3) * 10
    return np.repeat(np.repeat(levels, 2, 1), 2, 2)[..., None].repeat(3, -1)


def levels(result):
    return result.pictures[:, ::2, ::2, 0].reshape(-1).tolist()


def test_dropped_patches_are_grey_and_kept_ones_stay():
    plan = TokenPlan.keep(torch.tensor([1, 5, 6]), num_in=12, tokens_per_frame=6)
    result = painted(pictures(), GRID, plan)
    shown = [GREY] * 12
    shown[1], shown[5], shown[6] = 10, 50, 60
    assert levels(result) == shown
    assert result.is_left.reshape(-1).nonzero()[0].tolist() == [1, 5, 6]
    assert (result.is_same == result.is_left).all()
    kept = (result.pictures == pictures()).all(-1)
    assert kept.sum() == 3 * 4


def test_merged_patches_show_their_mean_and_are_no_longer_the_same():
    group = torch.tensor([0, -1, 0, 1, -1, -1])
    plan = TokenPlan.merge(group, tokens_per_frame=6)
    result = painted(pictures(1), GRID, plan)
    assert levels(result) == [10, GREY, 10, 30, GREY, GREY]
    assert result.is_left.reshape(-1).tolist() == [True, False, True, True, False, False]
    assert result.is_same.reshape(-1).tolist() == [False, False, False, True, False, False]


def test_a_patch_of_several_outputs_shows_the_one_in_which_it_weighs_most():
    plan = TokenPlan.from_entries(
        dst=torch.tensor([0, 0, 1, 1]),
        src=torch.tensor([0, 1, 1, 2]),
        weight=torch.tensor([0.75, 0.25, 0.5, 0.5]),
        num_in=6,
        num_out=2,
        tokens_per_frame=6,
    )
    # 0 and 1 make 2.5, 1 and 2 make 15.
    assert levels(painted(pictures(1), GRID, plan))[:3] == [2, 15, 15]
