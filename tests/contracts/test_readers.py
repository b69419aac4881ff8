"""Every registered reader keeps the promises of the suite."""

import pytest

from framesift import VideoCompressor
from framesift.readers import registry
from framesift.testing import ReaderContract
from framesift.testing.readers import LINES


class TestSubtitles(ReaderContract):
    spec = "subtitles"


class TestScreen(ReaderContract):
    @pytest.fixture(params=["screen", "screen:reads=all,max_side_px=none"])
    def part(self, request):
        pytest.importorskip("rapidocr")
        return registry.create(request.param)

    def test_the_lines_of_the_page_are_read_with_their_times(self, reader, video):
        lines = VideoCompressor(text=reader).transcript(video).lines
        assert [line.text for line in lines] == list(LINES)
        assert [line.start_seconds for line in lines] == [0, 2]
        assert [line.end_seconds for line in lines] == pytest.approx([4, 4], abs=0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pytest.importorskip("transformers")
    from framesift.testing.whisper import tiny_whisper

    return tiny_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.mark.slow
class TestSpeech(ReaderContract):
    @pytest.fixture
    def part(self, folder):
        return registry.create("speech", model=str(folder))


def test_every_reader_is_tested():
    assert registry.names() == ["screen", "speech", "subtitles"]
