from dataclasses import replace

import numpy as np
import pytest

from framesift.compression.frame_tokens import encode_frames
from framesift.compression.opening import FrameReader, Opener, file_of, opened
from framesift.compression.selection import select_frames
from framesift.decoders.base import Decoder, FrameIndex
from framesift.decoders.stills import WithStills
from framesift.encoders import registry as encoders
from framesift.fetching.limits import FetchLimits
from framesift.run import Run
from framesift.selectors import registry as selectors
from framesift.types.video import LocalVideo, VideoInfo


class Holes(Decoder):
    """A decoder of 100 s at 1 fps that loses every frame whose number ends in 3."""

    summary = "loses frames"

    def scan(self, path):
        info = VideoInfo(
            width_px=64,
            height_px=48,
            duration_seconds=100.0,
            start_seconds=0.0,
            frame_count=100,
            average_fps=1.0,
            codec="none",
        )
        return FrameIndex(info=info, pts_seconds=np.arange(100.0))

    def pictures(self, path, indices, size_px):
        assert size_px in (None, (48, 64)), "frames are never made larger"
        for index in indices:
            if index % 10 != 3:
                yield index, np.full((48, 64, 3), index, dtype=np.uint8)


@pytest.fixture
def run():
    return Run(listener=lambda line: None)


@pytest.fixture
def local(tmp_path):
    path = tmp_path / "v.mp4"
    path.touch()
    return LocalVideo(path=path, uri="v")


@pytest.fixture
def reader(local, run):
    return FrameReader(local=local, decoder=Holes(), run=run)


def test_lost_frames_do_not_shift_the_others(reader, run):
    kept = encode_frames(reader, [1, 2, 3, 4], encoders.create("handcrafted"))
    assert kept.indices == [1, 2, 4]
    assert kept.tokens.pts_seconds.tolist() == [1.0, 2.0, 4.0]
    assert kept.at([2, 4]).tokens.pts_seconds.tolist() == [2.0, 4.0]
    (line,) = run.warnings
    assert line.endswith("is damaged: 1 of 4 asked frames are lost, from 3.00 s on")
    assert set(run.seconds) == {"decode", "encode"}


def test_a_selection_names_frames_that_could_be_decoded(reader):
    selector = selectors.create("keyframes")
    chosen = select_frames(reader, [1, 2, 3, 4], selector=selector, count=9, question=None)
    assert chosen.indices == [1, 2, 4]
    assert chosen.compared is not None


def test_a_rule_that_needs_times_alone_decodes_nothing(reader, run):
    selector = selectors.create("uniform")
    chosen = select_frames(reader, range(100), selector=selector, count=2, question=None)
    assert chosen.indices == [25, 75]
    assert chosen.compared is None
    assert run.warnings == []


def test_an_open_video_stays_open(local, tmp_path, run):
    video = replace(local, temporary_folder=tmp_path)
    with opened(video, FetchLimits(), run) as again:
        assert file_of(again) == local.path
    assert local.path.exists()


def test_what_the_source_warned_of_belongs_to_the_run(local, run):
    video = replace(local, warnings=("the subtitles were left out",))
    opener = Opener(decoder=WithStills(videos=Holes()), limits=FetchLimits())
    with opener.open(video, run) as reader:
        assert reader.local is video
    assert run.warnings == ["the subtitles were left out"]
