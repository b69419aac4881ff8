import math

import pytest
import torch

from framesift.selectors.nms import Nms


def times(total):
    return torch.arange(total, dtype=torch.float64)


def places(rule, values, count):
    return [each.place for each in rule.pick(values, times(len(values)), count)]


def as_published(values, count):
    """The rule of arXiv 2502.19680 as it is written, but for the mark: minus infinity."""
    values, reach = values.clone(), len(values) // (4 * count)
    chosen = []
    for _ in range(count):
        best = int(values.argmax())
        chosen.append(best)
        values[max(0, best - reach) : best + reach + 1] = -math.inf
    return chosen


@pytest.mark.parametrize(
    ("count", "distance"), [(4, 8), (8, 4), (16, 2), (32, 1), (33, 0), (64, 0), (127, 0)]
)
def test_distance_of_128_candidates_is_that_of_the_paper(count, distance):
    peaks = torch.linspace(1, 0, 128, dtype=torch.float64)
    expected = list(range(0, 128, distance + 1))[:count]
    assert places(Nms(), peaks, count) == expected
    assert expected[-1] < 128


@pytest.mark.parametrize(("total", "counts"), [(128, (4, 8, 16, 32, 100)), (16, (4,)), (32, (4,))])
def test_ten_thousand_runs_on_raw_logits_repeat_no_frame_and_lack_none(total, counts):
    generator = torch.Generator().manual_seed(total)
    runs = 10_000 // (7 * len(counts)) * len(counts) if total == 128 else 10_000 // 7
    for run in range(runs):
        values = torch.randn(total, generator=generator, dtype=torch.float64) * 5 - 2
        count = counts[run % len(counts)]
        chosen = places(Nms(), values, count)
        assert len(set(chosen)) == count
        assert chosen == as_published(values, count)


def test_above_a_quarter_of_the_candidates_it_is_topk():
    values = torch.randn(128, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert places(Nms(), values, 40) == values.argsort(descending=True)[:40].tolist()


def test_a_second_peak_is_taken_before_the_neighbours_of_the_first():
    values = torch.zeros(64, dtype=torch.float64)
    values[10:14] = torch.tensor([5.0, 6.0, 5.0, 5.0], dtype=torch.float64)
    values[40] = 1
    assert places(Nms(), values, 2) == [11, 40]
    reasons = [each.reason for each in Nms().pick(values, times(64), 2)]
    assert reasons == [f"peak {rank}, more than 8 candidates from the others" for rank in (1, 2)]


def test_a_distance_that_starves_is_completed_in_the_largest_gaps():
    values = torch.zeros(21, dtype=torch.float64)
    values[10] = 1
    picks = Nms(distance=50).pick(values, times(21), 5)
    assert [each.place for each in picks] == [10, 0, 20, 5, 15]
    assert picks[-1].reason == "fills the largest gap between peaks"


def test_frames_that_are_all_masked_are_spread():
    assert places(Nms(), torch.full((9,), -math.inf), 3) == [4, 0, 8]


def test_gaps_are_filled_by_frames_that_are_not_masked_while_there_are_any():
    values = torch.full((21,), -math.inf, dtype=torch.float64)
    values[9:12] = torch.tensor([0.0, 1, 0], dtype=torch.float64)
    assert places(Nms(distance=50), values, 4) == [10, 9, 11, 0]
