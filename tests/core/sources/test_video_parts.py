"""A part of a video is meant by `#t=`, and a stranger's text may not name files."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import framesift
from framesift.errors import ForbiddenAddressError, InvalidOptionError, SourceError
from framesift.fetching.limits import FetchLimits
from framesift.sources.base import open_video
from framesift.sources.link_times import split_part
from framesift.types.video import with_part

STRANGER = FetchLimits(allow_files=False)


@pytest.fixture(scope="module")
def talk(tmp_path_factory, write_video):
    """Ten seconds whose frames carry their number, four a second."""
    return write_video(tmp_path_factory.mktemp("part") / "talk.mp4", 40, fps=4)


@pytest.mark.parametrize(
    ("part", "fps", "seconds"),
    [
        ("", 1, range(10)),
        ("#t=3,6", 1, [3, 4, 5]),
        ("#t=npt:3,6", 1, [3, 4, 5]),
        ("#t=8", 1, [8, 9]),
        ("#t=,2", 1, [0, 1]),
        ("#t=3.3,4", 1, [3.25]),
        ("#t=2.5,3.5", 4, [2.5, 2.75, 3, 3.25]),
        ("#t=2.5,3.5", 99, [2.5, 2.75, 3, 3.25]),
        ("#t=9,99", 1, [9]),
        ("#t=0", 0.5, [0, 2, 4, 6, 8]),
        ("#t=9.99,9.995", 1, [9.75]),
    ],
)
def test_frames_are_sampled_from_the_start_of_the_part(talk, part, fps, seconds):
    frames = framesift.VideoCompressor(fps=fps).frames(f"{talk}{part}")
    np.testing.assert_allclose(frames.pts_seconds, list(seconds), atol=1e-6)


def test_all_that_is_made_of_a_part_lies_in_it(talk):
    sift, part = framesift.VideoCompressor(keep=0.5), f"{talk}#t=3,7"
    video = sift.compress(part)
    assert video.frame_seconds.tolist() == [3, 4, 5, 6]
    assert video.report.tokens_out == video.report.tokens_in // 2
    assert video.report.uri == str(talk)
    assert {frame.pts_seconds for frame in sift.keyframes(part, 2)} <= {3, 4, 5, 6}
    first, second = sift.segments(part, count=2)
    assert (first.start_seconds, second.end_seconds) == (3, 7)


def test_links_of_segments_open_the_segments_again(talk):
    sift = framesift.VideoCompressor()
    for segment in sift.segments(talk, count=3):
        (again,) = sift.segments(segment.link, count=1)
        assert (again.start_seconds, again.end_seconds) == (
            segment.start_seconds,
            segment.end_seconds,
        )


@pytest.mark.parametrize(
    ("part", "match"),
    [
        ("#t=5,5", "'#t=5,5' leaves nothing"),
        ("#t=6,2", "'#t=6,2' leaves nothing"),
        ("#t=10", "from 10 to inf s holds nothing of a video that is shown from 0 to 10 s"),
        ("#t=50,60", "from 50 to 60 s holds nothing"),
    ],
)
def test_a_part_that_holds_nothing_is_refused(talk, part, match):
    for work in ("frames", "compress", "keyframes", "segments"):
        with pytest.raises(InvalidOptionError, match=match):
            getattr(framesift.VideoCompressor(), work)(f"{talk}{part}")


@pytest.mark.parametrize("fragment", ["#t=", "#t=soon", "#t=1m30s", "#chapter-2", "#t=-3"])
def test_other_fragments_are_no_part(fragment):
    with pytest.raises(SourceError, match="does not exist") as error:
        open_video(f"talk.mp4{fragment}")
    assert fragment in str(error.value)


@pytest.mark.parametrize(
    ("part", "fragment"),
    [
        (None, ""),
        ((0.0, 5.0), "#t=0,5"),
        ((2.5, math.inf), "#t=2.5"),
        ((1e-7, 1e17), "#t=0.0000001,100000000000000000"),
        ((0.1 + 0.2, 1 / 3), "#t=0.30000000000000004,0.3333333333333333"),
    ],
)
def test_an_address_tells_the_part_and_reads_back_as_the_same(talk, part, fragment):
    assert split_part(with_part("talk.mp4", part)) == ("talk.mp4", part)
    with open_video(talk) as video:
        assert replace(video, part_seconds=part).address == f"{talk}{fragment}"


def test_the_name_of_a_path_object_is_taken_as_it_is(talk, tmp_path):
    odd = tmp_path / "talk.mp4#t=2"
    odd.write_bytes(talk.read_bytes())
    with open_video(odd) as video:
        assert video.part_seconds is None
        assert video.path == odd


@pytest.mark.parametrize("spelling", ["{}", "file://{}", "FILE://localhost{}", "{}#t=1,2"])
def test_text_names_no_file_where_files_are_not_allowed(talk, spelling):
    uri = spelling.format(talk)
    open_video(uri).close()
    with pytest.raises(ForbiddenAddressError, match="names a file of this machine") as error:
        framesift.VideoCompressor(limits=STRANGER).keyframes(uri, 1)
    assert "\n" not in str(error.value)


def test_whether_a_file_exists_is_not_told_to_a_stranger():
    told = set()
    for name in ("/etc/passwd", "/no/such/file"):
        with pytest.raises(ForbiddenAddressError) as error:
            open_video(name, STRANGER)
        told.add(str(error.value).replace(name, "NAME"))
    assert len(told) == 1


def test_a_path_object_and_other_sources_stay_open_to_all(talk):
    sift = framesift.VideoCompressor(limits=STRANGER)
    assert len(sift.frames(Path(talk))) == 10
    assert len(sift.frames("synthetic://number?seconds=2")) == 2
