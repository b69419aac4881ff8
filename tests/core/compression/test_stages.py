import numpy as np
import pytest

from framesift.compression.steps import Stages, file_of
from framesift.decoders.base import Decoder, FrameIndex
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
def stages():
    return Stages(decoder=Holes(), run=Run(listener=lambda line: None))


def test_lost_frames_do_not_shift_the_others(stages, tmp_path):
    index = stages.decoder.index(tmp_path)
    found = stages.encode(tmp_path, index, [1, 2, 3, 4], encoders.create("handcrafted"))
    assert found.indices == [1, 2, 4]
    assert found.tokens.pts_seconds.tolist() == [1.0, 2.0, 4.0]
    assert found.frames([2, 4]).tokens.pts_seconds.tolist() == [2.0, 4.0]
    (line,) = stages.run.warnings
    assert line.endswith("is damaged: 1 of 4 asked frames are lost, from 3.00 s on")
    assert set(stages.run.seconds) == {"decode", "encode"}


def test_a_selection_names_frames_that_could_be_decoded(stages, tmp_path):
    index = stages.decoder.index(tmp_path)
    chosen = stages.select(
        tmp_path,
        index,
        [1, 2, 3, 4],
        selector=selectors.create("keyframes"),
        count=9,
        question=None,
    )
    assert chosen.indices == [1, 2, 4]
    assert chosen.seen is not None


def test_a_rule_that_needs_times_alone_decodes_nothing(stages, tmp_path):
    index = stages.decoder.index(tmp_path)
    chosen = stages.select(
        tmp_path,
        index,
        list(range(100)),
        selector=selectors.create("uniform"),
        count=2,
        question=None,
    )
    assert chosen.indices == [25, 75]
    assert chosen.seen is None
    assert stages.run.warnings == []


def test_an_open_video_stays_open(stages, tmp_path):
    path = tmp_path / "v.mp4"
    path.touch()
    video = LocalVideo(path=path, uri="v", temporary_folder=tmp_path)
    with stages.open(video, None) as local:
        assert file_of(local) == path
    assert path.exists()


def test_what_the_source_warned_of_belongs_to_the_run(stages, tmp_path):
    path = tmp_path / "video"
    path.touch()
    video = LocalVideo(path=path, uri="video", warnings=("the subtitles were left out",))
    with stages.open(video, FetchLimits()) as opened:
        assert opened is video
    assert stages.run.warnings == ["the subtitles were left out"]
