import numpy as np
import pytest
from PIL import Image

from framesift.report import contact_sheet
from framesift.report.contact_sheet import write_contact_sheet

MARK = (0xF2, 0xA9, 0x3B)
PAPER = (0x11, 0x15, 0x1B)
LINE = (0x58, 0xB2, 0xC5)


def sheet_of(tmp_path, video, frames, keyframes) -> np.ndarray:
    path = tmp_path / "new" / "sheet.png"
    write_contact_sheet(path, video=video, frames=frames, keyframes=keyframes)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("frame_count", [1, 2, 7, 60, 300])
def test_size_stays_readable(tmp_path, sifted, frame_count):
    sheet = sheet_of(tmp_path, *sifted(frame_count=frame_count))
    assert sheet.shape[1] <= contact_sheet.WIDTH_PX
    assert sheet.shape[0] <= 2 * contact_sheet.WIDTH_PX


def test_a_whole_frame_is_found_untouched_in_the_first_cell(tmp_path, sifted):
    video, frames, _ = sifted(frame_count=6)
    sheet = sheet_of(tmp_path, video, frames, [])
    top, left = contact_sheet.MARGIN_PX + contact_sheet.HEADER_PX, contact_sheet.MARGIN_PX
    np.testing.assert_array_equal(sheet[top : top + 36, left : left + 64], frames.data[0])


def test_only_keyframes_are_framed(tmp_path, sifted):
    video, frames, keys = sifted(frame_count=6, keyframes=1)
    top, left = contact_sheet.MARGIN_PX + contact_sheet.HEADER_PX, contact_sheet.MARGIN_PX
    edge = (slice(top, top + 36), left - 2)
    assert (sheet_of(tmp_path, video, frames, keys)[edge] == MARK).all()
    assert (sheet_of(tmp_path, video, frames, [])[edge] == PAPER).all()


def test_a_long_headline_ends_at_the_margin(tmp_path, sifted):
    sheet = sheet_of(tmp_path, *sifted(strategy="chain:" + "a=1," * 200))
    header = sheet[: contact_sheet.MARGIN_PX + contact_sheet.HEADER_PX - 6]
    assert (header[:, -contact_sheet.MARGIN_PX + 2 :] == PAPER).all()
    assert (header != PAPER).any()


def test_tall_frames_fit_too(tmp_path, sifted):
    video, frames, keys = sifted(frame_count=30)
    tall = type(frames)(
        data=frames.data.transpose(0, 2, 1, 3).repeat(4, axis=1),
        pts_seconds=frames.pts_seconds,
        indices=frames.indices,
    )
    assert sheet_of(tmp_path, video, tall, keys).shape[1] <= contact_sheet.WIDTH_PX


def test_a_failure_leaves_nothing(tmp_path, sifted):
    video, frames, keys = sifted()
    with pytest.raises(ValueError, match="at least one picture"):
        write_contact_sheet(tmp_path / "a.png", video=video, frames=frames[:0], keyframes=keys)
    assert list(tmp_path.iterdir()) == []


def test_a_line_joins_the_frames_of_a_segment_and_no_others(tmp_path, segmented):
    video, frames, _ = segmented(frame_count=8, length=4)
    sheet = sheet_of(tmp_path, video, frames, [])
    top, left = contact_sheet.MARGIN_PX + contact_sheet.HEADER_PX, contact_sheet.MARGIN_PX
    row = sheet[top + 36 + contact_sheet.CAPTION_PX + 3, left:]
    step = 64 + contact_sheet.GAP_PX
    joined = [(row[i * step + 64 : (i + 1) * step] == LINE).all() for i in range(4)]
    assert joined == [True, True, True, False]
    framed = [(sheet[top : top + 36, left + i * step - 2] == LINE).all() for i in range(4)]
    assert framed == [True, False, False, False]


@pytest.mark.parametrize(("length", "columns"), [(4, 8), (5, 10), (10, 10), (40, 6)])
def test_rows_hold_whole_segments_where_they_can(tmp_path, segmented, length, columns):
    video, frames, _ = segmented(frame_count=40, length=length)
    sheet = sheet_of(tmp_path, video, frames, [])
    wide = 2 * contact_sheet.MARGIN_PX + columns * (64 + contact_sheet.GAP_PX)
    assert sheet.shape[1] == wide - contact_sheet.GAP_PX
