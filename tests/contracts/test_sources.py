"""Every registered source keeps the promises of the suite; addresses go to the right one."""

import pytest

from framesift.errors import UnsupportedSourceError
from framesift.sources import registry
from framesift.sources.base import open_video
from framesift.testing import SourceContract

NAMES = registry.names()
MISSING = {
    "data": "data:video/mp4;base64,AAAA",
    "file": "/no/such/folder/talk.mp4",
    "http": "http://127.0.0.1:9/talk.mp4",
    "yt-dlp": "https://vimeo.com/no/such/page/at/all",
    "synthetic": "synthetic://no-such-scene",
}


class TestSources(SourceContract):
    @pytest.fixture(params=NAMES)
    def part(self, request):
        return registry.create(request.param)

    @pytest.fixture
    def missing_uri(self, source):
        if source.spec == "yt-dlp":
            pytest.importorskip("yt_dlp")
        return MISSING[source.spec]


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
