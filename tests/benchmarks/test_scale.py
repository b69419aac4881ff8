"""The simulation of large libraries gives what can be counted by hand."""

import pytest

from benchmarks.scale import Station, Step, simulate


def core(amount, most=1.0):
    return Step(resource="cores", amount=amount, most=most)


def gpu(amount):
    return Step(resource="gpu", amount=amount)


def test_one_worker_takes_the_sum():
    videos = [[[core(2)]], [[core(3)]], [[core(5)]]]
    done = simulate(videos, [Station(name="all", workers=1)], {"cores": 2})
    assert done.seconds == pytest.approx(10)
    assert done.busy["cores"] == pytest.approx(0.5)


def test_workers_share_the_cores_that_there_are():
    videos = [[[core(2)]]] * 8
    for workers, seconds in [(1, 16), (2, 8), (4, 8), (8, 8)]:
        done = simulate(videos, [Station(name="all", workers=workers)], {"cores": 2})
        assert done.seconds == pytest.approx(seconds)


def test_the_last_video_is_worked_on_alone():
    videos = [[[core(1)]], [[core(1)]], [[core(4)]]]
    assert simulate(videos, [Station(name="all", workers=2)], {"cores": 2}).seconds == (
        pytest.approx(5)
    )


def test_a_task_that_uses_two_cores_leaves_the_rest_to_others():
    # 4 core-seconds on at most 2 cores beside 1 on one: of 2 cores each gets one at first.
    videos = [[[core(4, most=2)]], [[core(1)]]]
    done = simulate(videos, [Station(name="all", workers=2)], {"cores": 2})
    assert done.seconds == pytest.approx(1 + 3 / 2)
    assert done.busy["cores"] == pytest.approx(1)


def test_each_worker_starts_once():
    station = Station(name="all", workers=2, start=(core(3),))
    assert simulate([[[core(1)]]] * 4, [station], {"cores": 2}).seconds == pytest.approx(5)


@pytest.mark.parametrize(("decode", "encode"), [(4, 1), (1, 1), (1, 4)])
def test_the_slower_station_decides(decode, encode):
    videos = [[[core(decode)], [gpu(encode)]]] * 100
    stations = [Station(name="decode", workers=2), Station(name="encode", workers=1)]
    done = simulate(videos, stations, {"cores": 2, "gpu": 1})
    slower = 100 * max(decode / 2, encode)
    assert slower <= done.seconds <= slower + decode + encode + 2
    assert done.bottleneck == ("cores" if decode / 2 > encode else "gpu")


def test_a_full_station_stops_the_one_before():
    # Three wait or work at the GPU; without the bound all would be decoded after 10 seconds.
    videos = [[[core(1)], [gpu(10)]]] * 10
    stations = [Station(name="decode", workers=1), Station(name="encode", workers=1)]
    done = simulate(videos, stations, {"cores": 1, "gpu": 1})
    assert done.seconds == pytest.approx(101)
    assert done.busy["cores"] == pytest.approx(10 / 101)


def test_bytes_share_a_network():
    videos = [[[Step(resource="network", amount=10, most=4)]]] * 4
    for workers, seconds in [(1, 10), (2, 5), (4, 5)]:
        station = [Station(name="fetch", workers=workers)]
        assert simulate(videos, station, {"network": 8}).seconds == pytest.approx(seconds)


def test_nothing_takes_no_time():
    assert simulate([], [Station(name="all", workers=2)], {"cores": 2}).seconds == 0
