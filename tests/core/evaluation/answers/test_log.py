import json
import subprocess
import sys

import pytest

from framesift.errors import InvalidOptionError, StorageError
from framesift.evaluation.answers.log import Answered, AnswerLog, AnswerRun

RUN = AnswerRun(settings={"vlm": "tiny"}, versions={"python": "3"}, machine="any", commit="unknown")


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


@pytest.mark.parametrize(
    "said", ["\u2028", "a\u2029b", "\x85", "\x0b\x0c\x1c\x1d\x1e", "\r\n", "\n"]
)
def test_lines_end_at_line_feeds_only(path, said):
    AnswerLog.opened(path, RUN).add(path, [answered(said=said), answered(question="1")])
    again = AnswerLog.opened(path, RUN)
    assert [answer.said for answer in again.answers] == [said, "44"]
    again.add(path, [answered(question="2")])
    assert len(AnswerLog.read(path).answers) == 3


def test_a_log_goes_on_wherever_it_was_cut(path):
    log = AnswerLog.opened(path, RUN)
    log.add(path, [answered(said="\u00fc\u2028"), answered(question="1", said="\u00fc")])
    content = path.read_bytes()
    first, second = (len(line) for line in content.splitlines(keepends=True)[:2])
    for end in [*range(0, first, 7), *range(first, len(content) + 1, 3)]:
        path.write_bytes(content[:end])
        again = AnswerLog.opened(path, RUN)
        # A line that lacks nothing but its line feed is whole.
        whole = sum(end >= place for place in (first + second - 1, len(content) - 1))
        assert len(again.answers) == whole, end
        again.add(path, [answered(question="9")])
        assert [answer.question for answer in AnswerLog.read(path).answers][-1] == "9"
        assert len(AnswerLog.read(path).answers) == whole + 1
    path.write_bytes(content + bytes(99))
    assert len(AnswerLog.opened(path, RUN).answers) == 2


def test_another_file_is_refused_and_stays(path):
    for content in (b"my notes", b"{}", b"{}\n{}\n", b"\xff\xfe\n"):
        path.write_bytes(content)
        with pytest.raises(InvalidOptionError):
            AnswerLog.opened(path, RUN)
        assert path.read_bytes() == content


OTHER = """
import sys
from framesift.errors import StorageError
from framesift.evaluation.answers.log import AnswerLog, AnswerRun
run = AnswerRun(settings={"vlm": "tiny"}, versions={"python": "3"}, machine="any", commit="unknown")
try:
    log = AnswerLog.opened(sys.argv[1], run)
except StorageError as error:
    sys.exit(f"refused: {error}")
print("held", flush=True)
sys.stdin.read()
"""


def test_one_process_holds_a_log_until_it_ends(path):
    command = [sys.executable, "-c", OTHER, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(StorageError, match="another process is writing") as caught:
            AnswerLog.opened(path, RUN)
        assert "\n" not in str(caught.value)
        assert AnswerLog.read(path).answers == []
        process.kill()
        process.wait()
    log = AnswerLog.opened(path, RUN)
    log.add(path, [answered()])
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert done.stderr.startswith("refused: another process is writing")
    assert done.returncode == 1
    del log
    again = AnswerLog.opened(path, RUN)
    assert len(again.answers) == 1


def test_a_full_disk_leaves_no_half_line(path, monkeypatch):
    log = AnswerLog.opened(path, RUN)
    log.add(path, [answered()])
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        log.add(path, [answered(question="1")])
    assert path.read_bytes() == before
    assert len(log.answers) == 1
