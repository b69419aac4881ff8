"""The last results stay, whoever asks for them; copies begin empty."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from framesift.serving import Remembered


def test_the_results_that_were_used_last_stay():
    held = Remembered(2)
    held.keep("a", 1)
    held.keep("b", 2)
    assert held.get("a") == 1
    held.keep("c", 3)
    assert [held.get(key) for key in "abc"] == [1, None, 3]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda held: pickle.loads(pickle.dumps(held))]
)
def test_a_copy_begins_empty_and_is_no_other_object_for_a_comparison(copied):
    held = Remembered(2)
    held.keep("a", 1)
    again = copied(held)
    assert again == held
    assert again.get("a") is None
    for key in "abc":
        again.keep(key, key)
    assert [again.get(key) for key in "abc"] == [None, "b", "c"]
    assert held.get("a") == 1


def test_threads_may_share_it():
    held = Remembered(3)

    def use(number):
        held.keep(number % 7, number % 7)
        return held.get(number % 7) in (None, number % 7)

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(use, range(4000)))
