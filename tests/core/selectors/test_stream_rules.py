"""Rules that read the packets of the stream: key frames, and what changes cost in bits."""

import numpy as np
import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.decoders.base import FrameIndex
from framesift.errors import InvalidOptionError
from framesift.scorers.candidates import GivenCandidates
from framesift.selectors import registry
from framesift.types.video import VideoInfo


def stream(packet_bytes, keys=(0,), fps=1.0):
    """The index of a stream of frames with these packets."""
    total = len(packet_bytes)
    info = VideoInfo(
        width_px=64,
        height_px=48,
        duration_seconds=total / fps,
        start_seconds=0.0,
        frame_count=total,
        average_fps=fps,
        codec="h264",
    )
    return FrameIndex(
        info=info,
        pts_seconds=np.arange(total) / fps,
        packet_bytes=np.asarray(packet_bytes, np.int64),
        is_keyframe=np.isin(np.arange(total), list(keys)),
    )


def select(spec, index, count, indices=None, part_seconds=None):
    """Returns positions in the stream of the chosen frames, and the selection."""
    selector = registry.create(spec)
    sampled = range(len(index.pts_seconds)) if indices is None else indices
    chosen = selector.candidates(index, list(sampled), part_seconds)
    given = GivenCandidates(
        pts_seconds=torch.from_numpy(index.pts_seconds[list(chosen)]),
        index=index,
        indices=list(chosen),
    )
    selection = selector.select(given, count)
    return [chosen[place] for place in selection.indices], selection


def test_key_frames_are_chosen_whatever_was_sampled():
    keys = [0, 33, 60, 95, 130, 160, 187]
    index = stream([100] * 200, keys)
    found, selection = select("iframe", index, 4, indices=range(0, 200, 10))
    assert set(found) <= set(keys)
    assert found == [33, 60, 130, 160]
    assert all("key frame nearest" in reason for reason in selection.reasons)


def test_key_frames_are_those_of_the_part_that_was_opened():
    index = stream([100] * 200, range(0, 200, 9))
    found, _ = select("iframe", index, 3, indices=range(60, 120, 20), part_seconds=(60.0, 120.0))
    assert all(60 <= place < 120 and place % 9 == 0 for place in found)


def test_sampled_frames_make_up_for_key_frames_that_lack():
    index = stream([100] * 101, keys=[0, 100])
    found, selection = select("iframe", index, 4, indices=range(0, 101, 5))
    assert found[0] == 0
    assert found[-1] == 100
    assert 50 in found
    assert sum("no key frame" in reason for reason in selection.reasons) == 2


@pytest.mark.parametrize("count", [1, 2, 7, 10])
def test_without_known_key_frames_sampled_ones_are_even(count):
    known = stream([100] * 11)
    index = FrameIndex(info=known.info, pts_seconds=known.pts_seconds)
    found, selection = select("iframe", index, count)
    assert len(found) == count
    assert all("not known" in reason for reason in selection.reasons)


def test_a_busy_stretch_gets_more_frames_than_one_that_stands_still():
    sizes = [20] * 100 + [900] * 50 + [20] * 150
    found, _ = select("bitcost", stream(sizes), 10)
    assert sum(100 <= place < 150 for place in found) >= 6
    assert any(place < 100 for place in found)
    assert any(place >= 150 for place in found)


def test_still_packets_give_even_steps():
    found, _ = select("bitcost", stream([50] * 100), 4)
    assert found == pytest.approx([12, 37, 62, 87], abs=1)


def test_a_key_frame_set_by_the_clock_counts_as_its_neighbours_do():
    sizes = [30] * 200
    for key in range(0, 200, 20):
        sizes[key] = 9000
    found, _ = select("bitcost", stream(sizes, range(0, 200, 20)), 4)
    assert found == pytest.approx([25, 75, 125, 175], abs=2)


def test_a_key_frame_out_of_its_time_is_a_cut_and_its_first_frame_is_taken():
    sizes = [30] * 200
    keys = [*range(0, 200, 40), 113]
    for key in keys:
        sizes[key] = 9000
    found, selection = select("bitcost", stream(sizes, keys), 3)
    assert 113 in found
    assert max(selection.curve) == selection.curve[113]


def test_where_all_frames_are_key_frames_a_change_of_size_counts():
    sizes = [5000] * 100 + [9000] * 100
    _, selection = select("bitcost", stream(sizes, range(200)), 5)
    assert int(np.argmax(selection.curve)) == 100


def test_the_bits_between_sampled_frames_count_for_the_next_one():
    sizes = [10] * 100
    sizes[55] = 50_000
    _, selection = select("bitcost", stream(sizes), 3, indices=range(0, 100, 10))
    assert int(np.argmax(selection.curve)) == 6
    assert selection.curve[6] == pytest.approx((50_000 + 90) / 1024, rel=1e-4)


@pytest.mark.parametrize("total", [2, 3, 8, 41])
@pytest.mark.parametrize("size", [0, 1, 10**9])
@pytest.mark.parametrize("rule", ["bitcost", "bitcost:spread=0", "iframe"])
def test_the_count_is_exact_whatever_the_packets(total, size, rule):
    for count in {1, 2, total - 1} - {total}:
        for sizes in ([size] * total, [size] + [0] * (total - 1), [0] * (total - 1) + [size]):
            assert len(set(select(rule, stream(sizes), count)[0])) == count


def test_a_container_without_packet_sizes_is_refused_with_what_to_do():
    known = stream([100] * 11)
    index = FrameIndex(info=known.info, pts_seconds=known.pts_seconds)
    with pytest.raises(InvalidOptionError) as caught:
        select("bitcost", index, 3)
    line = str(caught.value)
    assert "\n" not in line
    assert "ffmpeg" in line
    assert "'scene'" in line


def test_an_hour_at_thirty_frames_a_second_takes_no_decoding(monkeypatch):
    total = 108_000
    sizes = 200 + 150 * (np.arange(total) % 7)
    index = stream(sizes, range(0, total, 250), fps=30.0)
    given = GivenCandidates(
        pts_seconds=torch.from_numpy(index.pts_seconds[::30]),
        index=index,
        indices=range(0, total, 30),
    )
    for rule in ("bitcost", "iframe"):
        assert len(registry.create(rule).select(given, 8).indices) == 8
    assert given.cost.frames_decoded == given.cost.frames_encoded == 0


@pytest.mark.parametrize("rule", ["iframe", "bitcost"])
def test_keyframes_of_a_file_cost_only_the_frames_that_come_back(rule):
    sift = VideoCompressor(selector=rule)
    found = sift.keyframes("synthetic://cuts?seconds=12", count=4)
    assert len(found) == 4
