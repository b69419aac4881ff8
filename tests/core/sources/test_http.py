import socket
import stat
import threading
import time
from dataclasses import replace
from itertools import chain, repeat

import av
import pytest

from framesift.errors import DownloadError, ForbiddenAddressError, VideoTooLargeError
from framesift.fetching.connections import Allowance
from framesift.fetching.limits import FetchLimits
from framesift.sources.http import Http

PAGE = b"<!doctype html><html><body>" + b"words " * 200 + b"</body></html>"


def opened(uri, limits):
    return Http().open(uri, limits)


def test_brings_the_same_bytes_into_a_private_folder(site, clip, loopback, landing):
    uri = site.serve("/talk.mp4", clip)
    with opened(f"{uri}?token=abc", loopback) as video:
        assert video.path.read_bytes() == clip
        assert video.uri == f"{uri}?token=..."
        assert stat.S_IMODE(video.temporary_folder.stat().st_mode) == 0o700
        assert [video.temporary_folder] == list(landing.iterdir())
    assert list(landing.iterdir()) == []
    _, headers = site.asked[0]
    assert headers["Host"] == f"127.0.0.1:{site.port}"
    assert headers["Accept-Encoding"] == "identity"


def test_text_only_downloads_nothing(site, clip, loopback, landing):
    video = Http().open(site.serve("/talk.mp4", clip), loopback, text_only=True)
    assert video.path is None
    assert site.asked == []
    assert list(landing.iterdir()) == []


def test_follows_redirects_up_to_the_limit(site, clip, loopback):
    site.serve("/end.mp4", clip)
    for hop in range(3):
        site.serve(f"/{hop}", b"", status=302, Location=f"/{hop + 1}" if hop < 2 else "end.mp4")
    with opened(site.url("/0"), replace(loopback, max_redirects=3)) as video:
        assert video.path.read_bytes() == clip
    with pytest.raises(DownloadError, match="max_redirects=2"):
        opened(site.url("/0"), replace(loopback, max_redirects=2))


def test_a_redirect_loop_ends(site, loopback, landing):
    uri = site.serve("/loop", b"", status=301, Location="/loop")
    with pytest.raises(DownloadError, match="max_redirects=5"):
        opened(uri, loopback)
    assert len(site.asked) == 6
    assert list(landing.iterdir()) == []


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://metadata.google.internal/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
        "file:///etc/passwd",
        "ftp://example.com/a.mp4",
        "http://user:pw@127.0.0.1/",
    ],
)
def test_redirects_out_of_bounds_are_refused(site, loopback, landing, target):
    uri = site.serve("/talk.mp4", b"", status=302, Location=target)
    with pytest.raises(ForbiddenAddressError):
        opened(uri, loopback)
    assert list(landing.iterdir()) == []


def resolve(monkeypatch, host, *answers):
    """Lets `host` resolve to one of `answers` after another; returns the look-ups made."""
    real, asked = socket.getaddrinfo, []

    def lookup(name, port, *args, **options):
        if name != host:
            return real(name, port, *args, **options)
        asked.append(name)
        address = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254"])
def test_names_that_lead_inside_are_refused(monkeypatch, site, address):
    resolve(monkeypatch, "rebind.example", address)
    limits = FetchLimits(ports=(site.port,))
    with pytest.raises(ForbiddenAddressError, match=r"rebind\.example"):
        opened(site.url("/talk.mp4", "rebind.example"), limits)
    assert site.asked == []


def test_a_redirect_to_a_private_name_is_refused(monkeypatch, site, clip):
    """The first host counts as public here; the second one is judged anew."""
    import framesift.fetching.addresses as addresses

    judged = addresses.is_public
    monkeypatch.setattr(addresses, "is_public", lambda ip: ip == "127.0.0.1" or judged(ip))
    resolve(monkeypatch, "inside.example", "192.168.0.9")
    inside = site.url("/secret", "inside.example")
    uri = site.serve("/talk.mp4", b"", status=302, Location=inside)
    with pytest.raises(ForbiddenAddressError, match=r"inside\.example"):
        opened(uri, FetchLimits(ports=(site.port,)))


