"""The greedy DPP is what determinants of all extensions say, choice by choice."""

import numpy as np
import pytest
import torch

from framesift.strategies import determinantal


def greedy(kernel, weight, count, live=None, given=0):
    """Returns places, gains and processes of one batch."""
    kernel, weight = torch.as_tensor(kernel), torch.as_tensor(weight)
    live = torch.ones(len(weight), dtype=torch.bool) if live is None else live
    made = determinantal.greedy(
        lambda chosen: kernel[chosen[:, 0]], weight[None], live[None], count=count, given=given
    )
    return made.places[0].tolist(), made.gains[0].tolist(), made.process[0].tolist()


def by_determinants(kernel, weight, count):
    """Returns the items that multiply the determinant most, one by one, earlier ones on ties."""
    quality = np.sqrt(weight)
    whole = quality[:, None] * kernel * quality
    chosen, determinant = [], 1.0
    for _ in range(count):
        rest = [item for item in range(len(weight)) if item not in chosen]
        found = {i: np.linalg.det(whole[np.ix_([*chosen, i], [*chosen, i])]) for i in rest}
        best = max(rest, key=lambda item: (found[item], -item))
        chosen.append(best)
        determinant = found[best]
    return chosen, determinant


def random_case(seed, items, channels):
    draw = np.random.default_rng(seed)
    units = draw.normal(size=(items, channels))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    return units @ units.T, draw.uniform(0.05, 1.0, items)


@pytest.mark.parametrize("items", range(1, 11))
def test_each_choice_is_the_one_that_multiplies_the_determinant_most(items):
    for seed in range(40):
        kernel, weight = random_case(seed, items, channels=12)
        for count in range(1, items + 1):
            places, gains, process = greedy(kernel, weight, count)
            expected, determinant = by_determinants(kernel, weight, count)
            assert places == expected
            assert np.prod(gains) == pytest.approx(determinant, rel=1e-6)
            assert process == [0] * count


def test_without_likeness_the_greedy_set_is_the_most_probable_of_all():
    weight = np.array([0.3, 0.9, 0.1, 0.8, 0.9])
    assert greedy(np.eye(5), weight, 3)[0] == [1, 4, 3]


def test_duplicates_wait_and_then_choosing_begins_afresh():
    kernel = np.array([[float(a == b) for b in "aabbc"] for a in "aabbc"])
    places, _, process = greedy(kernel, np.array([0.9, 0.8, 0.7, 0.6, 0.5]), 5)
    assert places == [0, 2, 4, 1, 3]
    assert process == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_more_items_than_channels_are_all_chosen_once(dtype):
    kernel, weight = random_case(3, items=30, channels=4)
    kernel = torch.as_tensor(kernel, dtype=dtype).mul(1e6).round().div(1e6)
    places, gains, _ = greedy(kernel, torch.as_tensor(weight, dtype=dtype), 30)
    assert sorted(places) == list(range(30))
    assert np.isfinite(gains).all()


def test_ties_go_to_the_earlier_item():
    assert greedy(np.eye(6), np.ones(6), 6)[0] == list(range(6))
    assert greedy(np.ones((6, 6)), np.ones(6), 6)[0] == list(range(6))


def test_items_that_may_not_be_chosen_are_left_and_the_end_is_marked():
    live = torch.tensor([True, False, True])
    assert greedy(np.eye(3), np.array([0.5, 1.0, 0.7]), 3, live)[0] == [2, 0, 3]


def test_given_items_come_first_and_the_rest_is_what_they_leave():
    kernel, weight = random_case(5, items=8, channels=10)
    places, gains, _ = greedy(kernel, weight, 5, given=2)
    assert places[:2] == [0, 1]
    quality = np.sqrt(weight)
    whole = quality[:, None] * kernel * quality
    chosen = [0, 1]
    for place, gain in zip(places[2:], gains[2:], strict=True):
        before = np.linalg.det(whole[np.ix_(chosen, chosen)])
        rest = [i for i in range(8) if i not in chosen]
        ratios = {i: np.linalg.det(whole[np.ix_([*chosen, i], [*chosen, i])]) for i in rest}
        assert place == max(rest, key=ratios.__getitem__)
        assert gain == pytest.approx(ratios[place] / before, rel=1e-6)
        chosen.append(place)


def test_batches_do_not_touch_each_other():
    cases = [random_case(seed, items=9, channels=5) for seed in range(3)]
    kernels = torch.tensor(np.stack([kernel for kernel, _ in cases]))
    weights = torch.tensor(np.stack([weight for _, weight in cases]))
    made = determinantal.greedy(
        lambda chosen: kernels[torch.arange(3), chosen[:, 0]],
        weights,
        torch.ones_like(weights, dtype=torch.bool),
        count=9,
    )
    for places, (kernel, weight) in zip(made.places.tolist(), cases, strict=True):
        assert places == greedy(kernel, weight, 9)[0]
