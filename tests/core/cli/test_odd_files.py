"""What becomes of odd and damaged files on the whole way through the command line."""

import json
import sys

import av
import numpy as np
import pytest

from framesift import cli

COMMANDS = [["compress"], ["compress", "-s", "uniform"], ["keyframes", "--count", "3"]]


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("count", "fps"), [(1, 25), (3, 30), (2, 1)], ids=str)
def test_very_short_videos_work(run, write_video, tmp_path, command, count, fps):
    path = write_video(tmp_path / "short.mp4", count, fps=fps)
    code, out, err = run(command[0], path, *command[1:])
    found = json.loads(out)
    assert (code, err) == (0, "")
    if command[0] == "compress":
        assert found["tokens_out"] == int(0.25 * found["tokens_in"] + 0.5)
    else:
        assert found["count"] == len(found["keyframes"]) == (2 if fps == 1 else 1)


def test_a_file_cut_in_half_gives_its_good_frames_and_a_warning(run, write_video, tmp_path):
    whole = write_video(
        tmp_path / "cut.mp4", 250, fps=25, container_options={"movflags": "faststart"}
    )
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    code, out, _ = run("compress", whole)
    found = json.loads(out)
    assert code == 0
    assert 1 <= found["frames_in"] < 10
    assert found["tokens_out"] == int(0.25 * found["tokens_in"] + 0.5)
    assert len(found["warnings"]) == 1
    assert json.loads(run("keyframes", whole, "--count", "2")[1])["warnings"]


def test_sound_alone_is_refused(run, tmp_path):
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    code, out, err = run("compress", path)
    assert (code, out) == (2, "")
    assert "song.m4a" in err
    assert err.count("\n") == 1
