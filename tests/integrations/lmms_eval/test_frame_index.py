"""Files of frames: what they may hold, and how a sample finds its own."""

import json
import re
from pathlib import Path

import pytest

from framesift.errors import InvalidOptionError
from framesift_lmms_eval import FrameIndexFile, append_frames

PAGE = Path(__file__).parents[3] / "integrations" / "lmms-eval" / "README.md"
LINE = '{"task": "t", "doc": 17, "frames": [2.5, 1, 2.5]}\n'


@pytest.fixture
def file(tmp_path):
    return tmp_path / "frames.jsonl"


def test_times_come_sorted_and_once_by_the_number_of_the_sample(file):
    file.write_text(LINE + "\n")
    assert FrameIndexFile.read(file).seconds("t", {"question": "?"}, 17) == (1.0, 2.5)


def test_the_line_on_the_page_is_read(file):
    file.write_text(re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1))
    assert FrameIndexFile.read(file).seconds("videomme", {}, 17) == (1.0, 2.5, 31.0)


def test_a_field_of_the_sample_may_name_it(file):
    file.write_text('{"task": "t", "doc": "q-1", "frames": [0]}')
    index = FrameIndexFile.read(file, doc_key="id")
    assert index.seconds("t", {"id": "q-1"}, 5) == (0.0,)
    with pytest.raises(InvalidOptionError, match="no field doc_key='id', only 'question'; name"):
        index.seconds("t", {"question": "?"}, 5)


def test_what_is_appended_is_read_again_also_twice(file):
    for _ in range(2):
        append_frames(file, "t", 3, [1 / 3, 4.0])
    assert FrameIndexFile.read(file).seconds("t", {}, 3) == (0.333333, 4.0)


def test_files_of_bolt_hold_for_every_task(file):
    file.write_text(
        json.dumps(
            {
                "v1": [{"question_id": "001-1", "question": "?", "frames": [3.0, 9.5]}],
                "v2": [{"question_id": "002-1", "question": "?", "frames": [0]}],
            }
        )
    )
    index = FrameIndexFile.read(file)
    assert index.seconds("videomme", {"question_id": "001-1"}, 0) == (3.0, 9.5)
    assert index.seconds("other", {"question_id": "002-1"}, 0) == (0.0,)


@pytest.mark.parametrize(("task", "doc_id"), [("t", 18), ("u", 17)])
def test_a_sample_that_is_not_named_is_told(file, task, doc_id):
    file.write_text(LINE)
    with pytest.raises(InvalidOptionError, match=f"names no frames for sample '{doc_id}' of"):
        FrameIndexFile.read(file).seconds(task, {}, doc_id)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LINE + "{", "line 2 is not JSON"),
        (LINE + '{"task": "t", "frames": [1]}', "line 2 must be an object with task, doc and"),
        (LINE + "7", "line 2 must be an object"),
        (LINE + '{"task": "t", "doc": 17, "frames": [1]}', "line 2 names other frames for '17'"),
        ('{"task": "t", "doc": 1, "frames": []}', "at least one time"),
        ('{"task": "t", "doc": 1, "frames": [true]}', "each in seconds from 0 up"),
        ('{"task": "t", "doc": 1, "frames": [-0.5]}', "each in seconds from 0 up"),
        ('{"task": "t", "doc": 1, "frames": [NaN]}', "each in seconds from 0 up"),
        ('{"task": "t", "doc": 1, "frames": "1,2"}', "each in seconds from 0 up"),
        ('{"v1": [{"question_id": 1}]}', "video 'v1', must be a list of objects"),
        ('{"v1": 4}', "video 'v1', must be a list of objects"),
    ],
)
def test_a_wrong_file_is_told_by_its_place(file, text, message):
    file.write_text(text)
    with pytest.raises(InvalidOptionError, match=message):
        FrameIndexFile.read(file)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InvalidOptionError, match="cannot be read"):
        FrameIndexFile.read(tmp_path / "none.jsonl")


def test_a_torn_last_line_goes_with_the_next_and_lines_end_at_line_feeds(tmp_path):
    path = tmp_path / "frames.jsonl"
    append_frames(path, "task", "a\u2028\x85", [1.0])
    with path.open("ab") as file:
        file.write('{"task": "x\u2028", "doc": "y", "frames": [1]}\n{"task": "ta'.encode())
    append_frames(path, "task", "b", [2.0])
    found = FrameIndexFile.read(path)
    assert found.entries.keys() == {("task", "a\u2028\x85"), ("task", "b"), ("x\u2028", "y")}
    path.write_bytes(path.read_bytes()[:-1])
    append_frames(path, "task", "c", [3.0])
    assert len(FrameIndexFile.read(path).entries) == 4
