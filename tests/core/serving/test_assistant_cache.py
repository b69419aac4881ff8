import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from framesift.serving import AssistantCache


def test_threads_that_come_at_once_get_the_same_assistant():
    cache, together = AssistantCache(), Barrier(8)

    def first_use(_):
        together.wait()
        return cache.get("tiny", keep=0.5)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(map(id, pool.map(first_use, range(8))))) == 1


def test_each_set_of_options_has_its_own_of_which_the_last_two_stay():
    cache = AssistantCache()
    half, whole = cache.get("tiny", keep=0.5), cache.get("tiny", keep=1.0)
    assert half.compressor.keep == 0.5
    assert whole.compressor.keep == 1.0
    assert half.compressor.answering_vlm.hf is whole.compressor.answering_vlm.hf
    assert cache.get("tiny", keep=0.5) is half
    cache.get("tiny", keep=0.25)
    assert cache.get("tiny", keep=0.5) is half
    assert cache.get("tiny", keep=1.0) is not whole


def test_a_deep_copy_shares_what_is_loaded_and_a_pickle_holds_nothing():
    cache = AssistantCache()
    assistant = cache.get("tiny")
    assert copy.deepcopy(cache).get("tiny") is assistant
    assert pickle.loads(pickle.dumps(cache)).get("tiny") is not assistant
