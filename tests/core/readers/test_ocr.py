"""What stands in a picture is found, read and put into order; real models run in slow tests."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from framesift.errors import InvalidOptionError, MissingDependencyError
from framesift.readers import registry
from framesift.readers.ocr import BORDER_PX, Ocr, OcrLine, ocr

BLANK = np.full((100, 320, 3), 255, np.uint8)


class Sheet:
    """Stands in for the models: lines of a picture that are known, and how often it was called."""

    def __init__(self, *lines):
        self.lines = list(lines)
        self.sizes, self.crops = [], []

    def corners(self, picture):
        self.sizes.append(picture.shape[:2])
        boxes = np.array([box for box, *_ in self.lines], np.float32).reshape(-1, 4) + BORDER_PX
        return boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]

    def texts(self, places):
        self.crops.append(len(places))
        said = {tuple(box): (text, sure) for box, text, sure in self.lines}
        return [said[(*corners[0], *corners[2])] for _, corners in places]


def written(*lines, size=(480, 240), letters_px=20, font=None):
    """Returns a white picture with lines of text below each other."""
    picture = Image.new("RGB", size, "white")
    face = ImageFont.truetype(font, letters_px) if font else ImageFont.load_default(letters_px)
    for number, line in enumerate(lines):
        place = (12, 10 + number * letters_px * 1.6)
        ImageDraw.Draw(picture).text(place, line, fill="black", font=face)
    return np.asarray(picture)


def test_lines_come_in_reading_order_without_those_that_are_not_sure():
    sheet = Sheet(
        ((0, 60, 100, 80), "second", 0.9),
        ((0, 20, 100, 40), " first line ", 0.8),
        ((200, 0, 220, 20), "※", 0.2),
        ((0, 90, 50, 99), "", 0.99),
    )
    (page,) = Ocr(sheet).read([BLANK])
    assert page.lines == (
        OcrLine(text="first line", box_px=(0, 20, 100, 40), confidence=0.8),
        OcrLine(text="second", box_px=(0, 60, 100, 80), confidence=0.9),
    )
    assert page.lines_left_out == 0


def test_short_lines_must_be_surer_than_long_ones():
    sheet = Sheet(
        ((0, 0, 20, 20), "8", 0.9),
        ((0, 30, 20, 50), "9", 0.95),
        ((0, 60, 200, 80), "a longer line", 0.55),
    )
    (page,), (all_of_it,) = (Ocr(sheet).read([BLANK], least_confidence=least) for least in (0.5, 0))
    assert [line.text for line in page.lines] == ["9", "a longer line"]
    assert len(all_of_it.lines) == 3


def test_crops_of_all_pictures_are_read_at_once():
    sheet = Sheet(((0, 0, 50, 20), "one", 1.0), ((0, 30, 50, 50), "two", 1.0))
    pages = Ocr(sheet).read([BLANK] * 3)
    assert [[line.text for line in page.lines] for page in pages] == [["one", "two"]] * 3
    assert sheet.crops == [6]


def test_a_picture_of_thousands_of_words_is_bounded_and_says_what_it_leaves_out():
    sheet = Sheet(*[((0, row * 20, 90, row * 20 + 12), "a b c d", 1.0) for row in range(1000)])
    (page,) = Ocr(sheet).read([np.zeros((20_000, 100, 3), np.uint8)], most_words=30)
    assert len(page.lines) == 8
    assert page.lines_left_out == 992
    assert sum(sheet.crops) < 100


def test_text_without_spaces_is_bounded_as_well():
    sheet = Sheet(*[((0, row * 20, 90, row * 20 + 12), "拖放图片" * 30, 1.0) for row in range(9)])
    (page,) = Ocr(sheet).read([np.zeros((200, 100, 3), np.uint8)], most_words=40)
    assert (len(page.lines), page.lines_left_out) == (4, 5)


def test_boxes_are_those_of_the_picture_whatever_it_was_scaled_by():
    sheet = Sheet(((10, 5, 60, 15), "small", 1.0))
    sheet.texts = lambda places: [("small", 1.0)]
    (page,) = Ocr(sheet).read([np.zeros((101, 301, 3), np.uint8)], scale=0.5)
    assert page.lines[0].box_px == pytest.approx((20, 10, 120, 30), rel=0.02)
    assert sheet.sizes == [(96, 192)]


def test_places_too_thin_for_letters_are_passed_over():
    sheet = Sheet(((10, 5, 60, 15), "seen", 1.0))
    thin = np.array([[[0, 0], [50, 50], [50, 50.5], [0, 0.5]]], np.float32) + BORDER_PX
    sheet.corners = lambda picture: np.concatenate([Sheet.corners(sheet, picture), thin])
    (page,) = Ocr(sheet).read([BLANK])
    assert [line.text for line in page.lines] == ["seen"]


def test_a_line_of_a_part_is_placed_in_the_whole():
    line = OcrLine(text="x", box_px=(0, 0, 10, 5), confidence=1.0).moved(30, 15)
    assert line.region((40, 80)) == (30 / 80, 15 / 40, 40 / 80, 20 / 40)


def test_rows_that_are_written_from_the_right_are_read_from_the_right():
    left, right = ((0, 0, 100, 20), "םלוע", 1.0), ((200, 0, 300, 20), "םולש", 1.0)
    (page,) = Ocr(Sheet(left, right)).read([BLANK])
    assert [line.text for line in page.lines] == ["שלום", "עולם"]


def test_no_picture_and_no_text_are_no_lines():
    reader = Ocr(Sheet())
    assert reader.read([]) == []
    assert [page.lines for page in reader.read([BLANK])] == [()]


@pytest.mark.parametrize("missing", ["rapidocr", "onnxruntime"])
def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependencyError, match=rf"'{missing}'.*framesift\[ocr\]"):
        ocr()


def test_a_language_that_is_not_known_is_refused_with_those_that_are():
    pytest.importorskip("rapidocr")
    with pytest.raises(InvalidOptionError, match=r"language='klingon' .* ch, .*models=FOLDER"):
        ocr(language="klingon")


@pytest.mark.parametrize("language", ["en", "de", "ch", "zh", "ja", "vi"])
def test_languages_are_known_by_their_usual_codes(language):
    pytest.importorskip("rapidocr")
    assert registry.create(f"screen:language={language}").spec == f"screen:language={language}"


def test_a_folder_without_its_files_is_one_line(tmp_path):
    pytest.importorskip("rapidocr")
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InvalidOptionError, match=r"one file \*det\*\.onnx, found none"):
            ocr(folder)
    (tmp_path / "my_det.onnx").write_bytes(b"no model")
    with pytest.raises(InvalidOptionError, match=r"one file \*rec\*\.onnx, found none"):
        ocr(tmp_path)
    (tmp_path / "my_rec.onnx").write_bytes(b"no model")
    with pytest.raises(InvalidOptionError, match=r"my_rec\.onnx' is not an ONNX model"):
        ocr(tmp_path)
    (tmp_path / "letters.txt").write_text("a\nb")
    with pytest.raises(InvalidOptionError, match=r"cannot be run as models that find and read"):
        ocr(tmp_path)
    (tmp_path / "your_det.onnx").write_bytes(b"")
    with pytest.raises(InvalidOptionError, match=r"found my_det\.onnx, your_det\.onnx"):
        ocr(tmp_path)


@pytest.fixture(scope="module")
def real():
    pytest.importorskip("rapidocr")
    return ocr()


@pytest.mark.slow
def test_real_models_read_what_was_written(real):
    lines = ("Quarterly report 2026", "Invoice no. 4711", "Total: 1,250.50 EUR")
    (page,) = real.read([written(*lines)])
    assert [line.text for line in page.lines] == list(lines)
    assert all(line.confidence > 0.9 for line in page.lines)
    assert ocr() is real


@pytest.mark.slow
def test_a_narrow_part_reads_as_well_as_the_whole(real):
    whole = written("The first line of text", "The second line of text", size=(700, 90))
    pages = real.read([whole[36:72], np.ascontiguousarray(whole[36:72, 80:300])])
    assert [line.text for line in pages[0].lines] == ["The second line of text"]
    assert "line" in pages[1].lines[0].text


@pytest.mark.slow
def test_lines_of_a_wide_screen_are_read_to_their_end(real):
    text = " ".join(f"column {number} holds {number * 7919}" for number in range(17))
    (page,) = real.read([written(text, size=(3840, 40))])
    assert " ".join(line.text for line in page.lines) == text


@pytest.mark.slow
def test_letters_with_marks_are_read(real):
    fonts = Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts" / "ttf"
    lines = ("Grüße aus Köln", "naïve façade")
    (page,) = real.read([written(*lines, letters_px=28, font=fonts / "DejaVuSans.ttf")])
    assert [line.text for line in page.lines] == list(lines)


@pytest.mark.slow
def test_threads_read_what_one_thread_reads(real):
    pictures = [written(f"Sheet number {number}", size=(320, 64)) for number in range(6)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: real.read([picture]), pictures))
    assert together == [real.read([picture]) for picture in pictures]


@pytest.mark.slow
def test_models_of_a_folder_are_read_without_a_download(real, tmp_path):
    import rapidocr

    for name in ("det", "rec"):
        packaged = Path(rapidocr.__file__).parent / "models" / f"PP-OCRv6_{name}_small.onnx"
        (tmp_path / f"mine_{name}.onnx").symlink_to(packaged)
    picture = written("From a folder")
    assert ocr(tmp_path, language="klingon").read([picture]) == real.read([picture])


@pytest.mark.slow
def test_reading_says_nothing_by_itself_and_leaves_the_log_as_it_was():
    pytest.importorskip("rapidocr")
    code = (
        "import logging, numpy as np\n"
        "from framesift.readers.ocr import ocr\n"
        "import rapidocr.utils.log\n"
        "level = logging.getLogger('RapidOCR').level\n"
        "ocr().read([np.zeros((64, 64, 3), np.uint8)])\n"
        "assert logging.getLogger('RapidOCR').level == level\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
