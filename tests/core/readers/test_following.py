"""Lines are followed over frames: each is one entry, with the times at which it stands there."""

import time

import pytest

from framesift.readers.following import LineFollower
from framesift.readers.seen import SeenLine, Shift

ROW = 0.05


def line(text, row=0, left=0.1, confidence=0.9):
    """Returns a line whose letters are a hundredth of the picture wide."""
    box = (left, row * ROW, left + 0.01 * len(text), row * ROW + 0.03)
    return SeenLine(text=text, box=box, confidence=confidence)


def followed(*frames, **see):
    follower = LineFollower()
    for second, lines in enumerate(frames):
        follower.see(float(second), lines, **see)
    return follower.ended(float(len(frames)), "screen")


def spans(lines):
    return [
        (each.text, each.start_seconds, each.end_seconds, *each.again_seconds) for each in lines
    ]


def test_a_line_that_stays_is_one_entry_with_start_and_end():
    found = followed([], [line("Settings")], [line("Settings")], [])
    assert spans(found) == [("Settings", 1, 3)]
    assert found[0].source == "screen"
    assert found[0].box == line("Settings").box


def test_lines_come_by_time_then_in_the_order_in_which_they_were_read():
    found = followed([line("below", 5), line("above", 1)], [line("above", 1), line("below", 5)])
    assert [each.text for each in found] == ["below", "above"]


def test_one_text_in_two_places_is_two_lines():
    both = [line("Upload", 1), line("Upload", 8)]
    assert spans(followed(both, both[1:], both)) == [("Upload", 0, 3), ("Upload", 0, 3)]
    assert spans(followed(both, both[1:], [], [], both)) == [
        ("Upload", 0, 1, (4, 5)),
        ("Upload", 0, 2, (4, 5)),
    ]


def test_the_best_reading_of_a_line_wins():
    found = followed(
        [line("Describe the vide0 here", confidence=0.7)],
        [line("Describe the video here", confidence=0.95)],
        [line("Descrlbe the vidco here", confidence=0.6)],
    )
    assert spans(found) == [("Describe the video here", 0, 3)]
    assert found[0].confidence == 0.95


@pytest.mark.parametrize("other", ["Page 12 of 300", "Page 3 of 20", "Chapter one"])
def test_other_numbers_and_other_words_are_other_lines(other):
    found = followed([line("Page 2 of 20")], [line("Page 2 of 20")], [line(other)])
    assert spans(found) == [("Page 2 of 20", 0, 2), (other, 2, 3)]


def test_typing_grows_one_line():
    texts = ["def", "def rea", "def read(vid", "def read(video):"]
    found = followed(*[[line(text)] for text in texts], [line(texts[-1])])
    assert spans(found) == [("def read(video):", 0, 5)]


def test_a_text_with_another_number_did_not_grow():
    found = followed([line("Room 5")], [line("Room 5")], [line("Room 7123")])
    assert spans(found) == [("Room 5", 0, 2), ("Room 7123", 2, 3)]


def test_text_from_right_to_left_grows_at_its_left():
    def typed(text):
        return SeenLine(text=text, box=(0.9 - 0.01 * len(text), 0.1, 0.9, 0.13), confidence=0.9)

    whole = "שלום עולם טוב"
    found = followed([typed(whole[:6])], [typed(whole[:9])], [typed(whole)])
    assert spans(found) == [(whole, 0, 3)]


def test_a_line_seen_again_keeps_its_first_time():
    found = followed([line("Start page")], [line("Other page")], [], [line("Start pagc", 3)])
    assert spans(found) == [("Start page", 0, 1, (3, 4)), ("Other page", 1, 2)]


def test_a_line_that_was_missed_once_did_not_go_away():
    assert spans(followed([line("Send")], [], [line("Send")])) == [("Send", 0, 3)]


def test_scrolled_lines_are_followed_without_being_told_how_far():
    texts = [f"{word} of the long text" for word in ("beginning", "middle", "heart", "ending")]
    frames = [
        [line(texts[number], 2 * (number - top)) for number in range(top, min(4, top + 2))]
        for top in range(3)
    ]
    assert spans(followed(*frames)) == [
        (texts[0], 0, 1),
        (texts[1], 0, 2),
        (texts[2], 1, 3),
        (texts[3], 2, 3),
    ]


