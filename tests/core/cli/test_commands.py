import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framesift
from framesift import cli
from framesift.sources.base import open_video

CLIP = "synthetic://mixed?seconds=5&width=320&height=180"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A short video file whose path has a space in it."""
    path = tmp_path_factory.mktemp("a folder") / "clip one.mp4"
    with open_video(CLIP) as video:
        path.write_bytes(video.path.read_bytes())
    return path


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process; returns exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


def test_compress_prints_one_json_object(run, clip):
    code, out, err = run("compress", clip, "--strategy", "temporal", "--keep", "0.25", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["tokens_out"] == int(0.25 * report["tokens_in"] + 0.5)
    assert report["files"] == []


def test_compress_writes_its_folder(run, clip, tmp_path):
    code, out, _ = run("compress", clip, "--out", tmp_path / "o", "--keep", "0.5", "-s", "uniform")
    assert code == 0
    assert "980 -> 490  (50.0% kept)" in out
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
        "report.json",
        "tokens.safetensors",
    ]


def test_keyframes_are_listed_and_written(run, clip, tmp_path):
    code, out, _ = run("keyframes", clip, "--count", "3", "--json", "--out", tmp_path)
    found = json.loads(out)
    assert code == 0
    assert found["count"] == len(found["keyframes"]) == len(found["files"]) == 3
    for file in found["files"]:
        with Image.open(file) as image:
            assert image.size == (320, 180)
    code, out, _ = run("keyframes", clip, "--count", "2")
    assert len(out.splitlines()) == 2


def test_too_many_keyframes_are_a_warning(run, clip):
    code, out, _ = run("keyframes", clip, "--count", "99", "--json")
    assert code == 0
    assert json.loads(out)["warnings"] == ["99 keyframes were asked, all 5 sampled frames are kept"]
    _, _, err = run("keyframes", clip, "--count", "99")
    assert "all 5 sampled frames are kept" in err


def test_segments(run, clip):
    _, out, _ = run("segments", clip, "--count", "2", "--json")
    assert json.loads(out)["segments"][0]["start_seconds"] == 0
    _, out, _ = run("segments", clip, "--count", "2")
    assert len(out.splitlines()) == 2


def test_report_writes_a_page_and_a_sheet(run, clip, tmp_path):
    page = tmp_path / "new" / "page.html"
    code, out, _ = run("report", clip, "--out", page, "--count", "2", "--protect-edges", "0.5")
    assert code == 0
    assert str(page) in out
    assert page.read_text().lower().startswith("<!doctype html>")
    with Image.open(page.with_suffix(".png")) as sheet:
        assert np.asarray(sheet).std() > 5


def test_a_report_of_a_picture_says_nothing_of_a_clip(run, tmp_path):
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "a.png")
    page = tmp_path / "page.html"
    assert run("report", tmp_path / "a.png", "--vlm", "tiny", "--out", page)[0] == 0
    assert "The clip" not in page.read_text()


def test_a_report_of_several_strategies_encodes_once(run, clip, tmp_path):
    page = tmp_path / "page.html"
    names = ["temporal", "protect-edges", "uniform"]
    given = [part for name in names for part in ("--strategy", name)]
    code, out, _ = run("report", clip, *given, "--out", page, "--count", "2", "--json")
    assert code == 0
    told = json.loads(out)
    reports = [told, *told["others"]]
    assert [each["strategy"] for each in reports] == names
    assert len({each["seconds"]["encode"] for each in reports}) == 1
    alone = framesift.VideoCompressor(strategy="uniform").compress(clip).report
    assert reports[2]["tokens_per_frame_kept"] == alone.tokens_per_frame_kept
    assert page.read_text().count('name="strategy"') == 3


def test_a_report_holds_what_its_readers_read(run, clip, tmp_path):
    talk = tmp_path / "talk.mp4"
    talk.write_bytes(clip.read_bytes())
    talk.with_suffix(".srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nThe car <turns> left\n")
    page = tmp_path / "page.html"
    assert run("report", talk, "--out", page, "--count", "2", "--text", "subtitles")[0] == 0
    assert "The car &lt;turns&gt; left" in page.read_text()
    assert run("report", clip, "--out", page, "--count", "2")[0] == 0
    assert "Transcript" not in page.read_text()


@pytest.mark.parametrize("plural", ["strategies", "encoders", "selectors", "readers", "vlms"])
def test_listings(run, plural):
    code, out, _ = run(plural, "--json")
    rows = json.loads(out)[plural]
    assert code == 0
    assert all(row["summary"] for row in rows)
    assert len(run(plural)[1].splitlines()) >= len(rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compress", "no-such.mp4"], "no-such.mp4"),
        (["compress", "{folder}"], "not a regular file"),
        (["compress", "{empty}"], "empty"),
        (["compress", "{text}"], "text.mp4"),
        (["compress", "{clip}", "--keep", "0"], "keep=0.0"),
        (["compress", "{clip}", "--keep", "-0.5"], "keep=-0.5"),
        (["compress", "{clip}", "--keep", "1.5"], "keep=1.5"),
        (["compress", "{clip}", "--keep", "nan"], "keep=nan"),
        (["compress", "{clip}", "--keep", "some"], "'some'"),
        (["compress", "{clip}", "--fps", "0"], "fps=0.0"),
        (["compress", "{clip}", "--strategy", "temporall"], "did you mean 'temporal'"),
        (["compress", "{clip}", "--strategy", "attention"], "clip"),
        (["compress", "{clip}", "--max-tokens", "0"], "max_tokens=0"),
        (["compress", "{clip}", "--protect-edges", "3"], "share=3.0"),
        (["segments", "{clip}", "--text", "subtitle"], "did you mean 'subtitles'"),
        (["segments", "{clip}", "--text", ""], "unknown reader ''"),
        (["report", "{clip}", "--text", "subtitles:fps=3"], "'subtitles' has no option 'fps'"),
        (["keyframes", "{clip}", "--text", "subtitles", "--text", "subtitles"], "a reader twice"),
        (["keyframes", "{clip}", "--count", "0"], "count=0"),
        (["compress", "http://127.0.0.1:9/v.mp4"], "127.0.0.1"),
        (["compress", "http://169.254.169.254/v.mp4"], "169.254.169.254"),
        (["compress", "ftp://example.org/v.mp4"], "ftp://example.org/v.mp4"),
        (["compress", "synthetic://nothing"], "nothing"),
        (["report", "no-such.mp4", "--out", "{folder}/x.html"], "no-such.mp4"),
        (["compres", "{clip}"], "compres"),
        (["compress"], "URI"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    run, clip, tmp_path, monkeypatch, arguments, message
):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video at all\n" * 40)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    names = {"folder": tmp_path, "empty": tmp_path / "empty.mp4", "text": tmp_path / "text.mp4"}
    before = sorted(tmp_path.rglob("*"))
    code, out, err = run(*(part.format(clip=clip, **names) for part in arguments))
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("framesift: ")
    assert message in err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_output_that_cannot_be_written_is_one_line(run, clip, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    code, _, err = run("compress", clip, "--out", blocked / "below")
    assert code == 2
    assert err.count("\n") == 1
    assert blocked.read_bytes() == b""


def test_without_arguments_it_shows_help(run):
    code, out, _ = run()
    assert code in (0, 2)
    assert "compress" in out


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.slow
def test_interrupting_leaves_nothing(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    work = subprocess.Popen(
        [sys.executable, "-m", "framesift", "compress", "synthetic://mixed?seconds=600"],
        env=environment,
        # A shell that starts tests in the background ignores SIGINT, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.1)
    work.send_signal(signal.SIGINT)
    _, err = work.communicate(timeout=60)
    assert work.returncode == 130
    assert err.strip().splitlines()[-1] == "framesift: interrupted"
    assert list(Path(tmp_path).rglob("*.mp4")) == []
