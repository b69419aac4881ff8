import torch

from framesift.selectors.gumbel import Gumbel


def places(rule, values, count):
    values = torch.as_tensor(values, dtype=torch.float64)
    times = torch.arange(len(values), dtype=torch.float64)
    return [each.place for each in rule.pick(values, times, count)]


def test_a_seed_draws_the_same_frames_and_another_one_others():
    values = torch.linspace(0, 1, 200)
    assert places(Gumbel(seed=1), values, 8) == places(Gumbel(seed=1), values, 8)
    assert places(Gumbel(seed=1), values, 8) != places(Gumbel(seed=2), values, 8)


def test_frames_are_drawn_with_the_odds_of_their_scores():
    """The first draw follows the softmax: 3 standard errors of 4,000 draws."""
    values = torch.tensor([0.0, 0.5, 1.0, 2.0])
    rules = [Gumbel(raw=True, temperature=1, seed=seed) for seed in range(4000)]
    drawn = [place for rule in rules for place in places(rule, values, 1)]
    share = torch.bincount(torch.tensor(drawn), minlength=4) / len(drawn)
    odds = values.softmax(0)
    assert ((share - odds).abs() < 3 * (odds * (1 - odds) / len(drawn)).sqrt()).all()


def test_near_zero_the_highest_scores_are_drawn():
    values = torch.randn(60, generator=torch.Generator().manual_seed(0))
    best = values.argsort(descending=True)[:6].tolist()
    assert places(Gumbel(temperature=1e-9), values, 6) == best


def test_cosines_within_a_narrow_range_still_decide():
    values = torch.full((100,), 0.2)
    values[40:44] = 0.3

    def hits(raw):
        drawn = (places(Gumbel(seed=seed, raw=raw), values, 4) for seed in range(50))
        return sum(40 <= place < 44 for each in drawn for place in each)

    assert hits(raw=False) > 100 > 20 > hits(raw=True)
