import gc
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from framesift.compression.compressor import VideoCompressor
from framesift.compression.frame_tokens import encode_frames
from framesift.compression.opening import FrameReader, Opener, file_of, opened
from framesift.compression.selection import FramePicker
from framesift.decoders import registry as decoders
from framesift.decoders.base import WINDOW, Decoder, FrameIndex
from framesift.decoders.stills import WithStills
from framesift.encoders import registry as encoders
from framesift.errors import CorruptVideoError, TimeLimitError
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.run import Run, on_progress, time_limit
from framesift.selectors import registry as selectors
from framesift.testing.videos import GROUPS, write_video
from framesift.types.frames import Frames
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
    picker = FramePicker(selector=selectors.create("keyframes"))
    chosen = picker.pick(reader, [1, 2, 3, 4], count=3, question=None)
    assert chosen.indices == [1, 2, 4]
    assert chosen.report.candidate_seconds == reader.index.pts_seconds[[1, 2, 4]].tolist()
    assert chosen.report.frames_encoded == 3


def test_a_rule_that_needs_times_alone_decodes_nothing(reader, run):
    picker = FramePicker(selector=selectors.create("uniform"))
    chosen = picker.pick(reader, range(100), count=2, question=None)
    assert chosen.indices == [25, 75]
    assert chosen.report.frames_decoded == chosen.report.frames_encoded == 0
    assert run.warnings == []


def test_an_open_video_stays_open(local, tmp_path, run):
    video = replace(local, temporary_folder=tmp_path)
    with opened(video, FetchLimits(), SiteOptions(), run) as again:
        assert file_of(again) == local.path
    assert local.path.exists()


def test_what_the_source_warned_of_belongs_to_the_run(local, run):
    video = replace(local, warnings=("the subtitles were left out",))
    opener = Opener(decoder=WithStills(videos=Holes()), limits=FetchLimits())
    with opener.open(video, run) as reader:
        assert reader.local is video
    assert run.warnings == ["the subtitles were left out"]


class Slow(Holes):
    """Takes its time, and notes whether the file is there when it has ended."""

    summary = "slow"

    def pictures(self, path, indices, size_px):
        try:
            for each in super().pictures(path, indices, size_px):
                time.sleep(0.002)
                yield each
        finally:
            ENDS.append((threading.current_thread().name, path.exists()))


ENDS = []


@pytest.fixture
def slow(local, tmp_path):
    ENDS.clear()
    video = replace(local, temporary_folder=tmp_path)
    yield Opener(decoder=WithStills(videos=Slow()), limits=FetchLimits()), video
    gc.collect()
    assert [each for each in threading.enumerate() if each.name == "framesift-decode"] == []


def encoded(opener, video, run, count=100):
    with video, opener.open(video, run) as reader:
        return encode_frames(reader, range(count), encoders.create("handcrafted"))


def test_windows_that_are_decoded_ahead_are_those_of_the_decoder(reader, run, local):
    frames = Frames.concatenate(list(reader.frames(range(100))))
    assert frames.indices.tolist() == [n for n in range(100) if n % 10 != 3]
    assert frames.data[:, 0, 0, 0].tolist() == frames.indices.tolist()
    (line,) = run.warnings
    assert line.endswith("is damaged: 10 of 100 asked frames are lost, from 3.00 s on")
    assert set(run.seconds) == {"decode", "wait"}


def test_a_single_window_needs_no_thread(slow, run):
    encoded(*slow, run, count=WINDOW)
    assert [(threading.current_thread().name, True)] == ENDS
    assert "wait" not in run.seconds


def test_decoding_overlaps_and_its_seconds_are_those_of_decoding(slow, run):
    opener, video = slow
    with opener.open(video, run) as reader:
        for _ in reader.frames(range(100)):
            time.sleep(0.05)
    assert ENDS == [("framesift-decode", True)]
    assert run.seconds["decode"] >= 0.18
    assert run.seconds["wait"] < run.seconds["decode"]


class Refusing(KeyboardInterrupt):
    """Stands for Ctrl-C."""


def refuse(progress):
    if progress.stage == "encode" and progress.done:
        raise Refusing


def test_who_is_interrupted_removes_the_file_after_the_thread_has_ended(slow, run):
    with on_progress(refuse), pytest.raises(Refusing) as caught:
        encoded(*slow, run)
    # The traceback still holds the readers, so it was not their end that ended the thread.
    assert caught.tb is not None
    assert ENDS == [("framesift-decode", True)]
    assert not slow[1].path.exists()


def test_the_time_limit_ends_the_thread_before_the_file_is_removed(slow, run):
    with time_limit(0.05), pytest.raises(TimeLimitError):
        encoded(*slow, run)
    assert ENDS == [("framesift-decode", True)]
    assert not slow[1].path.exists()


def test_frames_that_nobody_reads_to_the_end_end_with_the_video(slow, run):
    opener, video = slow
    with opener.open(video, run) as reader:
        windows = reader.frames(range(100))
        next(windows)
    assert ENDS == [("framesift-decode", True)]
    windows.close()
    assert run.seconds["decode"] > 0


@pytest.mark.parametrize("name", decoders.names())
def test_every_decoder_gives_the_same_ahead(name, tmp_path, run):
    if name == "torchcodec":
        pytest.importorskip("torchcodec", exc_type=ImportError)
    decoder = decoders.create(name)
    path = write_video(tmp_path / "v.mp4", 120, **GROUPS)
    reader = FrameReader(local=LocalVideo(path=path, uri="v"), decoder=decoder, run=run)
    wanted = range(0, 120, 3)
    ahead = Frames.concatenate(list(reader.frames(wanted)))
    plain = Frames.concatenate(list(decoder.decode(path, wanted)))
    assert np.array_equal(ahead.data, plain.data)
    assert ahead.indices.tolist() == list(wanted)
    assert ahead.pts_seconds.tolist() == plain.pts_seconds.tolist()


def test_a_damaged_file_warns_ahead_as_it_does_otherwise(tmp_path):
    path = write_video(tmp_path / "v.mp4", 120, container_options={"movflags": "faststart"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = b"\xff" * 600
    path.write_bytes(content)
    plain, given = [], []
    list(decoders.create("pyav").decode(path, range(120), warn=plain.append))
    report = VideoCompressor(fps=25).compress(path, warn=given.append).report
    assert len(plain) == 1
    assert report.warnings == given == plain


def test_a_file_of_which_nothing_decodes_is_the_same_error(local, run):
    class Nothing(Holes):
        def pictures(self, path, indices, size_px):
            yield from ()

    reader = FrameReader(local=local, decoder=Nothing(), run=run)
    with pytest.raises(CorruptVideoError, match="none of the 40 requested frames"):
        encode_frames(reader, range(40), encoders.create("handcrafted"))
