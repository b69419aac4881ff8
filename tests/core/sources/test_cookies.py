"""A login of the user opens private pages, and is seen by nobody but their site."""

import json
import logging
import sqlite3
import traceback
from dataclasses import dataclass

import pytest

from framesift import FramesiftError, SiteOptions
from framesift.errors import DownloadError, InvalidOptionError
from framesift.sources.yt_dlp import YtDlp

yt_dlp = pytest.importorskip("yt_dlp")

SECRET = "s3cr3t-of-the-user"
GOOD = f"127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\t{SECRET}\n"


class PrivateIE(yt_dlp.extractor.common.InfoExtractor):
    """Reads a page of the loopback site that wants a cookie."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/private/(?P<id>\w+)"

    def _real_extract(self, url):
        page = self._download_webpage(url, self._match_id(url))
        return json.loads(page)


@dataclass(frozen=True, kw_only=True)
class PrivateSite(YtDlp):
    def session(self, client, folder):
        session = super().session(client, folder)
        session.add_info_extractor(PrivateIE())
        return session


@pytest.fixture
def private(site, clip, landing, loopback, caplog):
    """Opens a private page; neither errors nor logs of it may hold the login."""
    told = {"id": "x", "title": "Private", "url": site.serve("/x.mp4", clip), "ext": "mp4"}

    def page(request):
        allowed = f"session={SECRET}" in request.headers.get("Cookie", "")
        body = json.dumps(told).encode() if allowed else b"Log in"
        request.send_response(200 if allowed else 403)
        request.send_header("Set-Cookie", f"renewed={SECRET}-2")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    site.routes["/private/x"] = page
    caplog.set_level(logging.DEBUG)

    said = []

    def private(**options):
        source = PrivateSite().with_site(SiteOptions(**options))
        try:
            return source.open(site.url("/private/x"), loopback)
        except FramesiftError as error:
            said.extend(traceback.format_exception(error))
            raise

    yield private
    assert SECRET not in caplog.text
    assert SECRET not in "".join(said)
    assert list(landing.iterdir()) == []


def cookie_file(tmp_path, text: str | bytes, name: str = "cookies.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


HEAD = "# Netscape HTTP Cookie File\n\n"


@pytest.mark.parametrize(
    "text",
    [
        HEAD + GOOD,
        GOOD,
        "\ufeff" + HEAD + GOOD.replace("\n", "\r\n"),
        HEAD + f"#HttpOnly_{GOOD}",
        HEAD + GOOD + "broken line with " + SECRET + "\n",
        HEAD + GOOD + f"127.0.0.1\tFALSE\t/\tFALSE\tnever\tother\t{SECRET}\n",
        HEAD + GOOD + f"127.0.0.1\tFALSE\t/\tFALSE\t0\tother\t{SECRET}\x01\n",
        HEAD + GOOD + "127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tJos\u00e9 \u65e5\n",
    ],
)
def test_a_file_of_cookies_opens_a_private_page_and_stays_as_it_is(
    private, tmp_path, text, capfd, caplog
):
    path = cookie_file(tmp_path, text)
    before = path.read_bytes()
    with private(cookies_file=path) as video:
        assert video.title == "Private"
        assert SECRET not in repr(video)
    assert path.read_bytes() == before
    assert SECRET not in "".join(capfd.readouterr())


def test_without_cookies_the_page_is_private(private):
    with pytest.raises(DownloadError):
        private()


def test_cookies_go_to_their_own_host_alone(site, private, tmp_path, clip):
    other = GOOD.replace("127.0.0.1", "example.com").replace(SECRET, "another")
    with private(cookies_file=cookie_file(tmp_path, GOOD + other)):
        pass
    assert all("another" not in str(headers) for _, headers in site.asked)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no cookie"),
        (f'[{{"name": "session", "value": "{SECRET}"}}]'.encode(), "holds no cookie"),
        (f"session={SECRET}".encode(), "holds no cookie"),
        (SECRET.encode("utf-16"), "holds no cookie"),
        (b"\xff\x00" * 50, "holds no cookie"),
    ],
)
def test_a_file_without_cookies_is_refused_without_showing_it(private, tmp_path, content, message):
    with pytest.raises(InvalidOptionError, match=message) as caught:
        private(cookies_file=cookie_file(tmp_path, content))
    assert str(tmp_path) not in str(caught.value), "it may reach who sent the address"


def test_a_file_that_cannot_be_read_is_named(private, tmp_path):
    for path in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(InvalidOptionError, match="cannot be read"):
            private(cookies_file=path)


@pytest.fixture
def firefox(tmp_path):
    """A profile of Firefox, as far as its cookies."""
    folder = tmp_path / "profile"
    folder.mkdir()
    with sqlite3.connect(folder / "cookies.sqlite") as base:
        base.execute(
            "CREATE TABLE moz_cookies (host TEXT, name TEXT, value TEXT, path TEXT,"
            " expiry INTEGER, isSecure INTEGER, originAttributes TEXT)"
        )
        row = ("127.0.0.1", "session", SECRET, "/", 2**31, 0, "")
        base.execute("INSERT INTO moz_cookies VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    base.close()
    return folder


def test_cookies_of_a_browser_open_a_private_page(private, firefox):
    with private(cookies_from_browser=f"firefox:{firefox}") as video:
        assert video.title == "Private"


def test_a_browser_that_is_not_there_is_said_plainly(private, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for browser in ("firefox", "chrome:Profile 7"):
        with pytest.raises(InvalidOptionError, match="there is no such browser or profile"):
            private(cookies_from_browser=browser)


def test_what_no_request_may_hold_is_not_shown(private, firefox):
    with sqlite3.connect(firefox / "cookies.sqlite") as base:
        base.execute("UPDATE moz_cookies SET value = ?", (f"{SECRET}\n",))
    base.close()
    with pytest.raises(DownloadError):
        private(cookies_from_browser=f"firefox:{firefox}")
