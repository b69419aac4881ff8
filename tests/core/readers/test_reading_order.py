"""Columns stay together, rows go from side to side, and each script keeps its own order."""

import time

import numpy as np
import pytest

from framesift.readers.reading_order import is_leftwards, logical_order, reading_order

HEADING, LEFT_1, RIGHT_1, LEFT_2, RIGHT_2 = (
    (10, 0, 400, 20),
    (10, 30, 180, 50),
    (220, 31, 390, 51),
    (10, 60, 180, 80),
    (220, 61, 390, 81),
)


def test_columns_are_read_one_after_the_other_below_their_heading():
    boxes = np.array([RIGHT_2, LEFT_1, HEADING, RIGHT_1, LEFT_2], float)
    assert reading_order(boxes) == [2, 1, 4, 3, 0]


def test_what_is_written_from_the_right_is_read_from_the_right():
    boxes = np.array([RIGHT_2, LEFT_1, HEADING, RIGHT_1, LEFT_2], float)
    assert reading_order(boxes, leftwards=True) == [2, 3, 0, 1, 4]


def test_words_of_a_row_that_stands_a_little_askew_stay_in_their_row():
    boxes = np.array([[60, 4, 110, 24], [0, 0, 55, 20], [50, 26, 90, 46], [0, 24, 45, 44]], float)
    assert reading_order(boxes) == [1, 0, 3, 2]


@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), np.array([[3.0, 3, 9, 9]])])
def test_no_box_and_one_box_are_in_order(boxes):
    assert reading_order(boxes) == list(range(len(boxes)))


def test_thousands_of_lines_are_ordered_within_a_second():
    rows = np.arange(4000.0)
    boxes = np.stack([rows * 0, rows * 12, rows * 0 + 300, rows * 12 + 10], axis=1)
    start = time.process_time()
    assert reading_order(boxes[::-1]) == list(range(3999, -1, -1))
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("seen", "typed"),
    [
        ("Input Video", "Input Video"),
        ("拖放 - 或", "拖放 - 或"),
        ("", ""),
        ("םלוע םולש", "שלום עולם"),
        (".2026 ,27 רבמבונ", "נובמבר 27, 2026."),
        ("₪ 1,250.50 :ריחמ", "מחיר: 1,250.50 ₪"),
        ("(םולש)", "(שלום)"),
        ("Word 11 תא ןקתה", "התקן את Word 11"),
        ("the word םולש means peace", "the word שלום means peace"),
        ("ملاس", "سالم"),
    ],
)
def test_letters_stand_in_the_order_in_which_they_are_typed(seen, typed):
    assert logical_order(seen) == typed


def test_the_script_of_most_letters_decides_where_reading_begins():
    assert is_leftwards(["שלום עולם", "ok", "12345"])
    assert not is_leftwards(["שלום", "Input Video"])
    assert not is_leftwards([])