def test_a_shift_moves_lines_that_are_not_read_again():
    follower = LineFollower()
    follower.see(0, [line("kept", 10), line("leaves", 1), line("beside", 10, left=0.7)])
    page = Shift(region=(0, 0, 0.6, 1), by=(0.0, -2 * ROW))
    follower.see(1, [line("enters", 18)], [(0, 0.9, 0.6, 1.0)], [page])
    assert [round(place[1] / ROW) for place in follower.places] == [8, 10, 18]
    assert spans(follower.ended(2, "screen")) == [
        ("kept", 0, 2),
        ("leaves", 0, 1),
        ("beside", 0, 2),
        ("enters", 1, 2),
    ]


def test_a_line_that_seemed_to_leave_and_is_read_again_stays():
    follower = LineFollower()
    follower.see(0, [line("stays")])
    page = Shift(region=(0, 0, 1, 1), by=(0.0, -2 * ROW))
    follower.see(1, [line("stays")], [(0, 0, 1, 0.1)], [page])
    assert spans(follower.ended(2, "screen")) == [("stays", 0, 2)]


def test_a_line_that_moves_out_of_the_picture_leaves():
    follower = LineFollower()
    follower.see(0, [line("leaves"), line("stays", 4)])
    follower.see(1, [], [], [Shift(region=(-1, -1, 2, 2), by=(0.0, -0.1))])
    assert spans(follower.ended(2, "screen")) == [("leaves", 0, 1), ("stays", 0, 2)]


def test_a_line_that_is_read_close_to_where_it_was_thought_to_be_is_the_same():
    follower = LineFollower()
    follower.see(0, [line("stays close", 4)])
    page = Shift(region=(0, 0, 1, 1), by=(0.0, 0.025))
    follower.see(1, [line("stays close", 4)], [(0, 0.19, 1, 0.23)], [page, page])
    assert spans(follower.ended(2, "screen")) == [("stays close", 0, 2)]


def test_what_could_hardly_be_read_is_doubtful_for_one_frame():
    follower = LineFollower()
    follower.see(0, [line("sem", 4, confidence=0.6), line("Settings")])
    assert follower.doubtful == [line("sem", 4).box]
    follower.see(1, [line("Send", 4)], [(0, 0.2, 1, 0.25)])
    assert follower.doubtful == []
    assert spans(follower.ended(2, "screen")) == [("Send", 0, 2), ("Settings", 0, 2)]


@pytest.mark.parametrize("confidence", [0.6, 0.95])
def test_a_line_that_came_in_half_is_told_as_it_stands_whole(confidence):
    half, whole = line("4. dooort anbor zobrd", 6, confidence=confidence), "4. desert amber zebra"
    found = followed([half], [line(whole, 6, confidence=0.98)], [line(whole, 6)])
    both = [(half.text, 0, 1), (whole, 1, 3)]
    assert spans(found) == ([(whole, 0, 3)] if confidence < 0.9 else both)


def test_a_line_that_goes_out_half_is_told_as_it_stood_whole():
    whole, half = "4. desert amber zebra", "4. dooort anbor zobrd"
    follower = LineFollower()
    follower.see(0, [line(whole, 1)])
    page = Shift(region=(0, 0, 1, 1), by=(0.0, -0.07))
    cut = SeenLine(text=half, box=(0.1, 0.0, 0.31, 0.01), confidence=0.8)
    follower.see(1, [cut], [(0, 0, 1, 0.03)], [page])
    follower.see(2, [], [(0, 0, 1, 0.03)])
    assert spans(follower.ended(3, "screen")) == [(whole, 0, 2)]


def test_equal_rows_of_a_table_that_is_scrolled_are_rows_of_their_own():
    follower = LineFollower()
    follower.see(0, [line("yes", row) for row in (4, 6, 8)])
    table = Shift(region=(0, 0.2, 1, 0.5), by=(0.0, -2 * ROW))
    follower.see(1, [line("yes", 8)], [(0, 0.4, 1, 0.5)], [table])
    assert [round(place[1] / ROW) for place in follower.places] == [8, 4, 6]
    assert spans(follower.ended(2, "screen")) == [("yes", 0, 2)] * 3


