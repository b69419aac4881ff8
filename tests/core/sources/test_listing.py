import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest

from framesift import FetchLimits, SiteOptions, list_videos, open_video
from framesift.errors import InvalidOptionError
from framesift.fetching.client import Client
from framesift.sources.yt_dlp import YtDlp

yt_dlp = pytest.importorskip("yt_dlp")


@pytest.fixture
def folder(tmp_path, clip):
    """A folder of videos in which some cannot be used."""
    folder = tmp_path / "talks"
    (folder / "b").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("a.mp4", "b/c.MP4", ".hidden/x.mp4", "._a.mp4"):
        (folder / name).write_bytes(clip)
    (folder / "broken.mp4").write_bytes(b"\0" * 100)
    (folder / "empty.mkv").touch()
    (folder / "notes.txt").write_text("no video")
    return folder


def test_a_folder_lists_its_videos_and_says_which_cannot_be_used(folder):
    found = list_videos(folder)
    names = [Path(video.uri).relative_to(folder).as_posix() for video in found]
    assert names == ["a.mp4", "broken.mp4", "empty.mkv", "b/c.MP4"]
    assert [Path(video.uri).name for video in found.usable] == ["a.mp4", "c.MP4"]
    assert found.videos[0].duration_seconds == pytest.approx(1.0, abs=0.1)
    assert "'broken.mp4' cannot be opened as a video" in found.videos[1].problem
    assert found.warnings == ()
    assert list_videos(str(folder)) == found


def test_a_cap_says_what_it_cut_off(folder):
    found = list_videos(folder, most=2)
    assert len(found) == 2
    assert found.warnings == (
        "'talks' holds 4 videos, of which the first 2 are listed; raise most",
    )


def test_names_that_are_not_utf_8_are_listed_and_open(tmp_path, clip):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")
    try:
        Path(odd).write_bytes(clip)
    except OSError:
        pytest.skip("this file system takes no such name")
    (video,) = list_videos(tmp_path)
    assert video.uri.isascii()
    assert video.uri.endswith("/caf%E9.mp4")
    with open_video(video.uri) as opened:
        assert opened.path.read_bytes() == clip
        assert opened.uri.encode()


@pytest.mark.parametrize(
    "name",
    [
        "Screen Recording 2026-01-01 at 3.04.05\u202fPM.mov",  # as macOS writes it
        "two  spaces.mp4",
        " before and\u00a0within .mp4",
        "a\nb\x1b[31m.mp4",
        "\u202eright to left.mp4",
    ],
)
def test_names_with_spaces_and_controls_are_listed_and_open(tmp_path, clip, name):
    (tmp_path / name).write_bytes(clip)
    (video,) = list_videos(tmp_path)
    assert video.problem is None
    assert not set("\n\x1b\u202e") & set(video.uri)
    with open_video(video.uri) as opened:
        assert opened.path == tmp_path / name


def test_a_part_of_a_video_is_listed_as_that_part(folder):
    parts = [f"{folder / 'a.mp4'}#t=0,0.5", f"{folder / 'a.mp4'}#t=0.5", "synthetic://needle#t=1,2"]
    assert [video.uri for video in list_videos(parts)] == parts
    (whole,) = list_videos(folder / "a.mp4")
    assert whole.uri == str(folder / "a.mp4")


def test_one_bad_place_among_several_ends_nothing(folder, clip):
    gone = folder / "gone.mp4"
    found = list_videos([folder / "a.mp4", gone, "s3://bucket/x", 5, "synthetic://needle"])
    problems = [video.problem for video in found]
    assert [problem is None for problem in problems] == [True, False, False, False, True]
    assert "does not exist" in problems[1]
    assert all("\n" not in problem for problem in problems if problem)


def test_strangers_may_name_no_file(folder):
    (video,) = list_videos(str(folder), FetchLimits.untrusted())
    assert "only links may be named" in video.problem
    assert len(list_videos(folder, FetchLimits.untrusted())) == 4, "a Path comes from the program"


@pytest.mark.parametrize("where", [[], ()])
def test_nothing_is_refused(where):
    with pytest.raises(InvalidOptionError, match="names nothing"):
        list_videos(where)


@pytest.mark.parametrize("most", [0, -1, 1.5, "all"])
def test_a_cap_is_at_least_one(folder, most):
    with pytest.raises(InvalidOptionError, match="most="):
        list_videos(folder, most=most)


def test_an_empty_folder_says_so(tmp_path):
    found = list_videos(tmp_path)
    assert len(found) == 0
    assert "holds no video" in found.warnings[0]


class ListIE(yt_dlp.extractor.common.InfoExtractor):
    """Answers the pages of the loopback site with what a test gives for their path."""

    IE_NAME = "youtube:tab"  # one of the names that lists go by
    _VALID_URL = r"http://127\.0\.0\.1:\d+/(?P<id>list.*)"
    pages: Any = None

    def _real_extract(self, url):
        given = self.pages[self._match_id(url)]
        return given(self, url) if callable(given) else given


@dataclass(frozen=True, kw_only=True)
class ListSite(YtDlp):
    pages: Any = None

    def session(self, client, folder):
        session = super().session(client, folder)
        extractor = ListIE()
        extractor.pages = self.pages
        session.add_info_extractor(extractor)
        return session


