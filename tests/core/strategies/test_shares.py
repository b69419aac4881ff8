import itertools
from fractions import Fraction

from framesift.strategies.shares import floors, shares


def test_shares_are_exact_and_within_their_parts():
    for sizes in itertools.product([0, 1, 4, 7], repeat=4):
        for total in range(sum(sizes) + 1):
            found = shares(sizes, total)
            assert sum(found) == total
            exact = [size * total / max(1, sum(sizes)) for size in sizes]
            assert all(abs(a - b) < 1 for a, b in zip(found, exact, strict=True))
            assert all(a <= size for a, size in zip(found, sizes, strict=True))


def test_what_is_left_over_is_spread_evenly():
    assert shares([5] * 8, 4) == [1, 0, 1, 0, 1, 0, 1, 0]
    assert shares([5] * 3, 1) == [0, 1, 0]


def test_floors_are_those_of_one_share_and_at_most_one_more():
    for sizes in itertools.product([0, 1, 4, 7], repeat=4):
        limits = sorted({Fraction(c, size) for size in sizes for c in range(1, size + 1)})
        for total in range(sum(sizes) + 1):
            found = floors(sizes, total)
            assert sum(found) == total
            share = max(
                f for f in [Fraction(0), *limits] if sum(int(f * s) for s in sizes) <= total
            )
            more = [count - int(share * size) for count, size in zip(found, sizes, strict=True)]
            assert set(more) <= {0, 1}
            following = [limit for limit in limits if limit > share][:1]
            assert all(
                int(following[0] * size) > int(share * size)
                for size, extra in zip(sizes, more, strict=True)
                if extra
            )


def test_what_a_share_leaves_over_is_spread_over_equal_sizes():
    assert floors([4, 4, 4], 7) == [2, 3, 2]
    assert floors([10] * 4, 22) == [5, 6, 5, 6]
    assert floors([], 0) == []
