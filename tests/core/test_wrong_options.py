"""Options that cannot be, and subtitles of another video: told in one line, never passed over."""

import subprocess
import sys

import pytest

import framesift
from framesift.errors import InvalidOptionError, UnknownNameError
from framesift.run import time_limit


@pytest.mark.parametrize("seconds", ["5", None, True, 0, float("nan")], ids=repr)
def test_a_time_limit_is_a_number_above_0(seconds):
    with pytest.raises(InvalidOptionError, match="must be a number above 0"), time_limit(seconds):
        pass


def test_a_grid_that_no_memory_holds_is_refused():
    with pytest.raises(InvalidOptionError, match="grid_size=100000"):
        framesift.VideoCompressor(encoder="handcrafted:grid_size=100000")


@pytest.mark.parametrize("option", [{"vlm": ""}, {"encoder": ""}, {"vlm": "x" * 5000}], ids=str)
def test_a_part_without_a_real_name_is_refused(option):
    with pytest.raises(UnknownNameError) as refused:
        framesift.VideoCompressor(**option)
    assert len(str(refused.value)) < 500


def test_no_times_are_not_all_times(write_video, tmp_path):
    path = write_video(tmp_path / "a.mp4", 5)
    with pytest.raises(InvalidOptionError, match=r"times_seconds=\[\]"):
        framesift.VideoCompressor().frames(path, [])


def test_subtitles_of_another_video_do_not_lengthen_this_one(write_video, tmp_path):
    path = write_video(tmp_path / "talk.mp4", 50)
    cues = ["00:00:01,000 --> 00:00:02,000\nhere", "98:00:00,000 --> 98:00:04,000\nelsewhere"]
    path.with_suffix(".srt").write_text("\n\n".join(f"{n}\n{cue}" for n, cue in enumerate(cues, 1)))
    told = []
    parts = framesift.VideoCompressor().segments(path, warn=told.append)
    assert parts[-1].end_seconds == pytest.approx(2.0)
    assert [line for line in told if "subtitles were left out, from 352800 s on" in line]


@pytest.fixture
def run(tmp_path):
    """Runs the command line; returns its exit code, stdout and stderr."""

    def call(*arguments):
        command = [sys.executable, "-m", "framesift", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.mark.slow
def test_options_that_a_folder_cannot_follow_are_refused(run, tmp_path):
    pytest.importorskip("transformers")
    clip = "synthetic://number?seed=3"
    assert run("compress", clip, "--vlm", "tiny", "--out", "out")[0] == 0
    code, out, err = run("ask", "out", "What number flashes?", "--keep", "0.1")
    assert (code, out) == (2, "")
    assert "--keep has no effect on a folder" in err
    assert run("ask", "out", "What number flashes?")[1].startswith("44\n")


def test_an_empty_path_is_no_folder(run, tmp_path):
    code, _, err = run("keyframes", "synthetic://number?seed=3", "--out", "")
    assert code == 2
    assert "it is empty" in err
    assert list(tmp_path.iterdir()) == []
