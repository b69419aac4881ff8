import pytest
import torch

from framesift.selectors.aks import Aks
from framesift.selectors.aks_release import AksRelease


def noise(total, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(total, generator=generator, dtype=torch.float64)


def places(rule, values, count):
    times = torch.arange(len(values), dtype=torch.float64)
    return [each.place for each in rule.pick(values, times, count)]


def smoothed(values):
    return values.unfold(0, 9, 1).mean(1)


def spikes(total):
    values = noise(total) * 0.01
    values[[50, 51, 400]] = 1
    return values


def as_released(values, count, depth=0, scale=True, offset=0):
    """The released rule as the reading of it says, by recursion over lists."""
    if scale:
        low, high = min(values), max(values)
        values = [(value - low) / (high - low) for value in values]
    best = sorted(values, reverse=True)[:count]
    stands_out = sum(best) / len(best) - sum(values) / len(values) > 0.8
    if stands_out or depth == 5:
        order = sorted(range(len(values)), key=lambda place: -values[place])
        return sorted(offset + place for place in order[: int(count / 2**depth)])
    middle = len(values) // 2
    return [
        *as_released(values[:middle], count, depth + 1, False, offset),
        *as_released(values[middle:], count, depth + 1, False, offset + middle),
    ]


@pytest.mark.parametrize("values", [noise(600), smoothed(noise(608)), spikes(600), -noise(601)])
@pytest.mark.parametrize("count", [1, 4, 8, 16, 31, 32, 48, 64, 100, 128])
def test_release_parity(values, count):
    assert AksRelease().published(values, count) == as_released(values.tolist(), count)


@pytest.mark.parametrize("count", [8, 16, 31])
def test_the_release_picks_no_frame_below_32_and_the_part_says_so(count):
    values = noise(600)
    assert AksRelease().published(values, count) == []
    picks = AksRelease().pick(values, torch.arange(600), count)
    assert [each.place for each in picks] == values.argsort(descending=True)[:count].tolist()
    line = f"completes the count by its score: released AKS picks 0 of {count}"
    assert {each.reason for each in picks} == {line}


@pytest.mark.parametrize(("count", "each"), [(32, 1), (64, 2), (48, 1)])
def test_at_its_defaults_the_release_picks_the_best_of_32_equal_parts(count, each):
    values = noise(640)
    best = values.view(32, 20).topk(each, dim=1).indices + torch.arange(0, 640, 20)[:, None]
    assert AksRelease().published(values, count) == sorted(best.flatten().tolist())
    assert set(places(AksRelease(), values, count)) >= set(best.flatten().tolist())


def test_a_stretch_that_stands_out_is_not_halved():
    values = torch.zeros(1000, dtype=torch.float64)
    values[[3, 4, 5, 900]] = 1
    assert AksRelease().published(values, 4) == [3, 4, 5, 900]
    assert sorted(places(Aks(), values, 4)) == [3, 4, 5, 900]


def test_fewer_candidates_than_asked_and_equal_scores():
    assert AksRelease().published(noise(5), 8) == [0, 1, 2, 3, 4]
    assert AksRelease().published(torch.ones(64), 32) == list(range(0, 64, 2))


@pytest.mark.parametrize("count", [8, 16, 32, 64])
def test_at_powers_of_two_one_frame_of_each_equal_part_is_picked(count):
    values = noise(64 * 20, seed=count)
    bins = values.view(count, -1)
    best = bins.argmax(1) + torch.arange(count) * bins.shape[1]
    assert sorted(places(Aks(), values, count)) == best.tolist()


@pytest.mark.parametrize("count", [3, 5, 6, 7, 12, 33, 63, 599])
def test_at_other_counts_each_part_gets_its_share(count):
    values = noise(600, seed=count)
    chosen = torch.tensor(places(Aks(), values, count))
    assert len(chosen.unique()) == count
    halves = [int((chosen < 300).sum()), int((chosen >= 300).sum())]
    assert abs(halves[0] - halves[1]) <= 2


def test_a_remainder_goes_where_the_next_score_is_highest():
    values = torch.tensor([5.0, 1, 5, 2, 5, 4, 5, 3], dtype=torch.float64)
    assert sorted(places(Aks(threshold=1), values, 6)) == [0, 2, 4, 5, 6, 7]


def test_depth_zero_is_topk_and_a_depth_that_does_not_fit_is_cut():
    values = noise(100)
    assert places(Aks(depth=0), values, 9) == values.argsort(descending=True)[:9].tolist()
    assert places(Aks(depth=60), values, 9) == places(Aks(), values, 9)


def test_halving_ends_at_single_frames_however_deep():
    assert AksRelease(depth=30).published(noise(40), 36) == []
    assert len(set(places(AksRelease(depth=30), noise(40), 39))) == 39


@pytest.mark.parametrize("rule", [Aks(), AksRelease()])
def test_a_masked_frame_does_not_end_the_halving(rule):
    values = noise(640)
    values[17] = values.min()
    expected = places(rule, values, 32)
    values[17] = -torch.inf
    assert places(rule, values, 32) == expected
    assert max(place // 20 for place in expected) == 31
    assert len({place // 20 for place in expected}) == 32