def test_the_judged_address_is_the_one_connected_to(monkeypatch, site, clip, loopback):
    asked = resolve(monkeypatch, "rebind.example", "127.0.0.1", "169.254.169.254")
    site.serve("/talk.mp4", clip)
    with opened(site.url("/talk.mp4", "rebind.example"), loopback) as video:
        assert video.path.read_bytes() == clip
    assert len(asked) == 1
    assert site.asked[0][1]["Host"] == f"rebind.example:{site.port}"


def test_tls_asks_for_the_name_while_connecting_to_the_address(monkeypatch, loopback):
    resolve(monkeypatch, "video.example", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        hello = []

        def accept():
            with server.accept()[0] as connection:
                hello.append(connection.recv(4096))

        thread = threading.Thread(target=accept)
        thread.start()
        with pytest.raises(DownloadError):
            opened(f"https://video.example:{server.getsockname()[1]}/a.mp4", loopback)
        thread.join()
    assert b"video.example" in hello[0]


def test_proxies_of_the_environment_are_ignored(monkeypatch, site, clip, loopback):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with opened(site.serve("/talk.mp4", clip), loopback) as video:
        assert video.path.read_bytes() == clip


@pytest.mark.parametrize("length", [True, False])
def test_the_byte_cap_holds_with_and_without_a_length(site, clip, loopback, landing, length):
    uri = site.serve("/talk.mp4", clip, length=length)
    with opened(uri, replace(loopback, max_bytes=len(clip))) as video:
        assert video.path.read_bytes() == clip
    with pytest.raises(VideoTooLargeError, match=f"max_bytes={len(clip) - 1}"):
        opened(uri, replace(loopback, max_bytes=len(clip) - 1))
    assert list(landing.iterdir()) == []


def test_a_body_without_end_is_cut_at_the_cap(site, clip, loopback, landing):
    def endless(page):
        page.send_response(200)
        page.end_headers()
        page.wfile.write(clip)
        while True:
            page.wfile.write(bytes(65536))

    site.routes["/endless"] = endless
    with pytest.raises(VideoTooLargeError):
        opened(site.url("/endless"), replace(loopback, max_bytes=10**6))
    assert list(landing.iterdir()) == []


def trickle(head, pause_seconds):
    def answer(page):
        page.send_response(200)
        page.end_headers()
        page.wfile.write(head)
        while True:
            time.sleep(pause_seconds)
            page.wfile.write(b"\0")

    return answer


def test_a_silent_server_is_left_after_the_idle_time(site, loopback, landing):
    site.routes["/slow"] = trickle(b"", 60)
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"idle_seconds=0\.2"):
        opened(site.url("/slow"), replace(loopback, idle_seconds=0.2))
    assert time.monotonic() - started < 30
    assert list(landing.iterdir()) == []


def test_a_byte_at_a_time_ends_with_the_total_time(site, clip, loopback, landing):
    site.routes["/drip"] = trickle(clip[:10], 0.05)
    started = time.monotonic()
    with pytest.raises(DownloadError, match=r"total_seconds=0\.5"):
        opened(site.url("/drip"), replace(loopback, total_seconds=0.5))
    assert time.monotonic() - started < 30
    assert list(landing.iterdir()) == []


def test_dripping_headers_end_with_the_total_time(site, loopback):
    def headers(page):
        page.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            time.sleep(0.05)
            page.wfile.write(b"a")

    site.routes["/headers"] = headers
    with pytest.raises(DownloadError, match=r"total_seconds=0\.4"):
        opened(site.url("/headers"), replace(loopback, total_seconds=0.4))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (PAGE, "text/html"),
        (b'{"error": "no"}', "text/html"),
        (b"", "an empty body"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "text/html"),
        (bytes(range(256)) * 8, "no known video container"),
        (b"\x89PNG\r\n\x1a\n" + bytes(600), "no known video container"),
    ],
)
def test_what_is_not_a_video_is_refused(site, loopback, landing, body, kind):
    uri = site.serve("/talk.mp4", body, Content_Type="text/html")
    with pytest.raises(DownloadError, match=f"is not a video \\({kind}\\)"):
        opened(uri, loopback)
    assert list(landing.iterdir()) == []


