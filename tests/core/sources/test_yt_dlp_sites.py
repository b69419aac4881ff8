import sys

import pytest

from framesift.errors import DownloadError, MissingDependencyError, UnsupportedSourceError
from framesift.sources.base import open_video
from framesift.sources.sites import EXTRACTORS, allowed_extractors
from framesift.sources.yt_dlp import YtDlp

yt_dlp = pytest.importorskip("yt_dlp")

PAGES = [
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&list=PL0123456789",
    "https://youtu.be/dQw4w9WgXcQ?t=42",
    "https://m.youtube.com/shorts/dQw4w9WgXcQ",
    "https://www.loom.com/share/43d05f362f734614a2e81b4694a3a523",
    "https://vimeo.com/76979871",
    "https://player.vimeo.com/video/76979871",
    "https://www.dailymotion.com/video/x2iuewm",
    "https://www.ted.com/talks/candace_parker_how_to_break_down_barriers",
    "https://www.twitch.tv/videos/6528877",
    "https://clips.twitch.tv/FaintLightGullWholeWheat",
    "https://www.facebook.com/watch/?v=647537299265662",
    "https://x.com/freethenipple/status/643211948184596480",
    "https://www.tiktok.com/@leenabhushan/video/6748451240264420610",
    "https://www.reddit.com/r/videos/comments/6rrwyj/that_small_heart_attack/",
    "https://instagram.com/p/aye83DjauH/",
    "https://www.bilibili.com/video/BV13x41117TL",
    "https://archive.org/details/XD300-23_68HighlightsAResearchCntAugHumanIntellect",
    "https://fast.wistia.net/embed/iframe/sh7fpupwlt",
    "https://streamable.com/dnd1",
    "https://rumble.com/embed/v5pv5f",
    "https://media.ccc.de/v/30C3_-_5443_-_en_-_saal_g_-_201312281830_-_introduction",
    "https://drive.google.com/file/d/0ByeS4oOUV-49Zzh4R1J6R09zazQ/edit",
    "https://www.dropbox.com/s/nelirfsxnmcfbfh/youtube-dl%20test%20video.mp4?dl=0",
    "https://us02web.zoom.us/rec/play/hello-world.abc",
]
NO_PAGES = [
    "https://example.com/watch?v=dQw4w9WgXcQ",
    "https://notyoutube.com/watch?v=dQw4w9WgXcQ",
    "https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
    "https://archive.org/download/item/film.mp4",
    "ftp://youtube.com/watch?v=dQw4w9WgXcQ",
    "youtube.com/watch",
    "http://[youtube.com/",
    "talk.mp4",
]


@pytest.mark.parametrize("uri", PAGES)
def test_pages_of_listed_sites_match_and_suit_an_allowed_extractor(uri):
    assert YtDlp().matches(uri)
    allowed = {name.replace("\\", "") for name in allowed_extractors()}
    suitable = (ie for ie in yt_dlp.extractor.gen_extractor_classes() if ie.suitable(uri))
    first = next(suitable).IE_NAME.lower()
    assert first in allowed


@pytest.mark.parametrize("uri", NO_PAGES)
def test_other_links_do_not_match(uri):
    assert not YtDlp().matches(uri)


def test_every_listed_extractor_exists_and_none_is_generic():
    known = {ie.IE_NAME.lower() for ie in yt_dlp.extractor.gen_extractor_classes()}
    named = {name for names in EXTRACTORS.values() for name in names}
    assert named <= known - {"generic"}


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Sign in to confirm you're not a bot. Use --cookies", "for a bot"),
        ("The uploader has not made this available in your country", "country"),
        ("This live event will begin in 3 days", "live or upcoming"),
        ("This video is DRM protected", "DRM"),
        ("Private video. Sign in if you've been granted access", "needs a login"),
        ("This video is password-protected", "needs a login"),
        ("Video unavailable", "unavailable or removed"),
        (
            "Unable to extract data; please report this issue on",
            "live-drm: Unable to extract data'",
        ),
    ],
)
def test_errors_of_yt_dlp_become_one_clear_line(described, message, told):
    cause = yt_dlp.utils.ExtractorError(message, expected=True, video_id="live-drm", ie="Example")
    error = yt_dlp.utils.DownloadError(f"ERROR: {cause}\nmore", (type(cause), cause, None))
    with pytest.raises(DownloadError) as plain:
        described(error, "https://a.example/private")
    assert told in str(plain.value)
    assert "\n" not in str(plain.value)
    assert "'https://a.example/private'" in str(plain.value)


def test_geo_blocks_and_silent_channels_are_named(described):
    geo = yt_dlp.utils.GeoRestrictedError("no", countries=["DE"])
    wrapped = yt_dlp.utils.DownloadError("ERROR: no", (type(geo), geo, None))
    with pytest.raises(DownloadError, match="in this country"):
        described(wrapped)
    with pytest.raises(DownloadError, match="live or upcoming"):
        described(yt_dlp.utils.UserNotLive())


def test_without_yt_dlp_a_page_names_the_extra(monkeypatch, landing):
    monkeypatch.setitem(sys.modules, "yt_dlp", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'framesift\[url\]'"):
        open_video("https://youtu.be/dQw4w9WgXcQ")
    assert list(landing.iterdir()) == []


def test_a_page_that_no_extractor_reads_is_unsupported(loopback, landing):
    with pytest.raises(UnsupportedSourceError, match="not the page of a video"):
        YtDlp().open("https://vimeo.com/about/us/now/page", loopback)
    assert list(landing.iterdir()) == []
