import json

import pytest
import torch

from framesift.errors import InvalidOptionError
from framesift.fetching.limits import FetchLimits
from framesift.training.time_perceiver.gathering import Gathering
from framesift.training.time_perceiver.taught_files import DESCRIBE

NUMBER = "synthetic://number?seconds=5&width=64&height=64"
LINES = [
    {"video": NUMBER, "question": "What number flashes?", "answer": "7", "kind": "number"},
    {"video": f"{NUMBER}#t=1,3", "caption": "A number flashes.", "source": "somewhere"},
    {"video": NUMBER, "caption": "Numbers."},
]


@pytest.fixture
def gathering(start, tmp_path):
    """Returns where videos come from, by values of the recipe that differ."""

    def made(keep_features=True, **changes):
        begun, recipe = start(**changes)
        return Gathering(
            vlm=begun.vlm,
            recipe=recipe,
            features=tmp_path / "features",
            clips=tmp_path / "clips",
            keep_features=keep_features,
            limits=FetchLimits(),
        )

    return made


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in LINES))
    return path


def test_questions_and_captions_of_one_video_are_learned_together(gathering, lines):
    whole, part = gathering().videos([lines], 0)
    assert [(each.question, each.answer, each.kind) for each in whole.lessons] == [
        ("What number flashes?", "7", "number"),
        (DESCRIBE, "Numbers.", "caption"),
    ]
    assert [each.kind for each in part.lessons] == ["caption"]
    assert whole.times_seconds == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert part.times_seconds == (1.0, 2.0)
    assert torch.equal(part.features(), whole.features()[1:3])
    assert whole.features().shape == (5, 64, 192)
    assert not whole.is_synthetic


def test_a_long_video_is_thinned_evenly(gathering, lines):
    whole, _ = gathering(max_frames=2).videos([lines], 0)
    assert whole.times_seconds == (0.0, 2.0)


def test_features_before_and_behind_the_projector_are_kept_apart(gathering, lines, tmp_path):
    before = gathering(stage="pre").videos([lines], 0)[0].features()
    behind = gathering(stage="post").videos([lines], 0)[0].features()
    assert not torch.equal(before, behind)
    assert len(list((tmp_path / "features").glob("*.npy"))) == 4


def test_features_may_be_made_for_each_batch_anew(gathering, lines, tmp_path):
    kept = gathering().videos([lines], 0)[0].features()
    anew = gathering(keep_features=False).videos([lines], 0)[0].features()
    assert torch.equal(kept, anew)
    assert len(list((tmp_path / "features").glob("*.npy"))) == 2


@pytest.mark.slow
def test_features_in_a_damaged_file_are_made_again(gathering, lines, tmp_path):
    before = [video.features().clone() for video in gathering().videos([lines], 1)]
    for path in (tmp_path / "features").glob("*.npy"):
        content = path.read_bytes()
        path.unlink()  # what is mapped stays whole
        path.write_bytes(content[: len(content) // 2])
    again = [video.features() for video in gathering().videos([lines], 1)]
    assert all(map(torch.equal, before, again))


def test_synthetic_clips_come_behind_those_of_files(gathering, lines):
    found = gathering().videos([lines], 1)
    assert [video.is_synthetic for video in found] == [False, False, True]
    clip = found[-1]
    assert clip.address.startswith("synthetic://")
    assert "seed=600000" in clip.address
    assert clip.features().shape == (len(clip.times_seconds), 64, 192)
    assert {"presence", "not shown"} & {each.kind for each in clip.lessons}
    again = gathering().videos([lines], 1)[-1]
    assert again.lessons == clip.lessons


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"video": "a.mp4", "question": "Who?"}', "line 1: the line: .*neither a question"),
        ('{"video": "a.mp4", "question": "Who?", "answer": " "}', "line 1: answer: "),
        ('{"video": "a.mp4", "caption": "\\t"}', "line 1: caption: "),
        ('{"video": "a.mp4", "caption": ""}', "line 1: caption: "),
        ("nothing", "line 1: the line: Invalid JSON"),
        ("", "holds no lesson"),
    ],
)
def test_a_file_that_teaches_nothing_is_refused_in_one_line(gathering, tmp_path, line, told):
    path = tmp_path / "bad.jsonl"
    path.write_text(line)
    with pytest.raises(InvalidOptionError, match=told) as error:
        gathering().videos([path], 0)
    assert "\n" not in str(error.value)
