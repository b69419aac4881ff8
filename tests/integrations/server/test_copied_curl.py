"""What the playground gives to copy runs against a server."""

import json
import shutil
import subprocess
import threading
import time

import pytest
import uvicorn

from framesift.playground.setting import Setting
from framesift_server import Settings, create_app

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on the PATH")
SETTING = Setting(strategy="uniform", keep=0.2, fps=1.0, count=2, question="What's the number?")
ASKED = "What number flashes?"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    flags = {"allow_synthetic": True, "min_compression_ratio": 0.2}
    app = create_app(Settings(state_folder=tmp_path_factory.mktemp("state"), **flags))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


def replies(text, address, folder):
    """Returns what the copied lines print, which are sent to another port than they name."""
    assert text.startswith("# for: framesift serve")
    script = text.replace("http://127.0.0.1:8080", address)
    run = subprocess.run(
        ["bash", "-ec", script], cwd=folder, capture_output=True, text=True, check=True
    )
    decoder, printed, found = json.JSONDecoder(), run.stdout.strip(), []
    while printed:
        value, end = decoder.raw_decode(printed)
        found.append(value)
        printed = printed[end:].strip()
    return found


def test_copied_curl_runs_for_a_link(address, tmp_path):
    text = SETTING.as_curl("synthetic://number?seed=3", ASKED, uploaded=False)
    assert "--allow-synthetic --min-compression-ratio 0.2" in text
    compressed, answer = replies(text, address, tmp_path)
    assert compressed["report"]["tokens_out"] == 102
    assert len(compressed["keyframes"]) == 2
    assert answer["usage"]["visual_tokens_after"] == 102


def test_copied_curl_runs_for_a_file(address, tmp_path, write_video):
    write_video(tmp_path / "it's mine.mp4", 50)
    text = SETTING.as_curl("it's mine.mp4", ASKED, uploaded=True)
    compressed, _ = replies(text, address, tmp_path)
    assert compressed["report"]["strategy"] == "uniform"
