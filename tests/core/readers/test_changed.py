"""Only what changed is read: whole lines of it, once, wherever they moved to."""

import itertools
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from framesift.readers.changed import Change, ChangedParts

SIZE = 320, 480
LINE_PX = 20
TEXTS = [f"{word} {number * 37} of the page" for number, word in enumerate("abcdefghijklmnop")]


def page(lines, size=SIZE, shade=255, ink=0):
    """Returns a picture of lines by their places `(x, y)`, and their boxes."""
    picture = Image.new("RGB", size[::-1], (shade,) * 3)
    draw, face, boxes = ImageDraw.Draw(picture), ImageFont.load_default(15), []
    for place, text in lines:
        draw.text(place, text, fill=(ink,) * 3, font=face)
        boxes.append(draw.textbbox(place, text, font=face))
    return np.asarray(picture), boxes


def column(first=0, shift_px=0, count=12):
    """Returns lines below each other, moved down."""
    return [
        ((20, 30 + number * LINE_PX + shift_px), text)
        for number, text in enumerate(TEXTS[first : first + count])
    ]


def holds(part, box):
    return part[0] <= box[0] and part[1] <= box[1] and part[2] >= box[2] and part[3] >= box[3]


def overlaps(part, box):
    across = min(part[2], box[2]) - max(part[0], box[0])
    return across > 0 and min(part[3], box[3]) - max(part[1], box[1]) > 0


def after(*pictures, lines=()):
    """Returns what changed in the last picture."""
    parts = ChangedParts()
    for picture in pictures[:-1]:
        parts.next(picture)
    return parts.next(pictures[-1], lines)


def test_the_first_frame_is_read_whole_and_one_that_stays_is_not_read():
    picture, boxes = page(column())
    parts = ChangedParts()
    assert parts.next(picture) == Change(read=((0, 0, 480, 320),))
    noise = np.random.default_rng(0).integers(-3, 4, picture.shape)
    noisy = (picture.astype(int) + noise).clip(0, 255).astype(np.uint8)
    assert parts.next(noisy, boxes) == Change()


def test_a_frame_of_another_size_and_one_of_another_shot_are_read_whole():
    picture, _ = page(column())
    parts = ChangedParts()
    parts.next(picture)
    assert parts.next(picture[:200]).read == ((0, 0, 480, 200),)
    shot = np.random.default_rng(1).integers(0, 256, (200, 480, 3), np.uint8)
    assert parts.next(shot).read == ((0, 0, 480, 200),)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (7, 9), (8, 8), (33, 65), (2, 40_000)])
def test_frames_of_any_size_are_compared(size):
    before = np.zeros((*size, 3), np.uint8)
    picture = before.copy()
    picture[0, ::2] = 255
    boxes = [(0, 0, size[1], size[0])]
    change = after(before, picture, lines=boxes)
    parts = [*change.read, *change.cleared]
    assert all(0 <= x0 < x1 <= size[1] and 0 <= y0 < y1 <= size[0] for x0, y0, x1, y1 in parts)
    assert after(before, before, lines=boxes) == Change()


def test_a_new_line_is_read_and_its_neighbours_are_not():
    before, boxes = page(column(count=3))
    picture, more = page([*column(count=3), ((20, 96), "new here")])
    change = after(before, picture, lines=boxes)
    (part,) = change.read
    assert holds(part, more[-1])
    assert not any(overlaps(part, box) for box in boxes[:2])
    assert change.read_px < 0.03 * picture[..., 0].size


def test_a_letter_that_changes_is_read_with_its_line():
    before, boxes = page([((20, 30), "Total: 100 EUR for all of them"), ((20, 50), "below")])
    picture, _ = page([((20, 30), "Total: 180 EUR for all of them"), ((20, 50), "below")])
    (part,) = after(before, picture, lines=boxes).read
    assert holds(part, boxes[0])
    assert part[3] < boxes[1][1] + 5


def test_a_word_that_is_typed_is_read_with_the_line_before_it():
    before, boxes = page([((20, 30), "dear"), ((300, 30), "elsewhere")])
    picture, _ = page([((20, 30), "dear reader"), ((300, 30), "elsewhere")])
    (part,) = after(before, picture, lines=boxes).read
    assert holds(part, boxes[0])
    assert not overlaps(part, boxes[1])


def test_what_vanishes_is_cleared_and_not_read():
    before, boxes = page(column(count=3))
    picture, _ = page(column(count=2))
    change = after(before, picture, lines=boxes)
    assert change.read == ()
    (part,) = change.cleared
    assert holds(part, boxes[2])


def test_a_row_that_is_highlighted_has_no_other_text():
    before, boxes = page(column(count=5))
    picture = before.copy()
    picture[60:102] = (picture[60:102].astype(int) - 20).clip(0).astype(np.uint8)
    change = after(before, picture, lines=boxes)
    assert not any(overlaps(part, boxes[2]) for part in (*change.read, *change.cleared))


def test_what_appears_slowly_is_read_once_it_can_be_seen():
    before, _ = page([])
    parts, read = ChangedParts(), []
    parts.next(before)
    for ink in range(255, 95, -8):
        picture, boxes = page([((20, 30), "appearing")], ink=ink)
        read += parts.next(picture, boxes if read else []).read
    assert 2 <= len(read) < 20
    assert all(holds(part, boxes[0]) for part in read[1:])


