import pytest

from framesift.strategies.base import create_strategy
from goldens.dycoke import dycoke
from goldens.videos import KINDS, video


def by_frame(plan, frames):
    return {
        t: [token % plan.tokens_per_frame for token in plan.src.tolist() if token // 16 == t]
        for t in range(frames)
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept_each", [0, 4, 11, 16])
def test_tokens_are_those_of_the_two_stages(kind, kept_each):
    tokens = video(kind, frames=12)
    features = tokens.features.double().numpy()
    expected = dycoke(features, kept_each, last_group=True)
    plan = create_strategy("dycoke").plan(tokens, 3 * 16 + 9 * kept_each)
    assert by_frame(plan, 12) == expected
    original = dycoke(features, kept_each, last_group=False)
    assert [t for t in range(12) if original[t] != expected[t]] == ([10] if kept_each < 16 else [])


@pytest.mark.parametrize("frames", [5, 7])
def test_an_odd_number_of_frames_is_an_even_one_without_its_last(frames):
    tokens = video("random", frames=frames + 1)
    short = tokens.frames(range(frames))
    whole = dycoke(tokens.features.double().numpy(), 4, last_group=True)
    plan = create_strategy("dycoke").plan(short, sum(len(whole[t]) for t in range(frames)))
    assert by_frame(plan, frames) == {t: whole[t] for t in range(frames)}


def test_a_remainder_goes_to_the_least_similar_tokens():
    tokens = video("drifting", frames=4)
    plans = [create_strategy("dycoke").plan(tokens, budget) for budget in (16 + 6, 16 + 7)]
    (more,) = set(plans[1].src.tolist()) - set(plans[0].src.tolist())
    ranks = {t: by_frame(plans[0], 4)[t] for t in (1, 2, 3)}
    assert all(len(kept) == 2 for kept in ranks.values())
    full = dycoke(tokens.features.double().numpy(), 3, last_group=True)
    assert more % 16 in set(full[more // 16]) - set(ranks[more // 16])
