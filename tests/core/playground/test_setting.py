import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

import framesift
from framesift import cli
from framesift.errors import FramesiftError, MissingDependencyError
from framesift.playground.server import application
from framesift.playground.setting import Setting

SETTING = Setting(strategy="uniform", keep=0.5, fps=1.0, count=2)
ASKED = "What number flashes?"
CLIP = "synthetic://number?seed=3"


@pytest.mark.slow
def test_copied_python_runs():
    program = SETTING.as_python(CLIP, "tiny", ASKED)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert lines[0] == "512 -> 256 tokens"
    assert len(lines) == 4  # two keyframes and the answer


@pytest.mark.slow
def test_copied_commands_run():
    text = SETTING.as_command(CLIP, "tiny", ASKED)
    printed = ""
    for line in text.splitlines():
        command = shlex.split(line)
        assert command[0] == "framesift"
        run = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, check=True
        )
        printed += run.stdout
    assert "512 -> 256" in printed
    assert printed.count(" s  0.") >= 2


@pytest.mark.parametrize("strategy", ["nonsense", ""])
def test_a_wrong_strategy_is_one_line(strategy):
    with pytest.raises(FramesiftError, match=f"'{strategy}'") as error:
        Setting(strategy=strategy, keep=0.5, fps=1.0, count=2).sift("tiny")
    assert "\n" not in str(error.value)


def test_without_gradio_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr(sys, "argv", ["framesift", "play", "--no-browser", "--port", "0"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "framesift: 'gradio' is not installed; run: pip install 'framesift[play]'\n"
    )


def test_a_question_stands_where_it_is_asked_or_read():
    vlm = framesift.load_vlm("tiny")
    plain = SETTING.for_question(ASKED, vlm)
    assert plain == SETTING
    reads = replace(SETTING, strategy="cdpruner").for_question(ASKED, vlm)
    assert reads.question == ASKED
    for setting, asked, count in ((plain, None, 0), (plain, ASKED, 1), (reads, None, 1)):
        texts = (
            setting.as_python(CLIP, "tiny", asked),
            setting.as_command(CLIP, "tiny", asked),
            setting.as_curl(CLIP, asked, uploaded=False),
        )
        assert [text.count(ASKED) for text in texts] == [count] * 3


class _Uploads(BaseHTTPRequestHandler):
    """Takes what is posted, and keeps it."""

    bodies: ClassVar[list[bytes]] = []

    def do_POST(self):
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        answer = b'{"video": "upload:1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on the PATH")
def test_curl_sends_a_file_of_any_name(tmp_path):
    name = """a b';c,d"e\\f.mp4"""
    (tmp_path / name).write_bytes(b"the video")
    line = SETTING.as_curl(name, uploaded=True).splitlines()[1]
    with ThreadingHTTPServer(("127.0.0.1", 0), _Uploads) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        line = line.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{server.server_port}")
        shell = ["bash", "-c", f'{line}; echo "$VIDEO"']
        run = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True)
        server.shutdown()
    assert run.stdout == "upload:1\n"
    assert b"the video" in _Uploads.bodies[0]


def test_the_environment_is_as_before_where_gradio_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setenv("GRADIO_TEMP_DIR", "/mine")
    monkeypatch.delenv("GRADIO_ANALYTICS_ENABLED", raising=False)
    with pytest.raises(MissingDependencyError), application():
        pass
    assert os.environ["GRADIO_TEMP_DIR"] == "/mine"
    assert "GRADIO_ANALYTICS_ENABLED" not in os.environ
