import io
import tempfile
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from framesift.fetching.limits import FetchLimits
from framesift.sources.yt_dlp import YtDlp


@pytest.fixture(scope="session")
def clip():
    """The bytes of a real video: ten frames of 16 x 16 pixels."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        for level in range(10):
            pixels = np.full((16, 16, 3), 20 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    return buffer.getvalue()


@pytest.fixture(scope="session")
def sound():
    """The bytes of an MP4 file that holds sound alone."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode()])
    return buffer.getvalue()


@pytest.fixture
def landing(tmp_path, monkeypatch):
    """The folder that temporary folders are made in; empty means that none was left behind."""
    folder = tmp_path / "landing"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def loopback():
    return FetchLimits(allow_private=True, total_seconds=10, idle_seconds=5)


class Site(ThreadingHTTPServer):
    """A web site on loopback: `routes` maps a path to a function that answers a request."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        self.routes = {}
        self.asked = []
        super().__init__(("127.0.0.1", 0), Page)

    @property
    def port(self):
        return self.server_address[1]

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def handle_error(self, request, client_address):
        """A client that hangs up is part of these tests."""

    def serve(self, path, body, *, status=200, length=True, **headers):
        """Answers `path` with `body`; without `length`, the end of the connection ends it."""

        def answer(page):
            page.send_response(status)
            if length:
                page.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                page.send_header(name.replace("_", "-"), value)
            page.end_headers()
            page.wfile.write(body)

        self.routes[path] = answer
        return self.url(path)


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers))
        self.server.routes[self.path.partition("?")[0]](self)

    def do_POST(self):
        self.do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def site():
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@dataclass(frozen=True, kw_only=True)
class DescribedPage(YtDlp):
    """A page of a video, about which yt-dlp says `info`, or raises it."""

    info: Any

    def session(self, client, folder):
        def extract_info(uri, *, download):
            if isinstance(self.info, Exception):
                raise self.info
            return self.info

        return nullcontext(SimpleNamespace(extract_info=extract_info))


@pytest.fixture
def described(landing):
    """Opens a page about which yt-dlp says or raises what is given, without its video."""
    pytest.importorskip("yt_dlp")

    def described(info, uri="https://a.example/private"):
        return DescribedPage(info=info).open(uri, FetchLimits(), text_only=True)

    yield described
    assert list(landing.iterdir()) == []
