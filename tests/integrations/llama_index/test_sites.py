"""Pages of sites and lists of videos, as far as the reader of LlamaIndex takes part in them."""

from dataclasses import replace

import pytest
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.readers.base import ResourcesReaderMixin

from framesift import FetchLimits, ListedVideo, SiteOptions, TimedText, VideoList
from framesift.errors import ForbiddenAddressError, InvalidOptionError, UnsupportedSourceError
from framesift.sources.synthetic import SyntheticSource
from framesift.sources.yt_dlp import YtDlp
from llama_index.readers.framesift import FramesiftVideoReader, FramesiftVideoSplitter

LIST = "https://www.youtube.com/playlist?list=PL1"
NUMBER, CUTS = "synthetic://number?seed=3", "synthetic://cuts?seconds=9&seed=2"
GONE = "synthetic://no-such-kind"


@pytest.fixture
def playlist(monkeypatch):
    """A page that lists four videos, one of which is gone; gives what was asked of it."""
    asked = []

    def opened(source, uri, limits, *, text_only=False):
        asked.append(source)
        raise UnsupportedSourceError(f"{uri!r} lists several videos")

    def listed(source, uri, limits, most):
        asked.append(most)
        videos = [ListedVideo(uri=uri) for uri in (NUMBER, GONE, CUTS, f"{NUMBER}&seconds=20")]
        rest = (f"{LIST!r} lists more videos than the first {most}",) if most < 4 else ()
        return VideoList(videos=tuple(videos[:most]), warnings=rest)

    monkeypatch.setattr(YtDlp, "open", opened)
    monkeypatch.setattr(YtDlp, "listed", listed)
    return asked


def problems(documents):
    return {
        doc.metadata["source"]: doc.metadata["problem"]
        for doc in documents
        if "problem" in doc.metadata
    }


def test_a_playlist_is_read_as_far_as_the_cap_goes(make_reader, playlist):
    documents = make_reader(max_videos=3).load_data(LIST)
    titles = [doc.metadata["title"] for doc in documents if doc.video_resource]
    assert len(titles) == 2
    told = problems(documents)
    assert list(told) == [GONE, LIST]
    assert "no-such-kind" in told[GONE]
    assert "lists more videos than the first 3" in told[LIST]
    assert playlist[1:] == [3]


def test_what_lists_nothing_else_is_its_own_error(make_reader, playlist, monkeypatch):
    monkeypatch.setattr(YtDlp, "listed", lambda *_: VideoList(videos=(ListedVideo(uri=LIST),)))
    with pytest.raises(UnsupportedSourceError, match="lists several videos"):
        make_reader().load_data(LIST)
    (told,) = make_reader().load_data([LIST])
    assert "lists several videos" in told.metadata["problem"]


def test_pages_are_opened_as_the_options_say(make_reader, playlist):
    site = SiteOptions(language=("de", "en"), max_height_px=480, cookies_from_browser="firefox")
    make_reader(site=site).load_data([LIST])
    assert playlist[0].site == site
    made = make_reader(site={"language": "de,en", "cookies_file": "cookies.txt"})
    assert made.site.language == ("de", "en")
    assert FramesiftVideoReader.from_json(made.to_json()) == made
    splitter = FramesiftVideoSplitter(reader=made)
    assert FramesiftVideoSplitter.from_json(splitter.to_json()) == splitter


def test_logins_are_not_lent_to_strangers(make_reader):
    site = SiteOptions(cookies_file="cookies.txt")
    with pytest.raises(ForbiddenAddressError, match="cookies_file"):
        make_reader(site=site, limits=FetchLimits.untrusted())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"segments": 3}, "no option 'segments'"),
        ({"site": {"langage": "de"}}, r"site\.langage="),
        ({"limits": {"max_byte": 3}}, r"limits\.max_byte="),
        ({"max_videos": 0}, "max_videos=0"),
    ],
)
def test_misspelt_options_are_told_when_it_is_made(make_reader, options, line):
    with pytest.raises(InvalidOptionError, match=line):
        make_reader(**options)


async def test_a_list_is_resources(make_reader, playlist, clips_made, tmp_path):
    reader = make_reader()
    assert isinstance(reader, ResourcesReaderMixin)
    names = reader.list_resources(LIST)
    assert names[:3] == [NUMBER, GONE, CUTS]
    assert [doc.to_dict() for doc in reader.load_resource(NUMBER)] == [
        doc.to_dict() for doc in reader.load_data(NUMBER)
    ]
    assert list(problems(reader.load_resources(names[:2]))) == [GONE]
    found = await reader.aload_resources(names[1:3])
    assert list(problems(found[GONE])) == [GONE]
    assert len(found[CUTS]) == 2
    (tmp_path / "videos").mkdir()
    bad = tmp_path / "videos" / "broken.mp4"
    bad.write_bytes(b"no video")
    listed = reader.list_resources_with_info([tmp_path / "videos", clips_made / "cuts.mp4"])
    assert list(listed) == [str(bad), str(clips_made / "cuts.mp4")]
    assert listed[str(clips_made / "cuts.mp4")]["duration_seconds"] == pytest.approx(9, abs=0.5)
    assert reader.get_resource_info(str(bad)) == listed[str(bad)]
    part = f"{clips_made / 'cuts.mp4'}#t=2,4"
    assert reader.list_resources([part, NUMBER]) == [part, NUMBER]
    for same in (part, (clips_made / "cuts.mp4").as_uri()):
        assert reader.get_resource_info(same) == listed[str(clips_made / "cuts.mp4")]
    with pytest.raises(UnsupportedSourceError, match="lists 4 videos; name one"):
        reader.get_resource_info(LIST)


def test_documents_say_who_published_a_video_and_play_its_moments(make_reader, monkeypatch):
    opened, said = SyntheticSource.open, "How to read a number.\n" * 90
    facts = {
        "uri": "https://www.youtube.com/watch?v=abc",
        "title": "Numbers",
        "uploader": "Ann",
        "date": "2026-03-01",
        "description": said,
        "chapters": (TimedText(start_seconds=0, end_seconds=4, text="The first half"),),
    }
    monkeypatch.setattr(SyntheticSource, "open", lambda *a, **k: replace(opened(*a, **k), **facts))
    video, first, last = make_reader(segment_seconds=4).load_data(NUMBER)
    for doc in (video, first, last):
        assert doc.metadata["uploader"] == "Ann"
        assert doc.metadata["date"] == "2026-03-01"
        assert doc.metadata["description"] == said
        assert doc.metadata["title"] == "Numbers"
        assert None not in doc.metadata.values()
    assert "How to read a number." in video.text
    assert "How to read a number." not in first.text + first.get_content("llm")
    assert first.metadata["chapter"] == "The first half"
    assert "chapter" not in last.metadata
    start = int(last.metadata["start_seconds"])
    assert last.metadata["link"] == f"https://www.youtube.com/watch?v=abc&t={start}s"
    assert len(SentenceSplitter(chunk_size=256).get_nodes_from_documents([first, last])) == 2
