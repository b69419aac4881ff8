"""The playground on the server: what it refuses, and the page in a browser."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import httpx
import pytest

import framesift_server
from driven_browser import CHROMIUM, DEADLINE_SECONDS, tab
from framesift.errors import FramesiftError
from framesift.playground import Terms
from framesift.playground.server import plain
from framesift.playground.visits import Visits

CLIP = "synthetic://number?seed=3"
LONG = "synthetic://mixed?seconds=7200&width=1280&height=720"
ASKED = "What number flashes?"
SHOWN = "document.querySelectorAll('.look').length"
PROBLEM = "document.querySelector('#problem p')?.textContent"
VIDEO = "document.querySelector('#clip video')"
LINK = "#link textarea, #link input"
in_a_browser = [
    pytest.mark.play,
    pytest.mark.browser,
    pytest.mark.skipif(
        importlib.util.find_spec("gradio") is None, reason="gradio is not installed"
    ),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH"),
]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--api-key", "a-key-of-sixteen-letters"], "browsers, which send no key"),
        (["--workers", "2"], "--workers is 2"),
    ],
)
def test_what_does_not_go_with_it_is_one_line_at_the_start(arguments, told):
    with pytest.raises(SystemExit) as stopped:
        framesift_server.main(["--play", *arguments])
    line = str(stopped.value)
    assert line.startswith("framesift serve: --play ")
    assert told in line
    assert "\n" not in line
    assert "a-key-of" not in line


def test_without_gradio_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(SystemExit) as stopped:
        framesift_server.main(["--play", "--state-folder", str(tmp_path)])
    assert str(stopped.value) == (
        "framesift serve: 'gradio' is not installed; run: pip install 'framesift[play]'"
    )


def test_without_the_option_nothing_is_there(client):
    assert client.get("/play/").status_code == 404


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"strategy": "slow-fast:filling=/srv/weights"}, "slow-fast:filling=/srv/weights"),
        ({"keep": 0.1}, "keep=0.1 is below 0.25"),
        ({"count": 1e9}, "keyframes"),
        ({"count": float("nan")}, "keyframes"),
    ],
)
def test_terms_for_strangers_hold_whatever_the_page_sends(given, told):
    terms = Terms(vlm="tiny", load=None, open=None, strangers=True, least_keep=0.25, max_frames=9)
    asked = {"strategy": "uniform", "keep": 0.5, "fps": 1.0, "count": 2}
    assert terms.setting(**asked).max_frames == 9
    with pytest.raises(FramesiftError, match=re.escape(told)) as error:
        terms.setting(**{**asked, **given})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        (b'{"data": ["a", null, 0.5, true], "event_data": null, "session_hash": "s"}', True),
        (b'{"data": [{"path": "/etc/passwd"}]}', False),
        (b'{"data": [["a"]]}', False),
        (b'{"data": ["a"], "event_data": {"path": "/etc/passwd"}}', False),
        (b'{"data": ["a"], "data": [{"path": "/etc/passwd"}]}', False),
        (b'{"data": ' + b"[" * 100_000, False),
        (b'["a"]', False),
        (b"a=1", False),
    ],
)
def test_nothing_but_text_and_numbers_gets_to_gradio(body, passes):
    assert plain(body) is passes


def test_no_more_visits_are_held_than_allowed_nor_after_who_left():
    terms = Terms.local()
    visits = Visits(terms.open, most=2)
    files = []
    for session in "abc":
        with visits.at(session) as visit:
            files.append(visit.open(f"{CLIP}&seconds=2").path)
    assert [file.exists() for file in files] == [False, True, True]
    with visits.at("d") as visit:
        visits.end("d")
        late = visit.open(f"{CLIP}&seconds=2").path
    assert not late.exists()
    visits.end_all()
    assert not any(file.exists() for file in files)


class Served:
    """A server with the page, in a process of its own."""

    def __init__(self, folder, *arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.temporary, self.address = folder / "temporary", f"http://127.0.0.1:{port}"
        self.temporary.mkdir()
        self.log, serve = folder / "log", ["-m", "framesift", "serve", "--play"]
        places = ["--port", str(port), "--state-folder", str(folder / "state")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *serve, *places, *arguments],
                env={**os.environ, "TMPDIR": str(self.temporary)},
                stderr=log,
                stdout=subprocess.DEVNULL,
            )

    def wait(self):
        end = time.monotonic() + DEADLINE_SECONDS
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end
            try:
                httpx.get(f"{self.address}/health")
            except httpx.TransportError:
                time.sleep(0.2)
            else:
                return self

    def open(self, page):
        page.open(f"{self.address}/play")
        page.wait("!!document.querySelector('#run')")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)


@pytest.fixture
def start(tmp_path):
    """Starts a server, and ends it."""
    started = []

    def begin(*arguments):
        started.append(Served(tmp_path, *arguments))
        return started[-1].wait()

    yield begin
    for server in started:
        server.process.kill()
        server.process.wait()


class TestInABrowser:
    pytestmark = in_a_browser

    def test_it_runs_asks_and_plays_beside_the_api_and_ends_with_it(self, start, tmp_path):
        server = start("--allow-synthetic", "--grace-seconds", "60")
        with tab(tmp_path / "profile") as page:
            server.open(page)
            page.type("#question textarea, #question input", ASKED)
            page.click("#ask")
            page.wait(f"{SHOWN} == 2 && !!document.querySelector('#answer-2 .answer') || {PROBLEM}")
            assert page.js(PROBLEM) is None
            assert page.js("document.querySelector('#answer-1 .said').innerText") == "44"
            page.wait(f"{VIDEO}.readyState >= 1")
            page.js("document.querySelectorAll('#look-1 .keyframes .time')[3].click()")
            page.wait(f"{VIDEO}.currentTime >= 3")
            hosts = {urlsplit(url).netloc for url in page.asked_for if url.startswith("http")}
            assert hosts == {urlsplit(server.address).netloc}
            body = {"video": CLIP, "question": ASKED}
            asked = httpx.post(f"{server.address}/v1/ask", json=body, timeout=DEADLINE_SECONDS)
            assert asked.json()["text"] == "44"
            begun = time.monotonic()
            assert server.end() == 128 + signal.SIGTERM
            assert time.monotonic() - begun < 30, "an open page held up the end"
        assert list(server.temporary.glob("framesift-*")) == []
        assert "Traceback" not in server.log.read_text()

    def test_work_of_the_page_ends_with_the_server(self, start, tmp_path):
        server = start("--allow-synthetic", "--grace-seconds", "60", "--max-seconds", "3600")
        with tab(tmp_path / "profile") as page:
            server.open(page)
            page.type(LINK, LONG)
            page.click("#run")
            end = time.monotonic() + DEADLINE_SECONDS
            while httpx.get(f"{server.address}/health").json()["working"] != {"tiny": 1}:
                assert time.monotonic() < end, "it never came to the line of the model"
                assert page.js(PROBLEM) is None
            begun = time.monotonic()
            assert server.end() == 128 + signal.SIGTERM
            assert time.monotonic() - begun < 50
        assert list(server.temporary.glob("framesift-*")) == []

    def test_strangers_reach_neither_it_nor_what_it_does_not_need(self, start):
        server = start()
        page = f"{server.address}/play/"
        assert httpx.get(page).headers["content-security-policy"].startswith("default-src 'self'")
        assert httpx.get(page, headers={"Host": "a.example"}).status_code == 421
        join = f"{page}gradio_api/queue/join"
        other = {"Origin": "http://a.example"}
        assert httpx.post(join, json={}, headers=other).status_code == 403
        assert httpx.post(join, content=b"{" + b" " * 2**21).status_code == 413
        for file in ({"path": "/etc/passwd"}, {"path": "a", "url": "http://127.0.0.1/a"}):
            sent = {**file, "meta": {"_type": "gradio.FileData"}}
            body = {"fn_index": 0, "session_hash": "a"}
            for data in ([sent], [[sent]], {"a": sent}):
                assert httpx.post(join, json={**body, "data": data}).status_code == 422
            assert (
                httpx.post(join, json={**body, "data": [], "event_data": sent}).status_code == 422
            )
        assert list(server.temporary.rglob("passwd")) == []
        for path in ("upload", "file=/etc/passwd", "info", "run/shown", "call/shown"):
            assert httpx.post(f"{page}gradio_api/{path}", json={}).status_code == 404
        assert httpx.get(f"{server.address}/docs").status_code == 200
        paths = httpx.get(f"{server.address}/openapi.json").json()["paths"]
        assert "/v1/ask" in paths
        assert not any("play" in path for path in paths)

    @pytest.mark.parametrize(
        ("link", "told"),
        [
            (CLIP, "--allow-synthetic"),
            ("http://127.0.0.1/a.mp4", "127.0.0.1"),
            ("/etc/passwd", "/etc/passwd"),
            ("upload:0123456789abcdef", "not an upload"),
        ],
    )
    def test_what_requests_may_not_open_the_page_may_not(self, start, tmp_path, link, told):
        server = start()
        with tab(tmp_path / "profile") as page:
            server.open(page)
            page.type(LINK, link)
            page.click("#run")
            assert told in page.wait(PROBLEM)
            assert page.js(SHOWN) == 0