def test_a_page_is_left_after_its_first_bytes(site, loopback):
    sent = []

    def endless(page):
        page.send_response(200)
        page.end_headers()
        while True:
            page.wfile.write(PAGE)
            sent.append(len(PAGE))

    site.routes["/page"] = endless
    with pytest.raises(DownloadError, match="not a video"):
        opened(site.url("/page"), loopback)
    time.sleep(0.1)
    assert sum(sent) < 30_000_000


def test_a_sound_file_is_refused(site, loopback, landing, sound):
    with pytest.raises(DownloadError, match="no video stream"):
        opened(site.serve("/song.mp4", sound), loopback)
    assert list(landing.iterdir()) == []


@pytest.mark.parametrize("status", [204, 206, 401, 404, 500])
def test_other_statuses_are_named(site, clip, loopback, landing, status):
    uri = site.serve("/talk.mp4", b"" if status == 204 else clip, status=status)
    with pytest.raises(DownloadError, match=f"status {status}"):
        opened(uri, loopback)
    assert list(landing.iterdir()) == []


def test_encoded_bodies_are_refused(site, clip, loopback):
    with pytest.raises(DownloadError, match="'gzip'"):
        opened(site.serve("/talk.mp4", clip, Content_Encoding="gzip"), loopback)


def test_a_body_that_breaks_off_is_an_error(site, clip, loopback, landing):
    def short(page):
        page.send_response(200)
        page.send_header("Content-Length", str(len(clip) + 10))
        page.end_headers()
        page.wfile.write(clip)

    site.routes["/short"] = short
    with pytest.raises(DownloadError, match="broke off"):
        opened(site.url("/short"), loopback)
    assert list(landing.iterdir()) == []


def test_a_closed_port_is_an_error(loopback):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DownloadError, match="broke off"):
        opened(f"http://127.0.0.1:{port}/a.mp4", loopback)


def test_an_interrupt_leaves_no_folder(monkeypatch, site, clip, loopback, landing):
    def interrupt(*_):
        assert list(landing.iterdir()), "the interrupt must come while the folder is there"
        raise KeyboardInterrupt

    monkeypatch.setattr("framesift.sources.http.landed", interrupt)
    with pytest.raises(KeyboardInterrupt):
        opened(site.serve("/talk.mp4", clip), loopback)
    assert list(landing.iterdir()) == []


def test_a_playlist_is_no_video_so_the_probe_opens_nothing_else(
    site, clip, loopback, landing, tmp_path
):
    playlist = b"ffconcat version 1.0\nfile secret.mp4\n#\x01\n"
    (tmp_path / "secret.mp4").write_bytes(clip)
    (tmp_path / "video").write_bytes(playlist)
    with av.open(str(tmp_path / "video")) as found:
        assert found.streams.video, "without the whitelist the playlist opens the other file"
    uri = site.serve("/video", playlist)
    serve = site.routes["/video"]

    def answer(page):
        (folder,) = landing.iterdir()
        (folder / "secret.mp4").write_bytes(clip)
        serve(page)

    site.routes["/video"] = answer
    with pytest.raises(DownloadError, match=r"not a video \(no known video container\)"):
        opened(uri, loopback)


def test_the_clock_is_read_once_so_that_a_wait_is_never_negative(monkeypatch):
    ticks = chain([0.0, 0.9, 1.1], repeat(1.2))
    monkeypatch.setattr("time.monotonic", lambda: next(ticks))
    allowance = Allowance(limits=FetchLimits(total_seconds=1.0))
    assert allowance.wait_seconds() == pytest.approx(0.1)
    with pytest.raises(DownloadError, match="total_seconds=1"):
        allowance.wait_seconds()
