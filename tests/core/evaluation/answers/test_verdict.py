from answers_made_by_hand import log, marked
from framesift.evaluation.answers.log import WHOLE
from framesift.evaluation.answers.verdict import verdict

ALL = {"a": "++++", "b": "++++", "c": "++++"}
MOST = {"a": "+++-", "b": "+++-", "c": "+++-"}
FEW = {"a": "+---", "b": "+---", "c": "+---"}


def test_best_default_and_baselines_are_told_with_what_they_keep():
    answers = [
        *marked(ALL, strategy=WHOLE, keep=1.0),
        *marked(MOST, strategy="temporal"),
        *marked(FEW, strategy="random"),
        *marked(ALL, strategy="evs"),
    ]
    lines = verdict(log(answers))
    assert lines[0] == "right answers: all tokens 100.0%"
    assert lines[1].startswith("at keep 0.25, share of the whole's right answers: evs 100.0% (")
    assert "temporal 75.0% (75.0% to 75.0%)" in lines[1]
    assert lines[2].startswith("at keep 0.25, evs is 75.0% (")
    assert lines[2].endswith("of all answers ahead of random")
    assert lines[3] == "at keep 0.25, random loses 75.0% (75.0% to 75.0%) of all answers"
    assert len(lines) == 4


def test_the_crossover_is_told_where_both_curves_are_there():
    curves = [
        answer
        for keep in (0.1, 0.25, 0.5)
        for name, marks in (("temporal", MOST), ("uniform", FEW))
        for answer in marked(marks, strategy=name, keep=keep)
    ]
    lines = verdict(log([*marked(ALL, strategy=WHOLE, keep=1.0), *curves]))
    assert "temporal" in lines[-1]
    assert "uniform" in lines[-1]


def test_empty_answers_are_counted_as_wrong():
    silent = [a.model_copy(update={"said": " "}) for a in marked(FEW, strategy=WHOLE, keep=1.0)]
    assert verdict(log(silent))[-1] == "12 of 12 answers were empty, and count as wrong"


def test_without_the_whole_there_is_nothing_to_compare_with():
    assert verdict(log(marked(ALL, strategy="temporal"))) == []
