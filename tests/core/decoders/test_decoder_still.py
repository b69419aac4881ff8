import numpy as np
import pytest
from PIL import Image

from framesift.decoders._still import WithStills, picture_file
from framesift.decoders.pyav import PyavDecoder
from framesift.errors import CorruptVideoError, InvalidOptionError

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
    assert DECODER.spec(path) == "pillow"


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
    assert DECODER.spec(path) == "pyav"


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


@pytest.mark.parametrize("largest", [300, 900])
def test_a_picture_of_too_many_pixels_is_refused(tmp_path, monkeypatch, largest):
    path = tmp_path / "a.png"
    picture().save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", largest)
    with pytest.raises(CorruptVideoError, match=r"a\.png"):
        DECODER.index(path)


def test_a_second_frame_is_out_of_range(tmp_path):
    path = tmp_path / "a.png"
    picture().save(path)
    with pytest.raises(InvalidOptionError, match="indices"):
        list(DECODER.decode(path, [1]))
