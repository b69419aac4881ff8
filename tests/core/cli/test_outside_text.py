"""What the command prints and where it writes, where names and texts come from strangers."""

import json
import os
import sys

import pytest
from PIL import Image

from framesift import KeyframeShelf, VideoCompressor, cli, load, open_video
from framesift.cli import output, terminal
from framesift.run import Run
from framesift.types.answer import Segment
from framesift.types.text import printable

CLIP = "synthetic://mixed?seconds=4&width=160&height=90"
ODD = "\x1b[31mred\x07 \u202eder\u2066 \x9b2J\r\nwrote     /etc/passwd\u2028end\x7f\ud800"


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Größe 東京 😀 👩‍💻 עברית", "Größe 東京 😀 👩‍💻 עברית"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\u202e\u2066\u200f", r"\u202e\u2066\u200f"),
        ("\x85\u2028\u2029", r"\x85\u2028\u2029"),
        ("\ud800\x00\x7f\x9b", r"\ud800\x00\x7f\x9b"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    assert printable(text) == shown
    assert printable("a\nb", several_lines=True) == "a\nb"


def test_texts_of_others_cannot_steer_the_terminal(capsys, caplog):
    segment = Segment(
        start_seconds=0, end_seconds=1, keyframe_seconds=0.5, text=ODD, reason=ODD, uri="x", score=1
    )
    output.show_segments("x", [segment], [ODD], as_json=False)
    output.show_piece(ODD)
    terminal.line(ODD, err=True)
    captured = capsys.readouterr()
    Run().warn(ODD)
    for text in (captured.out, captured.err, caplog.text):
        assert not set(text) & set("\x1b\x07\u202e\u2066\x9b\r\u2028\x7f\ud800")
        assert r"\x1b[31m" in text
    assert captured.err.count("\n") == 2


def test_errors_name_odd_files_on_one_line(run, tmp_path):
    code, out, err = run("compress", tmp_path / "\x1b[2J\u202e.mp4")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert not set(err) & set("\x1b\u202e")


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes on Linux only")
def test_a_file_whose_name_is_not_utf_8(run, tmp_path, write_video):
    path = tmp_path / os.fsdecode(b"odd\xff\x1b[31m.mp4")
    write_video(tmp_path / "even.mp4", 25).rename(path)
    out = tmp_path / "out"
    code, printed, _ = run("compress", path, "--out", out)
    assert code == 0
    assert "\x1b" not in printed
    # Such a name stands in no JSON; its address does, and opens the same file again.
    address = load(out).report.uri
    assert address.isascii()
    assert open_video(address).path == path
    assert run("report", path, "-o", tmp_path / "page.html", "-n", "2")[0] == 0
    assert run("keyframes", path, "-n", "2", "--out", out)[0] == 0
    shelf = KeyframeShelf(folder=tmp_path / "shelf", compressor=VideoCompressor())
    assert shelf.read(path) == shelf.read(path)


def test_a_folder_holds_the_keyframes_of_one_run(run, tmp_path):
    out = tmp_path / "frames"
    (tmp_path / "frames").mkdir()
    own = [out / name for name in ("keyframe-mine.jpg", "holiday.jpg")]
    older = out / "keyframe-00001.50s.jpg"
    for path in (*own, older):
        path.write_bytes(b"mine")
    for count in (4, 2, 3):
        code, printed, _ = run("keyframes", CLIP, "-n", count, "--out", out, "--json")
        assert code == 0
        files = json.loads(printed)["files"]
        found = {str(path) for path in out.glob("*.jpg") if path not in own}
        assert found == set(files)
        assert len(files) == count
        index = json.loads((out / "keyframes.json").read_text())
        assert [str(out / entry["file"]) for entry in index] == files
    assert all(path.read_bytes() == b"mine" for path in own)
    assert not older.exists()


@pytest.mark.parametrize("name", ["page.png", "PAGE.PNG"])
def test_a_page_is_not_overwritten_by_its_own_sheet(run, tmp_path, name):
    code, out, err = run("report", CLIP, "-o", tmp_path / name)
    assert (code, out) == (2, "")
    assert "the name of the contact sheet" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["photo.html", "photo.png"])
def test_what_a_page_is_about_is_not_overwritten(run, tmp_path, name):
    photo = tmp_path / "photo.png"
    Image.new("RGB", (64, 48), "teal").save(photo)
    was = photo.read_bytes()
    code, out, err = run("report", photo, "-o", tmp_path / name)
    assert (code, out) == (2, "")
    assert "give the page another" in err
    assert photo.read_bytes() == was


def test_a_page_does_not_take_the_place_of_its_video(run, tmp_path, write_video):
    path = write_video(tmp_path / "a.mp4")
    was = path.read_bytes()
    code, _, err = run("report", path, "-o", path)
    assert code == 2
    assert "would write the page over 'a.mp4'" in err
    assert path.read_bytes() == was


def test_page_and_sheet_are_two_files(run, tmp_path):
    assert run("report", CLIP, "-o", tmp_path / "page", "-n", "2")[0] == 0
    assert (tmp_path / "page").read_text().startswith("<!doctype html>")
    with Image.open(tmp_path / "page.png") as sheet:
        assert sheet.format == "PNG"


@pytest.mark.parametrize("command", ["compress", "keyframes", "report"])
def test_places_that_cannot_be_written_to_are_refused_before_the_work(
    run, tmp_path, command, monkeypatch
):
    monkeypatch.setattr("framesift.compression.opening.opened", None)
    (tmp_path / "file").write_text("mine")
    place = tmp_path if command == "report" else tmp_path / "file"
    code, _, err = run(command, CLIP, "--out", place)
    assert code == 2
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "options",
    [
        ("--fps", "nan"),
        ("--fps", "inf"),
        ("--fps", "1e-320"),
        ("--keep", "nan"),
        ("--max-tokens", "0"),
        ("--max-tokens", "2.5"),
        ("--gate", "nan"),
        ("--max-frames", "-1"),
        ("--max-bytes", "-1"),
        ("--max-pixels", "0"),
        ("--max-pixels", "200"),  # the clip has more
        ("--protect-edges", "nan"),
        ("--strategy", "protect-edges:strategy=[" * 300),
        ("--strategy", "protect-edges:strategy=" * 300 + "temporal"),
    ],
)
def test_wrong_options_are_one_line(run, options):
    code, out, err = run("compress", CLIP, *options)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
