"""What the command is told to take of pages, and the videos that it lists."""

import json
import os
import sys
from pathlib import Path

import pytest

import framesift
from framesift import SiteOptions, cli
from framesift.sources.base import open_video

CLIP = "synthetic://number?seconds=1&width=64&height=64"


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "talks"
    folder.mkdir()
    with open_video(CLIP) as video:
        for name in (b"a.mp4", b"caf\xe9.mp4"):
            try:
                Path(folder, os.fsdecode(name)).write_bytes(video.path.read_bytes())
            except OSError:
                pytest.skip("this file system takes no name that is not UTF-8")
    (folder / "broken.mp4").write_bytes(b"\0" * 64)
    return folder


def test_options_of_pages_reach_the_compressor(run, monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr(
        framesift.VideoCompressor, "segments", lambda sift, *_, **__: made.append(sift) or []
    )
    cookies = tmp_path / "c.txt"
    code, _, err = run(
        *("segments", "https://youtu.be/x", "--language", "de,en", "--max-height", "480"),
        *("--cookies-file", cookies, "--cookies-from-browser", "firefox"),
    )
    assert (code, err) == (0, "")
    expected = SiteOptions(
        language="de,en", max_height_px=480, cookies_file=cookies, cookies_from_browser="firefox"
    )
    assert [sift.site for sift in made] == [expected]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--language", "d e", "language="),
        ("--max-height", "0", "max_height_px=0"),
        ("--cookies-from-browser", "lynx", "one of: brave"),
        ("--cookies-file", "", "--cookies-file"),
    ],
)
def test_a_wrong_one_is_one_line(run, option, value, message):
    code, out, err = run("segments", CLIP, option, value)
    assert code == 2
    assert out == ""
    assert message in err


def test_a_folder_is_listed_with_what_cannot_be_used(run, folder):
    code, out, _ = run("videos", folder)
    lines = out.splitlines()
    assert code == 0
    assert [line.split()[0] for line in lines] == ["00:01", str(folder / "broken.mp4"), "00:01"]
    assert "left out: 'broken.mp4' cannot be opened as a video" in lines[1]
    assert lines[2].endswith("/caf%E9.mp4")


def test_the_list_as_json_opens_again(run, folder):
    code, out, err = run("videos", folder, CLIP, "--most", "3", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert len(told["videos"]) == 3
    assert "1 of 2 places were not listed" in told["warnings"][0]
    for video in told["videos"]:
        if video["problem"] is None:
            code, out, _ = run("segments", video["uri"], "--json")
            assert code == 0
            assert json.loads(out)
