"""A shelf keeps what was found in a video, by its content."""

import shutil
from dataclasses import replace

import pytest
from PIL import Image

from framesift import FetchLimits, KeyframeShelf, VideoCompressor, open_video
from framesift.errors import ForbiddenAddressError, InvalidOptionError, SourceError

CUTS = "synthetic://cuts?seconds=9&seed=2"


@pytest.fixture
def shelf(tmp_path):
    return KeyframeShelf(
        folder=tmp_path / "shelf", compressor=VideoCompressor(), seconds_each=3, max_side_px=64
    )


@pytest.fixture
def talk(write_video, tmp_path):
    return write_video(tmp_path / "talk.mp4", 75)


def test_segments_are_those_of_the_pipeline_with_pictures_in_files(shelf):
    found = shelf.read(CUTS)
    expected = VideoCompressor().segments(CUTS, count=3)
    assert [segment for segment, _ in found.segments] == expected
    assert found.source == CUTS
    assert found.title
    for segment, path in found.segments:
        assert path.name == f"{round(segment.keyframe_seconds * 1000):09d}.jpg"
        with Image.open(path) as picture:
            assert max(picture.size) == 64


def test_the_same_content_is_decoded_once(shelf, talk, tmp_path, monkeypatch):
    first = shelf.read(talk)
    moved = shutil.copy(talk, tmp_path / "moved.mp4")

    def refused(*args, **options):
        raise AssertionError("decoded")

    monkeypatch.setattr("framesift.decoders.base.Decoder.index", refused)
    assert shelf.read(talk) == first
    again = shelf.read(str(moved))
    assert again.source == str(moved)
    assert [segment.uri for segment, _ in again.segments] == [str(moved)]
    assert [path for _, path in again.segments] == [path for _, path in first.segments]
    for other in (
        replace(shelf, seconds_each=1),
        replace(shelf, max_side_px=65),
        replace(shelf, compressor=VideoCompressor(selector="uniform")),
        replace(shelf, compressor=VideoCompressor(fps=2)),
    ):
        assert other.settings != shelf.settings
        with pytest.raises(AssertionError, match="decoded"):
            other.read(talk)


def test_subtitles_and_parts_count_as_other_content(shelf, talk):
    first = shelf.read(talk)
    talk.with_suffix(".srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    told = shelf.read(talk)
    assert [segment.text for segment, _ in told.segments] == ["hello"]
    assert told.content_sha256 == first.content_sha256
    part, other = (shelf.read(f"{talk}{fragment}") for fragment in ("#t=1,2", "#t=1"))
    assert part.content_sha256 == first.content_sha256
    assert {read.source for read in (told, part, other)} == {str(talk)}
    assert told.address == str(talk)
    assert (part.address, other.address) == (f"{talk}#t=1,2", f"{talk}#t=1")
    folders = {read.segments[0][1].parent for read in (first, told, part, other)}
    assert len(folders) == 4


@pytest.mark.parametrize("index", ["", "[]", "{}", '[{"image": "../../talk.mp4"}]'])
def test_a_damaged_shelf_is_mended(shelf, talk, index):
    ((segment, path),) = shelf.read(talk).segments
    (path.parent / "segments.json").write_text(index)
    assert shelf.read(talk).segments == ((segment, path),)
    path.unlink()
    assert shelf.read(talk).segments == ((segment, path),)
    assert path.is_file()


def test_a_picture_that_is_not_whole_is_made_again(shelf, talk):
    ((segment, path),) = shelf.read(talk).segments
    content = path.read_bytes()
    for damaged in (b"", content[:-100], bytes(len(content))):
        path.write_bytes(damaged)
        assert shelf.read(talk).segments == ((segment, path),)
        assert path.read_bytes() == content


def test_a_shelf_may_be_named_by_text(shelf, talk):
    named = KeyframeShelf(folder=str(shelf.folder), compressor=shelf.compressor)
    assert named.read(talk).segments[0][1].is_relative_to(shelf.folder)


def test_an_index_cannot_point_out_of_its_folder(shelf, talk):
    ((_, path),) = shelf.read(talk).segments
    index = path.parent / "segments.json"
    index.write_text(index.read_text().replace(path.name, f"../../{path.name}"))
    assert shelf.read(talk).segments[0][1] == path


def test_an_opened_video_stays_open_and_a_still_has_one_segment(shelf, tmp_path):
    with open_video(CUTS) as video:
        shelf.read(video)
        assert video.path.is_file()
    Image.new("RGB", (40, 30), "red").save(tmp_path / "still.png")
    ((segment, _),) = shelf.read(tmp_path / "still.png").segments
    assert segment.colors == ("red",)


def test_what_may_not_be_opened_is_refused(shelf, tmp_path):
    strict = replace(shelf, compressor=VideoCompressor(limits=FetchLimits(allow_files=False)))
    with pytest.raises(ForbiddenAddressError):
        strict.read("http://127.0.0.1/talk.mp4")
    with pytest.raises(ForbiddenAddressError):
        strict.read(str(tmp_path / "talk.mp4"))
    with pytest.raises(SourceError, match="does not exist"):
        shelf.read(tmp_path / "none.mp4")


@pytest.mark.parametrize("wrong", [{"seconds_each": 0}, {"max_side_px": 0}])
def test_wrong_options_are_told_when_it_is_made(shelf, wrong):
    with pytest.raises(InvalidOptionError, match=next(iter(wrong))):
        replace(shelf, **wrong)