def test_a_line_that_grew_is_known_when_it_comes_back():
    texts = ["Deer", "Deer Mr", "Deer Mr Smith"]
    frames = [[line(text)] for text in texts]
    assert spans(followed(*frames, [], [], frames[-1])) == [("Deer Mr Smith", 0, 3, (5, 6))]


def test_what_was_not_read_stays():
    follower = LineFollower()
    follower.see(0, [line("left"), line("right", left=0.7)])
    follower.see(1, [], [(0.5, 0.0, 1.0, 1.0)])
    follower.see(2, [], [])
    assert spans(follower.ended(3, "screen")) == [("left", 0, 3), ("right", 0, 1)]


def test_a_piece_of_a_line_that_was_read_in_part_is_no_news():
    follower = LineFollower()
    follower.see(0, [line("What is unusual about this image")])
    follower.see(1, [line("this image", left=0.32)], [(0.3, 0.0, 1.0, 1.0)])
    assert spans(follower.ended(2, "screen")) == [("What is unusual about this image", 0, 2)]


def test_words_that_are_one_line_or_two_are_the_same_lines():
    one = [line("Upvote Downvote")]
    two = [line("Upvote"), line("Downvote", left=0.17)]
    assert spans(followed(one, two, one)) == [("Upvote Downvote", 0, 3)]
    assert spans(followed(two, one, two)) == [("Upvote", 0, 3), ("Downvote", 0, 3)]


def test_a_clock_is_one_line():
    found = followed(*[[line(f"{second}.8s / 9.0s")] for second in range(6)])
    assert spans(found) == [("0.8s / 9.0s", 0, 6)]


@pytest.mark.parametrize("text", ["<|im_end|>", "<b>&amp;</b>", "{{7*7}}", "→", "a\u202eb", "漢字"])
def test_text_stays_text(text):
    assert spans(followed([line(text)], [line(text)])) == [(text, 0, 2)]


def test_empty_lines_are_none():
    assert followed([line("  "), line("")]) == ()


def test_thousands_of_lines_that_are_much_alike_are_followed_within_seconds():
    def crowd(word):
        return [
            SeenLine(
                text=f"{word} bridge {40 * row + column}",
                box=(column / 40, row / 25, column / 40 + 0.02, row / 25 + 0.03),
                confidence=0.95,
            )
            for row in range(25)
            for column in range(40)
        ]

    start = time.perf_counter()
    found = followed(crowd("amber"), crowd("desert"), crowd("engine"))
    assert len(found) == 3000
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("confidence", [0.95, 0.8])
def test_a_number_that_stays_after_one_that_did_not_is_told(confidence):
    last = [line("Step 3 of 3", confidence=confidence)]
    found = followed([line("Step 1 of 3")], [line("Step 2 of 3")], last, last, last)
    assert spans(found) == [("Step 1 of 3", 0, 1), ("Step 2 of 3", 1, 2), ("Step 3 of 3", 2, 5)]


def test_two_numbers_are_no_clock_yet():
    found = followed([line("Total 120 euro")], [line("Total 250 euro")])
    assert spans(found) == [("Total 120 euro", 0, 1), ("Total 250 euro", 1, 2)]


def test_the_number_at_which_a_counter_stops_is_told():
    frames = [[line(f"{count} of 40 done")] for count in (10, 20, 30, 35, 40, 40, 40)]
    found = followed(*frames, [])
    assert spans(found) == [("10 of 40 done", 0, 4), ("40 of 40 done", 4, 7)]


def test_another_text_that_can_hardly_be_read_is_told_where_it_stays():
    first, other = line("Invoice paid on Monday", confidence=0.95), "Invoice paid on Friday"
    found = followed([first], [first], *[[line(other, confidence=0.8)]] * 3)
    assert spans(found) == [(first.text, 0, 2), (other, 2, 5)]
