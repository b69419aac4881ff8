"""Times in links, and links without their scheme."""

import math

import pytest

from framesift.errors import ForbiddenAddressError, InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.sources import base
from framesift.sources.base import open_video
from framesift.sources.file import File
from framesift.sources.link_times import seconds_of, split_part
from framesift.sources.sites import split_start, with_scheme
from framesift.types.answer import Segment
from framesift.types.moment_links import STARTS
from framesift.types.video import LocalVideo

END = math.inf
PAGE = "https://www.youtube.com/watch?v=x"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("1m30s", 90),
        ("1m30", 90),
        ("1h2m3s", 3723),
        ("1H", 3600),
        ("2m", 120),
        ("12.5s", 12.5),
        ("1:30", 90),
        ("01:02:03.5", 3723.5),
        ("0", 0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1s30m", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("٣", None),
        ("1" * 400, None),
    ],
)
def test_seconds_are_read_as_sites_write_them(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("link", "bare", "part"),
    [
        (f"{PAGE}&t=90", PAGE, (90, END)),
        (f"{PAGE}&t=1m30s&list=a", f"{PAGE}&list=a", (90, END)),
        ("https://www.youtube.com/watch?t=90&v=x", PAGE, (90, END)),
        (f"{PAGE}&start=90", PAGE, (90, END)),
        (f"{PAGE}&start=5&t=90", PAGE, (90, END)),
        ("https://youtu.be/x?t=90", "https://youtu.be/x", (90, END)),
        ("https://youtu.be/x?si=abc&t=90s", "https://youtu.be/x?si=abc", (90, END)),
        ("https://m.youtube.com/embed/x?start=9&end=12", "https://m.youtube.com/embed/x", (9, 12)),
        ("https://www.youtube-nocookie.com/embed/x?end=12", None, (0, 12)),
        ("https://www.loom.com/share/x?t=30", "https://www.loom.com/share/x", (30, END)),
        ("https://www.dailymotion.com/video/x?start=30", None, (30, END)),
        ("https://www.twitch.tv/videos/1?t=1h2m3s", None, (3723, END)),
        ("https://fast.wistia.com/medias/x?wtime=1m30s", None, (90, END)),
        ("https://archive.org/details/x?start=30&end=60", None, (30, 60)),
        (f"{PAGE}&t=0", PAGE, None),
        (f"{PAGE}&t=soon", f"{PAGE}&t=soon", None),
        (f"{PAGE}&start=9&end=5", PAGE, None),
        ("https://x.com/a/status/1?t=90&s=20", "https://x.com/a/status/1?t=90&s=20", None),
        ("https://a.example/v.mp4?t=90", "https://a.example/v.mp4?t=90", None),
    ],
)
def test_a_link_means_the_part_that_its_site_plays(link, bare, part):
    found, meant = split_start(link)
    assert meant == part
    assert found == (bare or link.partition("?")[0])


@pytest.mark.parametrize("site", STARTS)
def test_every_site_with_a_start_is_listed(site):
    name = STARTS[site][0]
    assert split_start(f"https://{site}/x?{name}=7")[1] == (7, END)


@pytest.mark.parametrize(
    ("fragment", "part"),
    [
        ("#t=90", (90, END)),
        ("#t=30s", (30, END)),
        ("#t=1m30s", (90, END)),
        ("#t=0m5s,1:00", (5, 60)),
        ("#t=10,20&x=1", (10, 20)),
        ("#x=1&t=10", (10, END)),
        ("#t=npt:10,20", (10, 20)),
        ("#t=soon", None),
        ("#at=5", None),
    ],
)
def test_a_fragment_of_a_link_means_a_part(fragment, part):
    link = f"https://vimeo.com/1{fragment}"
    assert split_part(link) == ("https://vimeo.com/1" if part else link, part)


def test_a_fragment_that_leaves_nothing_is_refused():
    with pytest.raises(InvalidOptionError, match="leaves nothing"):
        split_part("https://vimeo.com/1#t=1m30s,60")


@pytest.fixture
def opened(monkeypatch):
    """The address that goes to the sources, and the one that opens it."""
    found = []

    class Opening(File):
        priority = 0

        def matches(self, uri):
            found.append(uri)
            return True

        def open(self, uri, limits, *, text_only=False):
            bare, part = split_start(uri)
            return LocalVideo(path=None, uri=bare, part_seconds=part)

    monkeypatch.setattr(
        "framesift.sources.registry",
        type(
            "R",
            (),
            {
                "parts": staticmethod(lambda: {"one": Opening}),
                "create": staticmethod(lambda name: Opening()),
            },
        ),
    )
    return found


@pytest.mark.parametrize(
    ("given", "link"),
    [
        ("youtube.com/watch?v=x", "https://youtube.com/watch?v=x"),
        ("www.youtube.com/watch?v=x", "https://www.youtube.com/watch?v=x"),
        ("YouTube.com/watch?v=x", "https://YouTube.com/watch?v=x"),
        ("youtu.be/x", "https://youtu.be/x"),
        ("www.loom.com/share/x", "https://www.loom.com/share/x"),
        ("vimeo.com/1", "https://vimeo.com/1"),
        ("www.example.org/talk.mp4", "https://www.example.org/talk.mp4"),
        (" https://a.example/x.mp4 ", "https://a.example/x.mp4"),
        ("example.org/talk.mp4", "example.org/talk.mp4"),
        ("videos/talk.mp4", "videos/talk.mp4"),
        ("youtube.com", "youtube.com"),
        ("./youtube.com/x", "./youtube.com/x"),
        ("/youtube.com/x", "/youtube.com/x"),
        ("not-youtube.com/x", "not-youtube.com/x"),
    ],
)
def test_links_of_listed_sites_need_no_scheme(opened, given, link):
    open_video(given)
    assert opened == [link]


def test_an_existing_file_keeps_its_name(opened, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "youtu.be").mkdir()
    (tmp_path / "youtu.be" / "x").touch()
    open_video("youtu.be/x")
    open_video("youtu.be/y")
    open_video("youtu.be/x", FetchLimits(allow_files=False))
    assert opened == ["youtu.be/x", "https://youtu.be/y", "https://youtu.be/x"]
    assert with_scheme("youtu.be/\0", may_be_file=True) == "https://youtu.be/\0"


def test_the_fragment_goes_before_the_query(opened):
    video = open_video("youtube.com/watch?v=x&t=90#t=10,20")
    assert (video.uri, video.part_seconds) == ("https://youtube.com/watch?v=x", (10, 20))
    assert open_video("youtu.be/x?t=90").part_seconds == (90, END)
    assert base.split_part("youtu.be/x#t=5") == ("youtu.be/x", (5, END))


def test_a_page_without_scheme_is_a_link_for_strangers_too():
    with pytest.raises(ForbiddenAddressError, match="names a file"):
        open_video("example.org/talk.mp4", FetchLimits(allow_files=False))


@pytest.mark.parametrize("site", STARTS)
def test_a_link_to_a_moment_opens_there_again(opened, site):
    page = f"https://www.{site}/watch?v=x"
    segment = Segment(uri=page, start_seconds=90.7, end_seconds=95, keyframe_seconds=91)
    again = open_video(segment.link)
    assert (again.uri, again.part_seconds) == (page, (90.0, END))