@pytest.mark.parametrize("down", [-53, 37])
def test_a_page_that_is_scrolled_is_followed_and_only_what_comes_in_is_read(down):
    header = ((20, 4), "A header that stays")
    before, boxes = page([header, *column(first=2, count=12)])
    first = 0 if down > 0 else 2
    moved = [(place, text) for place, text in column(first, down - 40 * (first == 0), 16 - first)]
    picture, _ = page([line for line in moved if line[0][1] > 24])
    picture = np.concatenate([before[:24], picture[24:]])
    change = after(before, picture, lines=boxes)
    (scrolled,) = change.moved
    assert (scrolled.right_px, scrolled.down_px) == (0, down)
    assert not overlaps(scrolled.part, boxes[0])
    assert change.read_px < 0.3 * picture[..., 0].size
    inside = [box for box in boxes[1:] if box[1] + down >= 24 and box[3] + down < 320]
    for x0, y0, x1, y1 in inside[1:-1]:
        middle = ((x0 + x1) / 2, (y0 + y1) / 2)
        there = (middle[0], middle[1] + down) * 2
        assert overlaps(scrolled.part, (*middle, middle[0] + 1, middle[1] + 1))
        assert not any(holds(part, there) for part in change.read)


def test_a_line_in_the_place_of_one_that_moved_is_read_from_its_beginning():
    texts = [f"{90 + number}. line of a page" for number in range(10)]
    rows = [(20, 30 + number * LINE_PX) for number in range(11)]
    before, boxes = page([*zip(rows[:10], texts, strict=True), (rows[10], "100. zebra")])
    moved = [*texts[1:], "100. zebra", "101. amber"]
    picture, _ = page([*zip(rows, moved, strict=True)])
    change = after(before, picture, lines=boxes)
    (scrolled,) = change.moved
    assert scrolled.down_px == -LINE_PX
    (part,) = change.read
    assert holds(part, boxes[10])
    assert change.read_px < 0.1 * picture[..., 0].size


def test_lines_that_leave_the_frame_are_not_read():
    before, boxes = page(column(count=14))
    picture, _ = page(column(shift_px=-180, count=16))
    change = after(before, picture, lines=boxes)
    (scrolled,) = change.moved
    assert scrolled.down_px == -180
    assert all(0 <= y0 < y1 <= SIZE[0] for _, y0, _, y1 in (*change.read, *change.cleared))
    assert holds(change.read[-1], (20, 30 + 14 * LINE_PX - 180, 60, 45 + 15 * LINE_PX - 180))


def test_hundreds_of_lines_that_change_at_once_are_found_within_seconds():
    generator = np.random.default_rng(2)
    before = np.full((800, 1200, 3), 255, np.uint8)
    boxes = [(x, y, x + 40, y + 12) for y in range(8, 780, 16) for x in range(8, 1150, 48)]
    picture = before.copy()
    for x0, y0, x1, y1 in boxes[::3]:
        picture[y0:y1, x0:x1] = generator.integers(0, 2, (y1 - y0, x1 - x0, 1)) * 255
    start = time.process_time()
    change = after(before, picture, lines=boxes)
    assert time.process_time() - start < 3
    assert all(any(holds(part, box) for part in change.read) for box in boxes[::3])


def test_a_page_that_moves_by_parts_of_a_pixel_is_followed():
    pictures, boxes = [], []
    for shift in (0, -27):
        lines = [((40, 2 * y + shift), text) for (_, y), text in column()]
        large, places = page([], (640, 960)), []
        picture = Image.fromarray(large[0])
        for place, text in lines:
            ImageDraw.Draw(picture).text(place, text, fill="black", font=ImageFont.load_default(30))
            places.append(ImageDraw.Draw(picture).textbbox(place, text, ImageFont.load_default(30)))
        pictures.append(np.asarray(picture.resize((480, 320), Image.Resampling.BOX)))
        boxes.append([[side / 2 for side in place] for place in places])
    change = after(*pictures, lines=boxes[0])
    (moved,) = change.moved
    assert moved.down_px == pytest.approx(-13.5, abs=0.25)
    assert change.read_px < 0.3 * pictures[0][..., 0].size


def test_what_moves_to_the_side_is_followed():
    before, boxes = page(column())
    picture, _ = page([((x + 60, y), text) for (x, y), text in column()])
    change = after(before, picture, lines=boxes)
    (moved,) = change.moved
    assert (moved.right_px, moved.down_px) == (60, 0)
    assert change.read == ()


def test_lines_that_stay_among_those_that_move_are_not_taken_along():
    fixed = [((300, y), f"fixed {y}") for y in range(20, 300, 40)]
    before, boxes = page([*column(), *fixed])
    picture, _ = page([*column(shift_px=-9), *fixed])
    change = after(before, picture, lines=boxes)
    assert [each.down_px for each in change.moved] == [-9]
    stays = boxes[12:]
    assert not any(overlaps(each.part, box) for each in change.moved for box in stays)


@pytest.mark.parametrize("seed", range(5))
def test_parts_hold_all_that_changed_and_never_overlap(seed):
    generator = np.random.default_rng(seed)
    before, boxes = page(column())
    picture = before.copy()
    for x, y in generator.integers(0, (440, 290), (60 * (seed + 1), 2)):
        picture[y : y + 9, x : x + 5] = generator.integers(0, 256, (9, 5, 3))
    change = after(before, picture, lines=boxes)
    parts = [*change.read, *change.cleared]
    assert len(parts) <= 64
    left = np.abs(picture.astype(int) - before).max(-1)
    for x0, y0, x1, y1 in parts:
        left[y0:y1, x0:x1] = 0
    assert (left > 100).mean() < 1e-3
    assert not any(overlaps(*pair) for pair in itertools.combinations(parts, 2))
    for box in boxes:
        inner = box[0] + 5, box[1] + 5, box[2] - 5, box[3] - 5
        assert sum(overlaps(part, inner) for part in parts) <= 1
        assert all(holds(part, box) for part in parts if overlaps(part, inner))
