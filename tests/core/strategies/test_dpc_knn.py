import pytest
import torch

from framesift.strategies.dpc_knn import BLOCK, centers, cluster
from goldens.dpc_knn import dpc_knn


def points(count=30, channels=6, seed=0):
    return torch.randn(count, channels, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("count", [1, 4, 29, 30])
@pytest.mark.parametrize("neighbors", [1, 7, 99])
def test_centres_and_clusters_are_those_of_the_transcription(count, neighbors):
    expected, nearest = dpc_knn(points().numpy(), count, neighbors)
    found = cluster(points(), count, neighbors)
    assert found.centers.tolist() == expected
    assert found.centers[found.label].tolist() == nearest


def test_repeated_points_give_one_centre_each_before_any_twice():
    repeated = points(5).repeat(6, 1)
    assert centers(repeated, 5, 7).tolist() == [0, 1, 2, 3, 4]
    assert centers(repeated, 7, 7).tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_points_that_are_all_the_same_are_taken_in_order():
    for still in (torch.zeros(9, 3), torch.full((9, 3), 0.1)):
        assert cluster(still, 4, 7).centers.tolist() == [0, 1, 2, 3]


def test_densities_of_long_vectors_do_not_underflow():
    spread = points() * 1e4
    squares = torch.cdist(spread, spread).square() / spread.shape[1]
    sparseness = squares.sort(1).values[:, :5].mean(1)
    assert torch.exp(-sparseness).max() == 0
    assert centers(spread, 6, 5).tolist() == sparseness.argsort()[:6].sort().values.tolist()


def test_an_offset_that_all_points_share_changes_nothing():
    assert torch.equal(cluster(points() + 1e4, 8, 5).label, cluster(points(), 8, 5).label)


def test_more_points_than_a_block_holds_are_clustered_as_in_the_transcription():
    many = points(BLOCK + 7)
    expected, nearest = dpc_knn(many.numpy(), 12, 5)
    found = cluster(many, 12, 5)
    assert found.centers.tolist() == expected
    assert found.centers[found.label].tolist() == nearest
