"""`framesift text` writes down what readers read, to the terminal or a file."""

import json
import sys

import pytest

from framesift import cli
from framesift.sources.timed_text import parse_timed_text
from framesift.testing.videos import write_video

SUBTITLES = "1\n00:00:00,200 --> 00:00:00,900\nGrüße an alle\n"


@pytest.fixture
def run(monkeypatch, capfd):
    """Runs the command line in this process; returns exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capfd.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def clip(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    path.with_suffix(".srt").write_text(SUBTITLES, "utf-8")
    return path


def test_text_is_printed_for_people_or_as_what_is_asked_for(run, clip):
    code, out, err = run("text", clip)
    assert (code, err) == (0, "")
    assert "- **00:00.2-00:00.9** Grüße an alle" in out
    assert json.loads(run("text", clip, "--format", "json")[1])["lines"][0]["source"] == "subtitles"
    printed = run("text", clip, "--format", "srt")[1]
    assert parse_timed_text(printed) == parse_timed_text(SUBTITLES)


def test_a_file_is_of_the_format_that_its_ending_says(run, clip, tmp_path):
    code, out, _ = run("text", clip, "--out", tmp_path / "new" / "a.vtt")
    assert (code, out) == (0, f"wrote     {tmp_path / 'new' / 'a.vtt'}\n")
    assert (tmp_path / "new" / "a.vtt").read_text("utf-8").startswith("WEBVTT")
    code, _, err = run("text", clip, "--out", tmp_path / "a.txt")
    assert code == 2
    assert err.startswith("framesift: 'a.txt' does not say what to write; end it in .json")


def test_a_video_without_text_says_which_readers_there_are(run, tmp_path):
    code, out, err = run("text", write_video(tmp_path / "mute.mp4"), "--format", "srt")
    assert (code, out) == (0, "")
    assert "no text was found by subtitles; see `framesift readers`" in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--text", "speech:language=klingon"], "language='klingon' is not known; give a code"),
        (["--text", "hearing"], "unknown reader 'hearing'"),
        (["--text", "speech:volume=3"], "volume"),
        (["--format", "pdf"], "'pdf' is not one of"),
        (["--out", ""], "it is empty"),
    ],
)
def test_what_cannot_be_is_one_line(run, clip, arguments, reason):
    code, _, err = run("text", clip, *arguments)
    assert code == 2
    assert reason in err
    assert len(err.strip().splitlines()) == 1


def test_no_sound_is_a_warning_and_no_model_is_looked_for(run, clip):
    code, out, err = run("text", clip, "--text", "speech", "--text", "subtitles")
    assert code == 0
    assert "Grüße an alle" in out
    assert "warning   'clip.mp4' has no sound, so nothing is heard in it" in err
