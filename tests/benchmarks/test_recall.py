"""Facts about real clips, the text of one of them, and which frames show them."""

import click
import pytest

from benchmarks.effort import FULL
from benchmarks.sections import recall
from framesift.evaluation.answers.real_clips import known_clips
from framesift.sources.timed_text import parse_timed_text


def test_without_the_clips_there_is_nothing_to_measure():
    with pytest.raises(click.UsageError, match="--clips FOLDER"):
        recall.measure(FULL, None)


def test_facts_are_about_known_clips_and_their_times_do_not_descend():
    assert recall.FACTS.keys() < known_clips().keys()
    for facts in recall.FACTS.values():
        for spans in facts.values():
            edges = [edge for span in spans for edge in span]
            assert edges == sorted(edges)
            assert all(start < end for start, end in spans)


def test_a_fact_is_shown_by_a_frame_of_its_time():
    spans = ((1.0, 2.0), (5.0, 6.0))
    assert recall.is_shown(spans, [0.0, 2.0])
    assert recall.is_shown(spans, [5.5])
    assert not recall.is_shown(spans, [0.9, 2.1, 6.1])


def test_the_best_choice_shows_most_facts_with_each_frame():
    facts = {
        "a": ((0.0, 1.0),),
        "b": ((3.0, 5.0),),
        "c": ((4.0, 6.0),),
        "d": ((8.0, 9.0), (4.5, 4.6)),
    }
    assert sum(recall.most_shown(facts, 1)) == 3
    assert recall.most_shown(facts, 2) == [True] * 4


def test_the_answers_stand_in_the_text_of_the_screen_while_they_are_shown():
    lines = parse_timed_text(recall.TEXT.read_bytes())
    answers = {
        recall.GLOVE: "hanging from the ceiling",
        recall.CHILD: "trying to read a book",
        recall.FLAG: "gymnastics competition",
    }
    for (start, end), words in answers.items():
        found = [line for line in lines if words in line.text]
        assert len(found) == 1
        assert found[0].start_seconds <= end
        assert found[0].end_seconds >= start
    assert {span for _, span in recall.QUESTIONS} == answers.keys()


@pytest.mark.clips
@pytest.mark.slow
def test_timed_text_finds_every_answer_and_aims_better_than_even_spacing(clips):
    section = recall.results(clips, [4], ["uniform", "keyframes"])
    rows = {(row["video"], row["name"]): row for row in section["rows"]}
    even = rows["questions", "uniform 4"]
    for spec in recall.BY_TEXT:
        assert rows["questions", f"{spec} 4"]["share"] == 1.0 > even["share"]
        assert rows["questions", f"{spec} 4"]["aim"] > even["aim"]
    assert rows["questions", "topk:scorer=text 4"]["aim"] >= 4 * even["aim"]
    best = rows["facts", "oracle 4"]["share"]
    assert all(row["share"] <= best for (kind, _), row in rows.items() if kind == "facts")
    assert rows["facts", "keyframes 4"]["share"] >= rows["facts", "uniform 4"]["share"]