@pytest.fixture
def listed(site, loopback, landing):
    def listed(pages, most=100, limits=None):
        source = ListSite(pages=pages).with_site(SiteOptions())
        return source.listed(site.url("/list"), limits or loopback, most)

    yield listed
    assert list(landing.iterdir()) == []


def entry(number, **more):
    link = f"https://www.youtube.com/watch?v={number:011d}"
    return {"_type": "url", "ie_key": "Youtube", "url": link, "title": f"Talk {number}", **more}


def playlist(entries, **more):
    return {"_type": "playlist", "id": "list", "entries": entries, **more}


def test_a_playlist_is_read_as_far_as_it_is_asked(listed):
    read = []

    def entries():
        for number in range(10_000):
            read.append(number)
            yield entry(number, duration=60)

    found = listed({"list": playlist(entries(), playlist_count=10_000)}, most=3)
    assert [video.title for video in found] == ["Talk 0", "Talk 1", "Talk 2"]
    assert found.videos[0].uri == "https://www.youtube.com/watch?v=00000000000"
    assert found.videos[0].duration_seconds == 60
    assert len(read) <= 5
    assert "lists more videos than the first 3 of 10000" in found.warnings[0]


def test_a_channel_is_followed_into_its_lists(site, listed):
    tabs = [{"_type": "url", "ie_key": "List", "url": site.url(f"/list/{n}")} for n in "ab"]
    pages = {
        "list": playlist(tabs),
        "list/a": playlist([entry(1)]),
        "list/b": playlist([entry(2), entry(3)]),
    }
    assert [video.title for video in listed(pages)] == ["Talk 1", "Talk 2", "Talk 3"]


def test_a_list_that_leads_to_itself_ends(site, listed):
    own = {"_type": "url", "ie_key": "List", "url": site.url("/list")}
    found = listed({"list": playlist([entry(1), own])})
    assert {video.title for video in found} == {"Talk 1"}
    assert any("was not looked into" in line for line in found.warnings)


ODD_ENTRIES = [None, 5, "x", [], {}, {"url": 5}, {"_type": "url"}, {"title": ["x"]}]


def test_odd_entries_cost_themselves_alone(listed):
    found = listed({"list": playlist([*ODD_ENTRIES, entry(1)])})
    assert found.videos[-1].title == "Talk 1"
    assert list(found.usable) == [found.videos[-1]]


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"title": "[Private video]"}, "private or deleted"),
        ({"title": "[Deleted video]"}, "private or deleted"),
        ({"live_status": "is_upcoming"}, "live or upcoming"),
        ({"duration": 10**6}, "lasts 1e+06 s"),
    ],
)
def test_what_the_page_says_against_a_video_is_its_problem(listed, facts, problem):
    (video,) = listed({"list": playlist([entry(1, **facts)])})
    assert problem in video.problem


def test_a_list_that_breaks_off_is_what_came_before(listed):
    def entries():
        yield entry(1)
        raise yt_dlp.utils.ExtractorError("Unable to download JSON", expected=True)

    found = listed({"list": playlist(entries())})
    assert [video.title for video in found] == ["Talk 1"]
    assert "the list ends early" in found.warnings[0]


def test_a_page_of_one_video_is_that_video(site, listed):
    info = {"id": "x", "title": "A talk", "duration": 5, "url": "http://127.0.0.1/x.mp4"}
    (video,) = listed({"list": {**info, "_type": "video"}})
    assert (video.title, video.duration_seconds) == ("A talk", 5)
    assert video.uri == site.url("/list"), "the page, whose file is behind a link that expires"


@pytest.mark.parametrize(
    ("link", "name", "is_list"),
    [
        ("https://www.youtube.com/@name/videos", "YoutubeTab", True),
        ("https://www.youtube.com/playlist?list=PL0123456789", None, True),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "Youtube", False),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", None, False),
        ("https://www.loom.com/share/folder/" + "a" * 32, None, True),
        ("https://www.loom.com/share/" + "a" * 32, None, False),
        ("https://vimeo.com/channels/staffpicks", None, True),
        ("https://vimeo.com/76979871", None, False),
        ("https://a.example/x", "Generic", False),
    ],
)
def test_lists_are_told_from_videos_by_their_extractors(tmp_path, link, name, is_list):
    with Client(FetchLimits()) as client, YtDlp().session(client, tmp_path) as session:
        assert session.lists(link, name) is is_list


def test_a_codec_that_is_not_known_is_a_problem(tmp_path, clip):
    (tmp_path / "odd.mp4").write_bytes(clip.replace(b"avc1", b"zzzz"))
    (tmp_path / "good.mp4").write_bytes(clip)
    good, odd = list_videos(tmp_path)
    assert good.problem is None
    assert "a codec that cannot be decoded" in odd.problem


@pytest.mark.parametrize("title", [b"\xff\xfe\xfd\xfc", b"caf\xe9", b"a\xed\xa0\x80"])
def test_a_title_that_is_not_utf_8_is_read_as_far_as_it_goes(tmp_path, title):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "QQQQ", "ARTIST": "A. B.", "date": "2026-11-02"})
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 16
        container.mux(stream.encode(av.VideoFrame(16, 16, "yuv420p")))
        container.mux(stream.encode())
    path.write_bytes(path.read_bytes().replace(b"QQQQ", title))
    (video,) = list_videos(tmp_path)
    assert video.problem is None
    assert video.title.encode()
    with open_video(path) as opened:
        assert (opened.title, opened.uploader) == (video.title, "A. B.")
        assert opened.date == "2026-11-02"
