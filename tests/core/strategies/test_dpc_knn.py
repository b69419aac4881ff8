import pytest
import torch

from framesift.strategies.dpc_knn import BLOCK, centers, cluster
from goldens.dpc_knn import dpc_knn


def points(count=30, channels=6, seed=0):
    return torch.randn(count, channels, generator=torch.Generator().manual_seed(seed))


def all_live(own):
    return torch.ones(1, len(own), dtype=torch.bool)


def clustered(own, count, neighbors):
    """Returns the centres of one set of points, and the centre of each point."""
    found = cluster(own[None].clone(), all_live(own), torch.tensor([count]), neighbors)
    chosen = found.is_center[0].nonzero().flatten()
    return chosen.tolist(), chosen[found.label[0]].tolist()


def central(own, count, neighbors):
    found = centers(own[None].clone(), all_live(own), torch.tensor([count]), neighbors)
    return found[0].nonzero().flatten().tolist()


@pytest.mark.parametrize("count", [1, 4, 29, 30])
@pytest.mark.parametrize("neighbors", [1, 7, 99])
def test_centres_and_clusters_are_those_of_the_transcription(count, neighbors):
    expected = dpc_knn(points().double().numpy(), count, neighbors)
    assert clustered(points(), count, neighbors) == expected


def test_sets_of_other_sizes_side_by_side_are_clustered_each_on_its_own():
    sizes, counts = [30, 11, 7, 1], [4, 5, 7, 1]
    table = torch.stack([points(seed=seed) for seed in range(4)])
    live = torch.arange(30) < torch.tensor(sizes)[:, None]
    # A set's points may stand anywhere among what fills it up, which has no say.
    order = torch.stack([points(seed=seed)[:, 0].argsort() for seed in range(4)])
    live, table = live.gather(1, order), table * 50.0 ** (~live.gather(1, order))[..., None]
    found = cluster(table.clone(), live, torch.tensor(counts), 7)
    assert torch.equal(centers(table.clone(), live, torch.tensor(counts), 7), found.is_center)
    for own, mask, count, is_center, label in zip(table, live, counts, *found, strict=True):
        chosen = is_center.nonzero().flatten()
        place = mask.nonzero().flatten()
        expected, nearest = clustered(own[mask], count, 7)
        assert chosen.tolist() == place[expected].tolist()
        assert chosen[label[mask]].tolist() == place[nearest].tolist()


def test_repeated_points_give_one_centre_each_before_any_twice():
    repeated = points(5).repeat(6, 1)
    assert central(repeated, 5, 7) == [0, 1, 2, 3, 4]
    assert central(repeated, 7, 7) == [0, 1, 2, 3, 4, 5, 6]


def test_points_that_are_all_the_same_are_taken_in_order():
    for still in (torch.zeros(9, 3), torch.full((9, 3), 0.1)):
        assert clustered(still, 4, 7)[0] == [0, 1, 2, 3]


def test_densities_of_long_vectors_do_not_underflow():
    spread = points() * 1e4
    squares = torch.cdist(spread.double(), spread.double()).square() / spread.shape[1]
    sparseness = squares.sort(1).values[:, :5].mean(1)
    assert torch.exp(-sparseness).max() == 0
    assert central(spread, 6, 5) == sparseness.argsort()[:6].sort().values.tolist()


def test_an_offset_that_all_points_share_changes_nothing():
    # Eighths are exact in float32 beside the offset.
    eighths = points().mul(8).round().div(8)
    assert clustered(eighths + 1e4, 8, 5) == clustered(eighths, 8, 5)


def test_more_points_than_a_block_holds_are_clustered_as_in_the_transcription():
    many = points(BLOCK + 7)
    assert clustered(many, 12, 5) == dpc_knn(many.double().numpy(), 12, 5)
