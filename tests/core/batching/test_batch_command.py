"""`framesift batch`: what it prints, and how it exits."""

import json
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

import framesift
from framesift.cli.commands import app
from framesift.errors import MissingDependencyError
from framesift.testing.videos import write_video

pytest.importorskip("pebble")


def run(*arguments):
    return CliRunner().invoke(app, ["batch", *map(str, arguments)])


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    write_video(folder / "good.mp4", 50)
    (folder / "bad.mp4").write_bytes(b"nothing")
    return folder


def test_what_the_command_began_goes_on_in_python(clips, tmp_path):
    out = tmp_path / "out"
    assert run(clips, "--out", out, "--task", "keyframes", "--limit", 1).exit_code in (0, 3)
    on = framesift.batch(clips, out, "keyframes", workers=1)
    assert (on.before, on.done) == (1, 1)


def test_videos_that_failed_are_told_and_give_exit_code_three(clips, tmp_path):
    made = run(clips, "--out", tmp_path / "out", "--workers", 2)
    assert made.exit_code == 3, made.output
    assert made.stdout.splitlines()[:2] == [
        "videos    2, of which 2 are finished",
        "failed    1; --retry-failed begins them anew",
    ]
    assert "failed    bad.mp4: " in made.stderr
    again = run(clips, "--out", tmp_path / "out", "--json")
    assert again.exit_code == 3
    assert json.loads(again.stdout) == {
        **dict.fromkeys(("done", "left", "tokens_in", "tokens_out"), 0),
        **{"out": str(tmp_path / "out"), "videos": 2, "before": 2, "failed": 1, "rows": 2},
        **{"errors": {}, "next": []},
    }
    other = run(clips, "--out", tmp_path / "out", "--keep", 0.5)
    assert isinstance(other.exception, ValueError)
    assert "holds a batch with keep=0.25, not 0.5" in str(other.exception)


@pytest.mark.skipif(sys.platform == "win32", reason="closes streams by a shell")
def test_a_command_without_stdin_and_stderr_does_its_work(clips, tmp_path):
    command = [
        sys.executable,
        "-m",
        "framesift",
        "batch",
        str(clips),
        "--out",
        str(tmp_path / "out"),
    ]
    # What is opened next would get their numbers, and what a library complains of would go there.
    made = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *command, "--workers", "2", "--task", "keyframes"],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert made.returncode == 3, made.stdout
    assert made.stdout.splitlines()[0] == "videos    2, of which 2 are finished"


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (("--max-memory", "4X"), "'4X' is no size; give such as 4G or 500M"),
        (("--max-memory", "-1G"), "'-1G' is no size"),
        (("--task", "sing"), "'sing' is not one of"),
        (("--workers", "0"), "is not in the range"),
    ],
)
def test_wrong_options_are_named(clips, tmp_path, given, line):
    made = run(clips, "--out", tmp_path / "out", *given)
    assert made.exit_code == 2
    assert line in made.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        ("framesift_ray", "'framesift_ray' is not installed; run: pip install framesift-ray"),
        ("ray", "'ray' is not installed; run: pip install 'ray[data]'"),
    ],
)
def test_ray_that_is_not_installed_is_one_line(clips, tmp_path, monkeypatch, missing, line):
    monkeypatch.setitem(sys.modules, missing, None)
    made = run(clips, "--out", tmp_path / "out", "--engine", "ray")
    assert isinstance(made.exception, MissingDependencyError)
    assert str(made.exception) == line
    assert not (tmp_path / "out").exists()


def test_a_dry_run_counts(clips, tmp_path):
    made = run(clips, "--out", tmp_path / "out", "--dry-run")
    assert made.stdout.splitlines() == [
        "videos    2, of which 0 are finished",
        "left      2",
        "next      bad.mp4",
        "next      good.mp4",
    ]
    one = run(clips, "--out", tmp_path / "out", "--dry-run", "--limit", 1)
    assert one.stdout.splitlines()[1:] == ["left      2", "next      bad.mp4"]
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_in_one_line(clips, tmp_path):
    videos = tmp_path / "clips"
    videos.mkdir()
    for number in range(200):
        (videos / f"{number:03}.mp4").write_bytes((clips / "good.mp4").read_bytes())
    out = tmp_path / "out"
    command = [sys.executable, "-m", "framesift", "batch", str(videos), "--out", str(out)]
    run = subprocess.Popen(
        [*command, "--workers", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(out.glob("rows/*/*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    said, told = run.communicate(timeout=120)
    assert (run.returncode, said) == (130, "")
    (line,) = told.splitlines()
    assert line.startswith("framesift: interrupted; the ")
    assert f"stay in {out}, and the same command goes on with the rest" in line
