"""Whatever is given as an address, one error of ours says in one line what is wrong with it."""

import errno
import os
import socket
from pathlib import Path

import pytest

from framesift.errors import (
    DownloadError,
    ForbiddenAddressError,
    FramesiftError,
    InvalidOptionError,
    SourceError,
    StorageError,
    UnsupportedSourceError,
)
from framesift.fetching.limits import MAX_ADDRESS, FetchLimits
from framesift.sources.base import open_video
from framesift.sources.file import is_folder

LINKS = [
    "http://[::1",
    "http://[::1]:99999999/",
    "http://a.example:99999999/",
    "http://a.example:-1/",
    "http://a.example:80:80/",
    "http://ex\u00e4mple..com/",
    f"http://{'a' * 70}.com/",
    "http://.example.com/x",
    "http://a..b/",
    "http://\u2603.example/x\0y",
    "http://\ud800/",
    "http:///x",
    "http://",
    "http://a.example\\@b/",
    "http://a/" + "x" * 100_000,
    "youtube.com/\ud800",
    "www.[::1/x",
    "www.:99999999/x",
    "ftp://x/y",
    "file://[::1",
    "file://host/x",
    "synthetic://",
    "synthetic://" + "a" * 100_000,
    "synthetic://number?seed=" + "9" * 6000,
    "synthetic://number?seconds=1e9",
    "synthetic://number?seconds=nan",
    "synthetic://number?seconds=%00",
    "synthetic://number?noise=inf",
    "synthetic://number?" + "&".join(f"a{n}=1" for n in range(900)),
    "data:",
    "data:,",
    "data:" + "a" * 100_000,
    "data:;base64,",
    "data:video/mp4;base64,!!!!",
    "data:video/mp4;base64,QUJDR",
    "data:video/mp4;base64,\u00e9\u00e9\u00e9\u00e9",
    "x" * (MAX_ADDRESS + 1),
    "",
    " ",
]
PATHS = [
    "~nosuchuser/talk.mp4",
    "~\0",
    "a\0b",
    "file:///%00",
    "\ud800",
    "x" * 300,
    "x/" * 3000,
    "file:" + "x" * 5000,
    "/dev/zero",
    "/dev/null",
    ".",
    "/",
]


@pytest.mark.parametrize("address", LINKS, ids=lambda text: ascii(text)[:40])
def test_an_odd_link_is_refused_in_one_line(address):
    with pytest.raises((UnsupportedSourceError, InvalidOptionError)) as caught:
        open_video(address)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 1000


@pytest.mark.parametrize("address", PATHS, ids=lambda text: ascii(text)[:40])
def test_an_odd_path_is_refused_in_one_line(address):
    for given, limits in ((address, FetchLimits()), (Path(address), FetchLimits())):
        with pytest.raises(SourceError) as caught:
            open_video(given, limits)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 1000
    with pytest.raises(ForbiddenAddressError):
        open_video(address, FetchLimits(allow_files=False))
    assert is_folder(address) == (address in (".", "/"))


@pytest.mark.parametrize("given", [None, 5, 3.5, b"talk.mp4", ["talk.mp4"]])
def test_what_is_no_text_is_refused(given):
    with pytest.raises(UnsupportedSourceError, match="give a path or a link as text"):
        open_video(given)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("gone")
    for name in ("fifo", "socket", "loop", "dangling", ""):
        with pytest.raises(SourceError):
            open_video(str(tmp_path / name))


def test_a_file_without_the_right_to_read_it_says_so(tmp_path, clip, monkeypatch):
    path = tmp_path / "talk.mp4"
    path.write_bytes(clip)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(SourceError, match="Permission denied"):
        open_video(str(path))


@pytest.mark.parametrize("length", [250, 255])
def test_a_name_as_long_as_the_file_system_takes_opens(tmp_path, clip, length):
    path = tmp_path / ("a" * length)
    path.write_bytes(clip)
    with open_video(str(path)) as video:
        assert (video.path, video.warnings) == (path, ())


@pytest.mark.parametrize(
    "location",
    [
        "http://[::1",
        "//[",
        "http://a.example:99999999/",
        "http://ex\u00e4mple..com/",
        "x" * 20_000,
        "ftp://a.example/",
        "file:///etc/passwd",
        "data:video/mp4;base64,AAAA",
        "http://user:pw@a.example/",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_a_redirect_to_anything_is_refused_in_one_line(site, loopback, landing, location):
    def answer(page):
        page.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: ")
        page.wfile.write(location.encode("utf-8") + b"\r\nContent-Length: 0\r\n\r\n")

    site.routes["/a"] = answer
    with pytest.raises(SourceError) as caught:
        open_video(site.url("/a"), loopback)
    assert "\n" not in str(caught.value)
    assert list(landing.iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0\0",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 6000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Type: \xff\xfe;;;=\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=lambda answer: ascii(answer)[:50],
)
def test_any_answer_of_a_server_is_an_error_of_ours(site, loopback, landing, answer):
    site.routes["/a"] = lambda page: page.wfile.write(answer)
    with pytest.raises(DownloadError) as caught:
        open_video(site.url("/a"), loopback)
    assert "\n" not in str(caught.value)
    assert list(landing.iterdir()) == []


@pytest.mark.parametrize("address", ["link", "data", "synthetic"])
def test_a_full_disk_ends_in_one_line_and_leaves_nothing(
    site, clip, loopback, landing, monkeypatch, address
):
    opening = Path.open

    def full(path, mode="r", *others, **named):
        if "w" in mode:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opening(path, mode, *others, **named)

    link = site.serve("/a.mp4", clip)
    monkeypatch.setattr(Path, "open", full)
    monkeypatch.setattr("framesift.sources.synthetic.av.open", full)
    uri = {"link": link, "data": "data:video/mp4;base64,QUJD", "synthetic": "synthetic://number"}
    with pytest.raises(StorageError, match="No space left on device") as caught:
        open_video(uri[address], loopback)
    assert isinstance(caught.value, FramesiftError)
    assert list(landing.iterdir()) == []


def test_base64_may_be_escaped_as_browsers_do(clip):
    from base64 import b64encode

    body = b64encode(clip).decode().replace("+", "%2B").replace("=", "%3D")
    with open_video(f"data:video/mp4;base64,{body}") as video:
        assert video.path.read_bytes() == clip
