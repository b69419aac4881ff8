import numpy as np
import pytest
import torch

from framesift.selectors import registry
from framesift.selectors.its import Its


def picks(rule, values, count):
    return rule.pick(values, torch.arange(len(values), dtype=torch.float64), count)


def places(rule, values, count):
    return sorted(each.place for each in picks(rule, values, count))


def as_published(values, count, exponent):
    """BOLT's rule as the reading of it says: it repeats frames, and runs past the end."""
    scores = values.numpy().copy()
    scores -= scores.min()
    scores /= scores.max()
    scores **= exponent
    levels = np.linspace(1 / count, 1 - 1 / count, count)
    return np.searchsorted(np.cumsum(scores / scores.sum()), levels).tolist()


@pytest.mark.parametrize("exponent", [1.0, 2.5, 3.0])
def test_parity_with_bolt_away_from_its_edges(exponent):
    rule = registry.create(f"its:levels=published,exponent={exponent}")
    compared = 0
    for seed in range(50):
        generator = torch.Generator().manual_seed(seed)
        values = torch.randn(608, generator=generator, dtype=torch.float64).unfold(0, 9, 1).mean(1)
        for count in (3, 8, 16, 32, 64):
            published = as_published(values, count, exponent)
            chosen = places(rule, values, count)
            assert set(chosen) >= set(published)
            if len(set(published)) == count:
                assert chosen == published
                compared += 1
    assert compared > 150


def test_at_bolts_edges_the_count_is_right():
    spikes = torch.zeros(600, dtype=torch.float64)
    spikes[[50, 300, 400]] = torch.tensor([1.0, 0.9, 0.8], dtype=torch.float64)
    for count in (8, 16, 32):
        assert len(set(as_published(spikes, count, 3.0))) == 3
        for levels in ("middles", "published"):
            chosen = places(Its(levels=levels), spikes, count)
            assert len(set(chosen)) == count
            assert {50, 300, 400} <= set(chosen)
            assert sum(place < 300 for place in chosen) in (count // 2, count // 2 + 1)
    rising = torch.linspace(0, 1, 600, dtype=torch.float64)
    assert len(set(as_published(rising, 2, 1.0))) == 1
    assert places(Its(exponent=1), rising, 2) == [300, 519]


def test_one_frame_is_the_median_of_the_scores():
    rising = torch.linspace(0, 1, 601, dtype=torch.float64)
    assert places(Its(exponent=1), rising, 1) == [425]


@pytest.mark.parametrize("total", [9, 10, 601])
def test_equal_scores_give_evenly_spaced_frames(total):
    values = torch.full((total,), -3.0, dtype=torch.float64)
    times = torch.arange(total, dtype=torch.float64)
    for count in (1, 2, 7, total - 1):
        even = [(2 * number + 1) * total // (2 * count) for number in range(count)]
        assert places(Its(), values, count) == even
    assert "evenly spaced" in Its().pick(values, times, 1)[0].reason


def test_more_frames_are_picked_where_scores_are_high():
    values = torch.ones(100, dtype=torch.float64)
    values[60:80] = 4
    values[0] = 0
    chosen = places(Its(exponent=1), values, 20)
    assert sum(60 <= place < 80 for place in chosen) == 10


def test_reasons_and_order():
    values = torch.tensor([0.0, 1, 3, 0, 0, 0], dtype=torch.float64)
    chosen = picks(Its(exponent=1), values, 4)
    assert [each.place for each in chosen][:2] == [2, 1]
    assert chosen[0].reason == "where the summed scores pass 37.5%"
    assert chosen[-1].reason == "evenly spaced over frames without a share of the scores"
