import json

import pytest

from framesift.errors import InvalidOptionError
from framesift.training.batches import is_held_out
from framesift.training.frame_selector.labeled import read_labels

LINE = {
    "video": "synthetic://number",
    "fps": 1.0,
    "question": "What number flashes?",
    "times_seconds": [0.0, 1.0],
    "labels": [0.25, 1],
    "spatial": [0.5, 1.0],
    "temporal": None,
    "answer": "42",
    "judge": "answer",
    "model": "tiny",
    "version": 1,
}


@pytest.fixture
def written(tmp_path):
    def written(*lines):
        path = tmp_path / "labels.jsonl"
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(text))
        return [path]

    return written


def test_lines_become_questions_in_their_order(written):
    found = read_labels(written(LINE, "", {**LINE, "answer": None, "labels": [0, 0]}))
    assert [each.labels for each in found] == [(0.25, 1.0), (0.0, 0.0)]
    assert [each.answer for each in found] == ["42", None]
    assert found[0].times_seconds == (0.0, 1.0)


def test_labels_of_one_kind_are_taken(written):
    assert read_labels(written(LINE), "spatial")[0].labels == (0.5, 1.0)
    with pytest.raises(InvalidOptionError, match="without 'temporal' labels") as error:
        read_labels(written(LINE), "temporal")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2"),
        ({**LINE, "labels": [0.5]}, "line 2.*labels has 1 values for 2 frames"),
        ({**LINE, "labels": [0.5, 1.5]}, "line 2.*labels"),
        ({**LINE, "labels": [0.5, float("nan")]}, "line 2"),
        ({**LINE, "times_seconds": [1.0, 1.0]}, "do not ascend"),
    ],
)
def test_a_line_that_does_not_fit_is_named(written, line, said):
    with pytest.raises(InvalidOptionError, match=said) as error:
        read_labels(written(LINE, line))
    assert "\n" not in str(error.value)


def test_a_file_without_labels_is_refused(written):
    with pytest.raises(InvalidOptionError, match=r"no label in 'labels\.jsonl'"):
        read_labels(written(""))


def test_the_same_videos_are_held_out_for_a_seed():
    names = [f"synthetic://number?seed={i}" for i in range(400)]
    out = [name for name in names if is_held_out(name, 0.25, 0)]
    assert 60 < len(out) < 140
    assert out == [name for name in names if is_held_out(name, 0.25, 0)]
    assert out != [name for name in names if is_held_out(name, 0.25, 1)]
    assert not any(is_held_out(name, 0.0, 0) for name in names)
