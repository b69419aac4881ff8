"""Every source, wherever it fetches from, keeps these promises."""

import socket
import tempfile
from itertools import combinations

import pytest

from framesift.errors import SourceError, UnsupportedSourceError
from framesift.fetching.limits import FetchLimits
from framesift.sources import registry
from framesift.sources.base import Source, open_video

NAMES = registry.names()
URIS = [
    "talk.mp4",
    "/videos/talk.mp4",
    "~/talk.mp4",
    "C:\\talk.mp4",
    "file:///videos/talk.mp4",
    "http://example.com/talk.mp4",
    "HTTPS://EXAMPLE.COM/talk.mp4",
    "https://example.com/watch?v=abc",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "https://www.loom.com/share/43d05f362f734614a2e81b4694a3a523",
    "synthetic://needle",
    "",
    "http://[",
    "s3://bucket/talk.mp4",
    "data:video/mp4;base64,AAAA",
]
MISSING = {
    "data": "data:video/mp4;base64,AAAA",
    "file": "/no/such/folder/talk.mp4",
    "http": "http://127.0.0.1:9/talk.mp4",
    "yt-dlp": "https://vimeo.com/no/such/page/at/all",
    "synthetic": "synthetic://no-such-scene",
}


@pytest.fixture(params=NAMES)
def source(request):
    return registry.create(request.param)


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_a_source_says_in_one_line_what_it_opens(source):
    assert isinstance(source, Source)
    assert 10 < len(source.summary) <= 90
    assert "\n" not in source.summary


def test_matching_needs_no_network(source, offline):
    assert all(isinstance(source.matches(uri), bool) for uri in URIS)


def test_a_spec_describes_the_source(source):
    assert registry.create(source.spec) == source


@pytest.mark.parametrize("uri", URIS)
def test_no_two_sources_of_one_priority_match(uri):
    matching = [part for name in NAMES if (part := registry.create(name)).matches(uri)]
    for first, second in combinations(matching, 2):
        assert first.priority != second.priority, (first, second)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_a_source_error_without_a_trace(name, tmp_path, monkeypatch):
    if name == "yt-dlp":
        pytest.importorskip("yt_dlp")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limits = FetchLimits(allow_private=True, total_seconds=5)
    source = registry.create(name)
    assert source.matches(MISSING[name])
    with pytest.raises(SourceError) as caught:
        source.open(MISSING[name], limits)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("talk.mp4", "file"),
        ("https://example.com/talk.mp4", "http"),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "yt-dlp"),
        ("https://archive.org/download/item/film.mp4", "http"),
    ],
)
def test_a_uri_goes_to_the_source_that_knows_most(uri, name):
    matching = [part for each in NAMES if (part := registry.create(each)).matches(uri)]
    assert max(matching, key=lambda part: part.priority).spec == name


def test_what_no_source_matches_is_unsupported():
    with pytest.raises(UnsupportedSourceError, match=r"'s3://bucket/talk\.mp4'"):
        open_video("s3://bucket/talk.mp4")
