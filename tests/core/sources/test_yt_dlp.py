import errno
import gc
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from framesift.errors import (
    DownloadError,
    ForbiddenAddressError,
    StorageError,
    UnsupportedSourceError,
    VideoTooLargeError,
)
from framesift.fetching.limits import FetchLimits
from framesift.fetching.site_options import SiteOptions
from framesift.sources.yt_dlp import YtDlp
from framesift.types.video import TimedText

yt_dlp = pytest.importorskip("yt_dlp")

# yt-dlp leaves the file it writes to the garbage collector when a download is ended.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class ExampleIE(yt_dlp.extractor.common.InfoExtractor):
    """Answers the pages of the loopback site with the info that a test gives."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/page/(?P<id>[\w-]+)"
    info: Any = None

    def _real_extract(self, url):
        told = self.info(self, url) if callable(self.info) else self.info
        return {"id": self._match_id(url), "title": "A talk", **told}


@dataclass(frozen=True, kw_only=True)
class ExampleSite(YtDlp):
    """The source under test, with one more extractor."""

    info: Any = None

    def session(self, client, folder):
        session = super().session(client, folder)
        extractor = ExampleIE()
        extractor.info = self.info
        session.add_info_extractor(extractor)
        return session


@pytest.fixture
def watch(site, loopback, landing):
    """Opens a page whose extractor tells `info`; nothing may stay behind but what is returned."""

    def watch(info, *, text_only=False, limits=None, **options):
        source = ExampleSite(info=info).with_site(SiteOptions(**options))
        return source.open(site.url("/page/live-drm"), limits or loopback, text_only=text_only)

    yield watch
    gc.collect()
    assert list(landing.iterdir()) == []


def formats(site, clip, **more):
    return {"url": site.serve("/talk.mp4", clip), "ext": "mp4", **more}


def test_brings_video_title_chapters_and_duration(site, clip, watch):
    chapters = [{"start_time": 0, "end_time": 1, "title": "Start"}]
    with watch(formats(site, clip, duration=1, chapters=chapters)) as video:
        assert video.path.read_bytes() == clip
        assert video.path.parent == video.temporary_folder
        assert (video.title, video.duration_seconds) == ("A talk", 1)
        start = TimedText(start_seconds=0, end_seconds=1, text="Start")
        assert video.chapters == (start,)
        assert video.subtitles == ()


def test_the_picture_track_below_the_height_is_chosen(site, clip, watch):
    def track(name, **more):
        return {"format_id": name, "url": site.serve(f"/{name}.mp4", clip), "ext": "mp4", **more}

    pictures = {"vcodec": "h264", "acodec": "none"}
    offered = [
        track("sound", vcodec="none", acodec="aac"),
        track("small", height=360, **pictures),
        track("fitting", height=720, **pictures),
        track("huge", height=2160, **pictures),
        track("ffmpeg-only", height=700, protocol="rtmp", **pictures),
    ]
    with watch({"formats": offered}):
        assert [path for path, _ in site.asked] == ["/fitting.mp4"]
    with watch({"formats": offered}, max_height_px=400):
        assert site.asked[-1][0] == "/small.mp4"


def test_formats_that_need_another_program_are_not_taken(watch):
    with pytest.raises(DownloadError, match="no plain video stream"):
        watch({"url": "rtmp://127.0.0.1/live", "ext": "flv"})


def test_fragments_are_fetched_through_the_session(site, clip, watch):
    half = len(clip) // 2
    manifest = "#EXTM3U\n#EXTINF:1,\n/a.ts\n#EXTINF:1,\n/b.ts\n#EXT-X-ENDLIST\n"
    uri = site.serve("/list.m3u8", manifest.encode())
    site.serve("/a.ts", clip[:half])
    site.serve("/b.ts", clip[half:])
    with watch({"url": uri, "ext": "mp4", "protocol": "m3u8_native"}) as video:
        assert video.path.read_bytes() == clip


def test_fragments_count_together(site, clip, watch, loopback):
    manifest = "#EXTM3U\n" + "#EXTINF:1,\n/a.ts\n" * 4 + "#EXT-X-ENDLIST\n"
    uri = site.serve("/list.m3u8", manifest.encode())
    site.serve("/a.ts", clip)
    limits = replace(loopback, max_bytes=3 * len(clip))
    with pytest.raises(VideoTooLargeError):
        watch({"url": uri, "ext": "mp4", "protocol": "m3u8_native"}, limits=limits)


@pytest.mark.parametrize("length", [True, False])
def test_the_byte_cap_holds_with_and_without_a_length(site, clip, watch, loopback, length):
    uri = site.serve("/talk.mp4", clip, length=length)
    limits = replace(loopback, max_bytes=len(clip) - 1)
    with pytest.raises(VideoTooLargeError, match=f"max_bytes={len(clip) - 1}"):
        watch({"url": uri, "ext": "mp4"}, limits=limits)


def test_a_slow_download_ends_with_the_total_time(site, watch, loopback):
    def drip(page):
        page.send_response(200)
        page.end_headers()
        while True:
            page.wfile.write(b"\0")
            page.wfile.flush()

    site.routes["/talk.mp4"] = drip
    limits = replace(loopback, total_seconds=0.5, max_bytes=10**9)
    with pytest.raises(DownloadError, match=r"total_seconds=0\.5"):
        watch({"url": site.url("/talk.mp4"), "ext": "mp4"}, limits=limits)


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        ({"is_live": True}, DownloadError, "live or upcoming"),
        ({"live_status": "is_upcoming"}, DownloadError, "live or upcoming"),
        ({"live_status": "post_live"}, DownloadError, "live or upcoming"),
        ({"duration": 5 * 3600}, VideoTooLargeError, "lasts 18000 s"),
        ({"filesize": 3 * 1024**3}, VideoTooLargeError, "3221225472 bytes"),
    ],
)
def test_what_the_page_tells_is_judged_before_the_download(site, clip, watch, told, error, message):
    with pytest.raises(error, match=message):
        watch(formats(site, clip, **told))
    assert site.asked == []


def test_what_is_not_a_video_is_refused(site, watch):
    with pytest.raises(DownloadError, match="not a video"):
        watch(formats(site, b"<html>no video</html>"))


def several(count, uri):
    def info(extractor, _):
        entries = [{"id": str(n), "title": "Part", "url": uri, "ext": "mp4"} for n in range(count)]
        return extractor.playlist_result(entries, "list", "All parts")

    return info


def test_a_playlist_is_refused(site, clip, watch):
    with pytest.raises(UnsupportedSourceError, match="several videos"):
        watch(several(3, site.serve("/talk.mp4", clip)))
    assert site.asked == []


def test_a_playlist_of_one_is_that_video(site, clip, watch):
    with watch(several(1, site.serve("/talk.mp4", clip))) as video:
        assert (video.title, video.path.read_bytes()) == ("Part", clip)


VTT = b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"
HELLO = (TimedText(start_seconds=0.0, end_seconds=1.0, text="Hello"),)


def test_text_only_reads_captions_and_downloads_no_video(site, clip, watch):
    tracks = {
        "en": [{"ext": "ttml", "url": "http://127.0.0.1:9/"}, {"url": site.serve("/en.vtt", VTT)}]
    }
    video = watch(formats(site, clip, subtitles=tracks, duration=1), text_only=True)
    assert (video.path, video.title, video.subtitles) == (None, "A talk", HELLO)
    assert [path for path, _ in site.asked] == ["/en.vtt"]


def track(site, text, ext="json3"):
    event = {"tStartMs": 0, "dDurationMs": 1000, "segs": [{"utf8": text}]}
    return [{"ext": ext, "url": site.serve(f"/{text}", json.dumps({"events": [event]}).encode())}]


@pytest.mark.parametrize(
    ("people", "machine", "language", "text"),
    [
        (["en", "de"], ["en"], "en", "people-en"),
        (["en-GB", "de"], ["en"], "en", "people-en-GB"),
        (["de"], ["en", "en-orig"], "en", "machine-en"),
        (["de"], ["en"], "de", "people-de"),
        (["en", "de-x"], [], "de", "people-de-x"),
        (["eng"], ["live_chat"], "en", "people-eng"),
        (["fr"], [], "en", "people-fr"),
        ([], [], "en", None),
    ],
)
def test_subtitles_by_people_in_the_language_come_first(
    site, clip, watch, people, machine, language, text
):
    told = {
        "subtitles": {name: track(site, f"people-{name}") for name in people},
        "automatic_captions": {name: track(site, f"machine-{name}") for name in machine},
    }
    video = watch(formats(site, clip, **told), text_only=True, language=language)
    assert [cue.text for cue in video.subtitles] == ([text] if text else [])


def test_lost_captions_warn_beside_a_video_and_fail_alone(site, clip, watch):
    told = formats(site, clip, subtitles={"en": [{"url": site.serve("/en.vtt", b"", status=404)}]})
    with watch(told) as video:
        assert video.subtitles == ()
        assert "left out" in video.warnings[0]
    with pytest.raises(DownloadError, match="subtitles could not be read"):
        watch(told, text_only=True)


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/a.mp4", "http://metadata.google.internal/", "http://[fe80::1]/"],
)
def test_yt_dlp_reaches_no_forbidden_address(site, clip, watch, target):
    redirect = site.serve("/moved.mp4", b"", status=302, Location=target)
    for uri in (target, redirect):
        with pytest.raises(ForbiddenAddressError):
            watch({"url": uri, "ext": "mp4"})

    def page(extractor, _):
        extractor._download_webpage(redirect, "live-drm", fatal=False)
        return formats(site, clip)

    with pytest.raises(ForbiddenAddressError):
        watch(page)
    with pytest.raises(ForbiddenAddressError):
        watch(
            formats(site, clip, subtitles={"en": [{"url": target, "ext": "vtt"}]}), text_only=True
        )


def test_a_private_page_is_refused_without_permission(site, clip, watch):
    def page(extractor, url):
        extractor._download_webpage(url, "live-drm")

    with pytest.raises(ForbiddenAddressError):
        watch(page, limits=FetchLimits(ports=(site.port,)))
    assert site.asked == []


def test_an_extractor_can_post_and_keeps_cookies(site, clip, watch):
    def api(page):
        length = int(page.headers["Content-Length"])
        assert page.rfile.read(length) == b"q=1"
        page.send_response(200)
        page.send_header("Set-Cookie", "key=42")
        page.send_header("Content-Length", "2")
        page.end_headers()
        page.wfile.write(b"ok")

    def page(extractor, _):
        assert extractor._download_webpage(site.url("/api"), None, data=b"q=1") == "ok"
        extractor._download_webpage(site.serve("/next", b"x", X_A="b"), None, headers={"X-A": "c"})
        return formats(site, clip)

    site.routes["/api"] = api
    watch(page, text_only=True)
    _, headers = site.asked[-1]
    assert headers["Cookie"] == "key=42"
    assert headers["X-A"] == "c"
    assert headers["Accept-Encoding"] == "identity"


def test_a_page_that_is_gone_says_so(site, watch):
    site.serve("/page/live-drm", b"gone", status=404)
    with pytest.raises(DownloadError, match="unavailable or removed"):
        watch(lambda extractor, url: {"title": extractor._download_webpage(url, "live-drm")})


def test_an_interrupt_leaves_no_folder(watch, landing):
    def interrupt(*_):
        assert list(landing.iterdir())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(interrupt)


ODD = [None, "x", -1, float("nan"), float("inf"), 10**400, True, [], {}, [None], {"en": None}]


@pytest.mark.parametrize("field", ["title", "duration", "chapters", "subtitles", "start_time"])
@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:20])
def test_a_page_that_says_odd_things_still_brings_its_video(site, clip, watch, field, value):
    def info(*_):
        return formats(site, clip) | {field: value}

    try:
        video = watch(info)
    except DownloadError:
        return  # yt-dlp itself gives this page up
    with video:
        assert video.path.read_bytes() == clip
        assert video.duration_seconds is None or video.duration_seconds >= 0
        assert video.chapters == ()
        assert video.part_seconds is None


ODD_CHAPTERS = [None, 1, {}, {"start_time": "x"}, {"start_time": 5, "end_time": 3}]
ODD_TRACKS = [None, 1, {"ext": "vtt"}, {"ext": ["vtt"], "url": "x"}, {"ext": "srt", "url": 5}]


def test_what_is_said_is_read_alone(described):
    good = {"start_time": 0, "end_time": 2, "title": 7}
    video = described({"chapters": [*ODD_CHAPTERS, good], "title": ["x"], "duration": "9"})
    assert video.chapters == (TimedText(start_seconds=0.0, end_seconds=2.0, text="7"),)
    assert (video.title, video.duration_seconds) == (None, None)
    assert described({"title": "two\nlines"}).title == "two lines"
    assert described({"subtitles": {"en": ODD_TRACKS, 5: []}}).subtitles == ()
    assert described({"subtitles": [1], "automatic_captions": {"en": 5}}).subtitles == ()


def test_a_clip_is_the_part_of_its_video(site, clip, watch):
    told = formats(site, clip, duration=60, section_start=0.2, section_end=0.6)
    with watch(told) as video:
        assert video.path.read_bytes() == clip
        assert video.part_seconds == (0.2, 0.6)
        assert video.duration_seconds is None, "that of the clip is not that of the video"


def test_a_page_that_begins_later_means_that_part(site, clip, watch):
    with watch(formats(site, clip, start_time=0.4)) as video:
        assert video.part_seconds == (0.4, float("inf"))


def test_subtitles_do_not_make_a_video_longer(site, clip, watch):
    text = b"WEBVTT\n\n00:00.000 --> 90:00:00.000\nHello\n\n80:00:00.000 --> 80:00:01.000\nLater\n"
    tracks = {"en": [{"url": site.serve("/en.vtt", text), "ext": "vtt"}]}
    with watch(formats(site, clip, subtitles=tracks, duration=1)) as video:
        assert video.subtitles == HELLO
    with watch(formats(site, clip, subtitles=tracks)) as video:
        assert [cue.end_seconds for cue in video.subtitles] == [FetchLimits().max_duration_seconds]


def test_a_bad_subtitle_file_costs_a_warning(site, clip, watch):
    for number, body in enumerate((b'{"events": [[[', b"[]", b"\xff\xfe\0", b"x" * 100)):
        url = site.serve(f"/{number}.json3", body)
        tracks = {"en": [{"url": url, "ext": "json3"}]}
        with watch(formats(site, clip, subtitles=tracks)) as video:
            assert video.subtitles == ()
            assert "left out" in video.warnings[0]


def test_a_full_disk_is_no_fault_of_the_site(site, clip, watch, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("yt_dlp.downloader.common.FileDownloader.sanitize_open", full)
    with pytest.raises(StorageError, match="No space left"):
        watch(formats(site, clip))
