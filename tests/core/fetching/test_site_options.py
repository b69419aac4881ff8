import dataclasses
from pathlib import Path

import pytest

import framesift
from framesift import FetchLimits, SiteOptions
from framesift.errors import ForbiddenAddressError, InvalidOptionError
from framesift.fetching.site_options import BROWSERS, browser_parts
from framesift.serving import CompressionFields


def test_nobody_logs_in_and_english_is_taken_unless_somebody_says_so():
    site = SiteOptions()
    assert (site.language, site.max_height_px) == (("en",), 720)
    assert (site.cookies_file, site.cookies_from_browser) == (None, None)
    assert not site.has_cookies


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("de", ("de",)),
        ("de,en", ("de", "en")),
        (" de , pt-BR", ("de", "pt-BR")),
        (["de", "en"], ("de", "en")),
        (("zh-Hant",), ("zh-Hant",)),
    ],
)
def test_languages_are_given_as_text_or_as_a_sequence(given, taken):
    assert SiteOptions(language=given).language == taken


@pytest.mark.parametrize("given", ["", ",", "d e", (), ("",), 5, None, "../x", ("en",) * 17])
def test_what_is_no_language_is_refused_in_one_line(given):
    with pytest.raises(InvalidOptionError, match="language=") as caught:
        SiteOptions(language=given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [0, -1, 1.5, "high", None])
def test_a_height_is_a_whole_number(given):
    with pytest.raises(InvalidOptionError, match="max_height_px="):
        SiteOptions(max_height_px=given)


def test_a_file_of_cookies_is_a_path_in_the_home_folder_too(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert SiteOptions(cookies_file="~/c.txt").cookies_file == Path("/home/somebody/c.txt")
    with pytest.raises(InvalidOptionError, match="cookies_file="):
        SiteOptions(cookies_file="")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("firefox", ("firefox", None, None, None)),
        ("Chrome:Profile 1", ("chrome", "Profile 1", None, None)),
        ("chrome+gnomekeyring:Work", ("chrome", "Work", "GNOMEKEYRING", None)),
        ("firefox::Work", ("firefox", None, None, "Work")),
        ("firefox:default::Work", ("firefox", "default", None, "Work")),
    ],
)
def test_browsers_are_spelled_as_yt_dlp_does(text, parts):
    assert browser_parts(text) == parts
    assert SiteOptions(cookies_from_browser=text).has_cookies


@pytest.mark.parametrize("text", ["", "lynx", ":Profile", "+kwallet"])
def test_another_browser_is_refused_with_those_that_are_known(text):
    with pytest.raises(InvalidOptionError, match="one of: brave, chrome"):
        SiteOptions(cookies_from_browser=text)


def test_the_browsers_are_those_of_yt_dlp():
    cookies = pytest.importorskip("yt_dlp.cookies")
    assert set(BROWSERS) == cookies.SUPPORTED_BROWSERS


@pytest.mark.parametrize(
    "site", [SiteOptions(cookies_file="c.txt"), SiteOptions(cookies_from_browser="firefox")]
)
def test_a_login_is_not_lent_to_strangers_unless_the_operator_says_so(site):
    strangers = FetchLimits.untrusted()
    for refused in (
        lambda: framesift.open_video("https://youtu.be/x", strangers, site=site),
        lambda: framesift.list_videos("https://youtu.be/x", strangers, site=site),
        lambda: framesift.VideoCompressor(limits=strangers, site=site),
        lambda: framesift.VideoCompressor(limits=FetchLimits(allow_files=False), site=site),
        lambda: CompressionFields(site=site),
    ):
        with pytest.raises(ForbiddenAddressError, match="allow_cookies=True") as caught:
            refused()
        assert "c.txt" not in str(caught.value), "strangers read this"
    allowed = FetchLimits.untrusted(allow_cookies=True)
    assert framesift.VideoCompressor(limits=allowed, site=site).site is site


def test_surfaces_hand_the_options_to_their_compressor():
    site = SiteOptions(language="de", max_height_px=480)
    fields = CompressionFields(site=site)
    assert framesift.VideoCompressor(**fields.compressor_options).site == site
    written = {"language": ["de"], "max_height_px": 480}
    assert CompressionFields(site=written).site == site
    assert dataclasses.replace(site, language="en").language == ("en",)
