"""What every rule over scores promises, on the scores that broke published selectors."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framesift.selectors import registry

SPECS = [
    "topk",
    "nms",
    "nms:distance=1000",
    "stratified",
    "stratified:parts=5",
    "aks",
    "aks:threshold=0.1",
    "aks-release",
    "aks-release:threshold=0.1",
    "its",
    "its:levels=published,exponent=1",
    "gumbel",
    "gumbel:raw=true,temperature=0.05",
]
ORDERED = [spec for spec in SPECS if not spec.startswith("gumbel")]


def pick(spec, values, count):
    values = torch.as_tensor(list(values), dtype=torch.float64)
    times = torch.arange(len(values), dtype=torch.float64)
    return registry.create(spec).pick(values, times, count)


def places(spec, values, count):
    return [each.place for each in pick(spec, values, count)]


SCORES = st.one_of(
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=50),
    st.lists(st.integers(-1, 1).map(float), min_size=2, max_size=50),
    st.lists(st.sampled_from([-math.inf, -3.0, 0.25]), min_size=2, max_size=50),
    st.integers(2, 50).map(lambda total: [0.0] * total),
    st.integers(2, 50).map(lambda total: [100.0] + [-1e-3] * (total - 1)),
)


@pytest.mark.parametrize("spec", SPECS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_the_count_is_exact_and_what_is_masked_comes_last(spec, data):
    values = data.draw(SCORES)
    for count in {1, 2, len(values) // 2, len(values) - 1} - {0, len(values)}:
        picks = pick(spec, values, count)
        chosen = [each.place for each in picks]
        assert len(set(chosen)) == len(chosen) == count
        assert set(chosen) <= set(range(len(values)))
        assert all(each.reason for each in picks)
        usable = sum(value > -math.inf for value in values)
        masked = sum(values[place] == -math.inf for place in chosen)
        assert masked == max(0, count - usable)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_score_that_is_not_a_number_is_refused(spec, wrong):
    with pytest.raises(ValueError, match=r"candidate 2 is (nan|inf)"):
        pick(spec, [0.1, 0.2, wrong, 0.3], 2)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if "raw" not in spec])
def test_scale_and_offset_of_the_scores_do_not_matter(spec):
    values = torch.randn(90, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert places(spec, values, 7) == places(spec, values * 16 - 1024, 7)


@pytest.mark.parametrize("spec", ORDERED)
def test_one_frame_of_many_is_a_good_one(spec):
    values = torch.zeros(100)
    values[41] = 1
    assert places(spec, values, 1) == [41]


@pytest.mark.parametrize("spec", ["topk", "stratified", "aks", "aks-release", "its"])
def test_of_equal_scores_the_earlier_is_picked_first(spec):
    chosen = places(spec, [0.5] * 40, 8)
    assert chosen == sorted(chosen)


@pytest.mark.parametrize("spec", SPECS)
def test_the_scores_are_not_changed(spec):
    values = torch.linspace(-1, 1, 60, dtype=torch.float64)
    before = values.clone()
    pick(spec, values, 9)
    assert torch.equal(values, before)


@pytest.mark.parametrize("spec", SPECS)
def test_random_state_of_the_process_is_left_alone(spec):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = places(spec, torch.linspace(0, 1, 60), 9)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    assert places(spec, torch.linspace(0, 1, 60), 9) == first


def test_topk_takes_the_highest_and_says_their_rank():
    picks = pick("topk", [0.2, 0.9, -1.0, 0.9, 0.5], 3)
    assert [each.place for each in picks] == [1, 3, 4]
    assert [each.reason for each in picks] == ["rank 1 of 5", "rank 2 of 5", "rank 3 of 5"]


def test_stratified_takes_the_best_of_each_part():
    values = [0, 9, 0, 0, 1, 0, 0, 0, 2, 8, 7, 6]
    picks = pick("stratified", values, 3)
    assert [each.place for each in picks] == [1, 9, 4]
    assert picks[0].reason == "best of 4 in 0.0-3.0 s"
    assert places("stratified:parts=1", values, 3) == [1, 9, 10]


def test_stratified_shares_what_a_part_lacks_with_the_others():
    assert sorted(places("stratified:parts=5", range(8), 7)) == [0, *range(2, 8)]
    masked = [-math.inf] * 6 + [1, 2, 3, 4, 5, 6]
    assert sorted(places("stratified", masked, 4)) == [7, 8, 10, 11]


def test_stratified_has_no_more_parts_than_frames_to_pick():
    values = [0, 9, 8, 0, 1, 0, 0, 7, 2, 0, 0, 6]
    assert places("stratified:parts=12", values, 3) == places("stratified", values, 3) == [1, 7, 11]
    assert places("stratified:parts=12", range(12), 3) == [11, 7, 3]
