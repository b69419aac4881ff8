import io

import numpy as np
import pytest
from PIL import Image

from framesift.decoders.pyav import PyavDecoder
from framesift.decoders.stills import WithStills, picture_file
from framesift.errors import (
    CorruptVideoError,
    InvalidOptionError,
    SourceError,
    VideoTooLargeError,
)
from framesift.types.frames import Frames

DECODER = WithStills(videos=PyavDecoder())


def picture(width=40, height=24):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_a_picture_is_a_video_of_one_frame(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    picture().save(path)
    index = DECODER.index(path)
    assert (index.info.width_px, index.info.height_px) == (40, 24)
    assert index.info.duration_seconds == 0
    assert index.pts_seconds.tolist() == [0.0]
    (frames,) = DECODER.decode(path, [0])
    assert np.array_equal(frames.data[0], np.asarray(picture()))
    (small,) = DECODER.decode(path, [0], size_px=(6, 10))
    assert small.data.shape == (1, 6, 10, 3)
    assert list(DECODER.decode(path, [])) == []
    assert DECODER.reader_spec(path) == "pillow"


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_compressed_pictures_are_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (64, 48), (200, 30, 30)).save(path, quality=95)
    (frames,) = DECODER.decode(path, [0])
    assert np.abs(frames.data.astype(int) - (200, 30, 30)).max() < 12


def test_a_picture_is_turned_as_its_camera_was_held(tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save(path, exif=exif)
    assert (DECODER.index(path).info.width_px, DECODER.index(path).info.height_px) == (24, 40)


def test_what_is_transparent_is_white(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(path)
    (frames,) = DECODER.decode(path, [0])
    assert (frames.data == 255).all()


def test_videos_go_to_the_other_decoder(tmp_path, write_video, numbers_in):
    path = write_video(tmp_path / "a.mp4", 5)
    assert len(DECODER.index(path).pts_seconds) == 5
    (frames,) = DECODER.decode(path, [1, 3])
    assert numbers_in(frames.data) == [1, 3]
    assert DECODER.reader_spec(path) == "pyav"


def test_a_picture_in_memory_becomes_a_file_that_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with picture_file(picture()) as local:
        (frames,) = DECODER.decode(local.path, [0])
        assert np.array_equal(frames.data[0], np.asarray(picture()))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0 and no more"]
)
def test_what_is_no_picture_is_one_line(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(CorruptVideoError, match=r"'a.png' \(\d+ bytes\)") as told:
        DECODER.index(path)
    assert "\n" not in str(told.value)


def test_a_cut_picture_is_refused(tmp_path):
    path = tmp_path / "a.png"
    picture().save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CorruptVideoError, match="undamaged"):
        list(DECODER.decode(path, [0]))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif", ".bmp"])
def test_a_picture_of_too_many_pixels_is_refused_from_its_header(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    picture().save(path)
    small = WithStills(videos=PyavDecoder(max_pixels=40 * 24 - 1))
    for read in (small.index, lambda path: list(small.decode(path, [0]))):
        with pytest.raises(VideoTooLargeError, match=r"40 x 24 pixels, allowed are 959"):
            read(path)
    assert WithStills(videos=PyavDecoder(max_pixels=40 * 24)).index(path).info.width_px == 40


def test_the_limit_can_be_raised_above_that_of_pillow(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    picture().save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    (frames,) = DECODER.decode(path, [0])
    assert frames.data.shape == (1, 24, 40, 3)


def test_a_size_that_pillow_itself_refuses_is_one_line(tmp_path, monkeypatch):
    path = tmp_path / "a.webp"
    picture().save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(VideoTooLargeError, match=r"'a.webp' holds more pixels than Pillow reads"):
        DECODER.index(path)


COLORS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10)]
DURATIONS_MS = [100, 2000, 40, 500]


@pytest.mark.parametrize("options", [{}, {"loop": 3}, {"disposal": 1}, {"default_image": True}])
@pytest.mark.parametrize("name", ["a.png", "a.webp", "no-suffix"])
def test_an_animation_is_a_video(tmp_path, name, options):
    path = tmp_path / name
    first, *others = [Image.new("RGB", (32, 24), color) for color in COLORS]
    kind = "WEBP" if name.endswith("webp") else "PNG"
    has_cover = kind == "PNG" and "default_image" in options
    if has_cover:
        others, first = [first, *others], Image.new("RGB", (32, 24), "white")
    how = {"duration": DURATIONS_MS, "save_all": True, "append_images": others}
    first.save(path, format=kind, lossless=True, **how, **options)

    index = DECODER.index(path)
    everything = Frames.concatenate(list(DECODER.decode(path, range(4))))
    picked = Frames.concatenate(list(DECODER.decode(path, [1, 3])))

    assert index.pts_seconds.tolist() == pytest.approx([0, 0.1, 2.1, 2.14])
    assert index.info.duration_seconds == pytest.approx(2.64)
    assert everything.data[:, 12, 16].tolist() == [list(color) for color in COLORS]
    assert picked.data[:, 12, 16].tolist() == [list(COLORS[1]), list(COLORS[3])]
    assert picked.pts_seconds.tolist() == index.pts_seconds[[1, 3]].tolist()


def test_an_animation_of_one_picture_is_a_still(tmp_path):
    path = tmp_path / "a.webp"
    picture().save(path, save_all=True)
    assert DECODER.index(path).info.frame_count == 1


def test_the_first_of_several_pages_is_taken_and_that_is_said(tmp_path):
    path, warnings = tmp_path / "fax.tif", []
    picture().save(path, save_all=True, append_images=[Image.new("RGB", (40, 24))])
    (frames,) = DECODER.decode(path, [0], warn=warnings.append)
    assert np.array_equal(frames.data[0], np.asarray(picture()))
    assert warnings == ["'fax.tif' holds several pictures; the first one is taken"]


@pytest.mark.parametrize("name", ["picture", "picture.mp4", "picture.gif"])
def test_content_makes_a_picture_and_not_the_name(tmp_path, name):
    path = tmp_path / name
    picture().save(path, format="JPEG")
    assert DECODER.index(path).info.codec == "jpeg"
    assert DECODER.reader_spec(path) == "pillow"


@pytest.mark.parametrize("name", ["clip.png", "clip.jpg", "clip"])
def test_content_makes_a_video_and_not_the_name(tmp_path, write_video, numbers_in, name):
    path = write_video(tmp_path / "a.mp4", 5).rename(tmp_path / name)
    assert DECODER.index(path).info.frame_count == 5
    (frames,) = DECODER.decode(path, [0, 4])
    assert numbers_in(frames.data) == [0, 4]


def test_a_file_that_is_gone_is_one_line(tmp_path):
    with pytest.raises(SourceError, match=r"'gone.png' cannot be read"):
        DECODER.index(tmp_path / "gone.png")


def test_a_second_frame_is_out_of_range(tmp_path):
    path = tmp_path / "a.png"
    picture().save(path)
    with pytest.raises(InvalidOptionError, match="indices"):
        list(DECODER.decode(path, [1]))


def test_a_damaged_picture_that_was_opened_lazily_is_an_error_of_ours():
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, "PNG")
    cut = Image.open(io.BytesIO(whole.getvalue()[:2000]))
    with pytest.raises(CorruptVideoError, match="cannot be decoded"):
        picture_file(cut)
