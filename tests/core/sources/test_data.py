"""Videos and pictures within their address, and links to pictures."""

import io
from base64 import b64encode
from dataclasses import replace

import pytest
from PIL import Image

import framesift
from framesift.errors import DownloadError, UnsupportedSourceError, VideoTooLargeError
from framesift.fetching.limits import FetchLimits
from framesift.sources.base import open_video


def data_uri(content, kind="video/mp4"):
    return f"data:{kind};base64,{b64encode(content).decode()}"


def picture(kind, size=(32, 16), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, "red").save(buffer, kind)
    return buffer.getvalue()


def test_the_bytes_become_a_file_that_goes_again(clip, landing):
    with open_video(data_uri(clip)) as video:
        assert video.path.read_bytes() == clip
        assert list(landing.iterdir()) == [video.path.parent]
    assert list(landing.iterdir()) == []


def test_the_name_tells_the_content_and_holds_none_of_it(clip):
    with open_video(data_uri(clip)) as first, open_video(data_uri(clip)) as second:
        assert first.uri == second.uri
    assert first.uri.startswith("data:video/mp4;sha256=")
    assert len(first.uri) < 50
    report = framesift.VideoCompressor().compress(data_uri(clip)).report
    assert report.uri == first.uri


def test_base64_may_be_broken_into_lines(clip):
    head, body = data_uri(clip).split(",")
    lines = "\r\n".join(body[i : i + 76] for i in range(0, len(body), 76))
    with open_video(f"{head},{lines}\n") as video:
        assert video.path.read_bytes() == clip


def test_text_only_opens_no_file(clip, landing):
    assert open_video(data_uri(clip), text_only=True).path is None
    assert list(landing.iterdir()) == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_a_picture_is_a_video_of_one_frame_whatever_the_type_says(kind):
    frames = framesift.VideoCompressor().frames(data_uri(picture(kind), "image/unknown"))
    assert frames.data.shape == (1, 16, 32, 3)
    assert frames.data[0, 8, 16, 0] > 240


def test_a_link_may_lead_to_a_picture(site, loopback, landing):
    uri = site.serve("/photo", picture("PNG"), Content_Type="image/png")
    with open_video(uri, loopback) as video:
        assert video.path.suffix == ".png"
    sift = framesift.VideoCompressor(limits=loopback)
    assert sift.frames(uri).data.shape == (1, 16, 32, 3)
    assert list(landing.iterdir()) == []


@pytest.mark.parametrize(
    ("uri", "error", "match"),
    [
        ("data:video/mp4,plain", UnsupportedSourceError, "holds no base64; write data:"),
        ("data:", UnsupportedSourceError, "holds no base64"),
        ("data:video/mp4;base64,", UnsupportedSourceError, "is empty"),
        ("data:video/mp4;base64,A", UnsupportedSourceError, "is not base64"),
        ("data:video/mp4;base64,A-_=", UnsupportedSourceError, "is not base64"),
        (data_uri(b"<html>"), DownloadError, "is not a video"),
        (data_uri(picture("PNG")[:40]), DownloadError, "is not a video|cannot be read"),
        (f"data:{'x' * 5000};base64,AAAA", DownloadError, "is not a video"),
    ],
)
def test_what_holds_no_video_is_refused_in_one_short_line(landing, uri, error, match):
    with pytest.raises(error, match=match) as caught:
        framesift.VideoCompressor().frames(uri)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert list(landing.iterdir()) == []


def test_the_size_is_held_before_anything_is_decoded(clip, landing):
    exact = FetchLimits(max_bytes=len(clip))
    open_video(data_uri(clip), exact).close()
    with pytest.raises(VideoTooLargeError, match=f"allowed are {len(clip) - 3}; .* raise max_byt"):
        open_video(data_uri(clip), replace(exact, max_bytes=len(clip) - 3))
    assert list(landing.iterdir()) == []


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_picture_of_too_many_pixels_is_refused(landing, kind):
    sift = framesift.VideoCompressor(limits=FetchLimits(max_pixels=149))
    with pytest.raises(VideoTooLargeError, match="15 x 10 pixels, allowed are 149 in all"):
        sift.frames(data_uri(picture(kind, (15, 10))))
    assert len(framesift.VideoCompressor().frames(data_uri(picture(kind, (15, 10))))) == 1
    assert list(landing.iterdir()) == []


def jpeg_frames(*files):
    return f"data:video/jpeg;base64,{','.join(b64encode(file).decode() for file in files)}"


def coloured(color, size=(32, 16)):
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "JPEG")
    return buffer.getvalue()


def test_frames_in_one_address_are_a_video_of_one_frame_per_second():
    sift = framesift.VideoCompressor()
    told = []
    address = jpeg_frames(*map(coloured, ("red", "lime", "blue")))
    frames = sift.frames(address, warn=told.append)
    assert frames.pts_seconds.tolist() == [0.0, 1.0, 2.0]
    assert frames.data[:, 8, 16].argmax(axis=1).tolist() == [0, 1, 2]
    assert any("tell no times" in line for line in told)
    later = sift.frames(f"{address}#t=1,3")
    assert later.data[:, 8, 16].argmax(axis=1).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ((coloured("red"), b"no picture"), "frame 2 of .* is no JPEG file"),
        ((coloured("red"), coloured("red", (64, 16))), r"differ in size \(32x16, 64x16\)"),
        ((coloured("red"), b""), "is empty"),
    ],
)
def test_frames_that_make_no_video_are_told_in_one_line(files, line, landing):
    with pytest.raises(UnsupportedSourceError, match=line) as refused:
        open_video(jpeg_frames(*files))
    assert "\n" not in str(refused.value)
    assert list(landing.iterdir()) == []


def test_frames_have_no_more_pixels_than_allowed():
    with pytest.raises(VideoTooLargeError, match="32x16 pixels, allowed are 100"):
        open_video(jpeg_frames(coloured("red")), FetchLimits(max_pixels=100))
