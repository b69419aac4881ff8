import json

import pytest

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.log import Answered, AnswerLog, Run

RUN = Run(settings={"vlm": "tiny"}, versions={"python": "3"}, machine="any", commit="unknown")


def answered(**changes):
    facts = {
        "video": "v",
        "question": "0",
        "kind": "number",
        "strategy": "uniform",
        "keep": 0.5,
        "tokens": 8,
        "tokens_before": 16,
        "expected": "44",
        "said": "44",
        "right": True,
    }
    return Answered(**{**facts, **changes})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "answers.jsonl"


def test_what_is_added_is_read_back(path):
    log = AnswerLog.opened(path, RUN)
    log.add(path, [answered(), answered(question="1", said="", right=False)])
    assert AnswerLog.read(path) == log
    assert len(path.read_text().splitlines()) == 3


def test_a_run_that_broke_off_in_a_line_goes_on_without_that_line(path):
    log = AnswerLog.opened(path, RUN)
    log.add(path, [answered(), answered(question="1")])
    path.write_text(path.read_text()[:-20])
    again = AnswerLog.opened(path, RUN)
    assert [answer.question for answer in again.answers] == ["0"]
    again.add(path, [answered(question="2")])
    assert [answer.question for answer in AnswerLog.read(path).answers] == ["0", "2"]


def test_a_log_of_another_run_is_refused_and_stays(path):
    AnswerLog.opened(path, RUN)
    before = path.read_text()
    other = RUN.model_copy(update={"settings": {"vlm": "llava", "split": "test"}})
    with pytest.raises(InvalidOptionError, match="split='test' and not None, vlm='llava' and not"):
        AnswerLog.opened(path, other)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (json.dumps({"video": "v"}), "line 2: question: Field required"),
        ("no json\n{}", "line 2: the line: Invalid JSON"),
    ],
)
def test_a_line_that_is_no_answer_is_named(path, line, told):
    path.write_text(f"{RUN.model_dump_json()}\n{line}\n")
    with pytest.raises(InvalidOptionError, match=told):
        AnswerLog.read(path)


def test_an_empty_file_is_no_log(path):
    path.touch()
    with pytest.raises(InvalidOptionError, match="is empty"):
        AnswerLog.read(path)
