"""Where a query is said or written: by words, in which lines, from when to when."""

import logging

import pytest

from benchmarks.sections import recall
from benchmarks.sections.text_retrieval import FOREIGN, FURTHER, QUESTIONS
from framesift.scorers.text_search import text_matches
from framesift.sources.timed_text import parse_timed_text
from framesift.types.video import TimedText

TALK = (
    (0.0, 3.0, "welcome to the cooking show"),
    (3.2, 6.0, "first we boil the water"),
    (6.0, 9.0, "then the noodles go in"),
    (20.0, 23.0, "the sauce is made of tomatoes"),
    (23.5, 26.0, "and a little salt"),
)


def said(*lines):
    return [TimedText(start_seconds=a, end_seconds=b, text=text) for a, b, text in lines]


def shown(start, end, text, y=0.5, **more):
    box = (0.1, y, 0.9, y + 0.03)
    return TimedText(start_seconds=start, end_seconds=end, text=text, box=box, **more)


def spans(lines, query, count=3, **options):
    found = text_matches(lines, query, count, **options)
    return [(match.start_seconds, match.end_seconds) for match in found]


def test_words_are_found_where_they_are_said():
    (match,) = text_matches(said(*TALK), "What is the sauce made of?", 3)
    assert (match.start_seconds, match.end_seconds) == (20.0, 23.0)
    assert 20.0 < match.best_seconds < 23.0
    assert match.reason == "the text has 'sauce', 'made' of the query"
    assert [line.text for line in match.lines] == ["the sauce is made of tomatoes"]
    assert match.score == 1.0


def test_words_of_lines_one_after_the_other_count_together():
    assert spans(said(*TALK), "noodles in boiling water") == [(3.2, 9.0)]


@pytest.mark.parametrize(
    "query", ["a red bicycle", "Who wins the race?", "the price of salt in Norway last year"]
)
def test_what_is_not_there_is_not_found(query):
    assert spans(said(*TALK), query) == []


def test_nothing_is_found_in_nothing():
    assert spans([], "sauce") == []
    assert spans(said((0.0, 1.0, "  "), (1.0, 2.0, "...")), "sauce") == []


@pytest.mark.parametrize("query", ["???", "\N{GRINNING FACE}", "of which", "x" * 5000])
def test_queries_without_a_word_that_is_there_find_nothing(query):
    assert spans(said(*TALK[1:2]), query) == []


def test_marks_and_letters_of_any_direction_are_text():
    lines = said(
        (0.0, 2.0, "hello <|im_start|> <b>"), (9.0, float("inf"), "\u05e9\u05dc\u05d5\u05dd")
    )
    assert spans(lines, "<|im_start|>") == [(0.0, 2.0)]
    assert spans(lines, "\u05e9\u05dc\u05d5\u05dd") == [(9.0, float("inf"))]


def test_a_title_that_stays_is_found_where_it_first_stands():
    lines = [shown(0.0, 60.0, "Chapter two: the whale"), shown(30.0, 40.0, "A ship", y=0.7)]
    (match,) = text_matches(lines, "whale", 3)
    assert (match.start_seconds, match.end_seconds) == (0.0, 60.0)
    assert match.best_seconds < 1.0


def test_an_answer_is_found_and_not_the_question_that_stood_there_before():
    lines = [
        shown(0.0, 60.0, "Why is the whale white?", y=0.1),
        shown(20.0, 60.0, "The whale is white because of its age", y=0.5),
        shown(40.0, 50.0, "A ship", y=0.8),
    ]
    best = text_matches(lines, "the age of the white whale", 3)[0]
    assert (best.start_seconds, best.end_seconds) == (20.0, 60.0)
    assert "because" in best.lines[-1].text


def test_a_line_that_stands_again_is_found_at_its_first_time():
    (line,) = [shown(2.0, 4.0, "Total: 42 euros", again_seconds=((90.0, 95.0),))]
    assert spans([line, shown(30.0, 40.0, "Cart")], "total in euros")[0] == (2.0, 4.0)


def test_at_most_as_many_come_as_asked_the_best_first_and_none_twice():
    lines = said((0.0, 2.0, "salt"), (20.0, 22.0, "salt and pepper"), (40.0, 42.0, "salt"))
    assert spans(lines, "salt and pepper", 1) == [(20.0, 22.0)]
    every = spans(lines, "salt", 9)
    assert sorted(every) == [(0.0, 2.0), (20.0, 22.0), (40.0, 42.0)]


def test_scripts_without_spaces_and_forms_of_a_word_are_found():
    lines = said((0.0, 2.0, "拖放图片至此处"), (20.0, 22.0, "two gloves hang there"))
    assert spans(lines, "图片") == [(0.0, 2.0)]
    assert spans(lines, "glove") == [(20.0, 22.0)]


def test_questions_about_a_screen_recording_find_the_stretch_in_the_text_that_was_read():
    lines = parse_timed_text(recall.TEXT.read_bytes())
    for questions in (QUESTIONS, FURTHER):
        firsts = {question: text_matches(lines, question, 1) for question in questions}
        right = [
            question
            for question, found in firsts.items()
            if found and questions[question][0] <= found[0].best_seconds < questions[question][1]
        ]
        assert len(right) >= 7, set(questions) - set(right)
    assert not any(text_matches(lines, query, 1) for query in FOREIGN)


def test_a_search_logs_nothing(caplog):
    with caplog.at_level(logging.DEBUG):
        assert spans(said(*TALK), "tomatoes")
    assert caplog.records == []
