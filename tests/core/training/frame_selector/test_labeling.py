"""Labels of frames: what a line holds, and that a run which was broken off goes on."""

import json
from contextlib import contextmanager

import pytest

import framesift
from framesift.errors import DownloadError, InvalidOptionError, StorageError
from framesift.training.frame_selector.label_file import (
    FrameLabels,
    FrameQuestion,
    joined_labels,
    read_lines,
    read_questions_to_label,
)
from framesift.training.frame_selector.labeling import label
from framesift.training.frame_selector.local_labels import LocalLabeler
from framesift.training.frame_selector.ratings import FrameLabeler, Rating, VideoRater

CLIP = "synthetic://number?seconds=8&seed=3&fps=4"


class Fixed(FrameLabeler):
    """Rates three frames; counts what it is asked."""

    def __init__(self, judge="true-false", temporal="none", broken=()):
        self.settings = {"judge": judge, "temporal_judge": temporal, "model": "fixed"}
        self.asked, self.opened, self.broken = [], [], broken

    @contextmanager
    def open(self, video, fps):
        self.opened.append((video, fps))
        if video in self.broken:
            raise DownloadError("gone; give another link")
        yield _Fixed(self)


class _Fixed(VideoRater):
    times_seconds = (0.0, 0.5, 1.0)

    def __init__(self, labeler):
        self.labeler = labeler

    def spatial(self, question):
        self.labeler.asked.append(question.question)
        return Rating(values=(0.1, 0.5, 0.9), warnings=("no probabilities",))

    def temporal(self, question):
        return Rating(values=(0.0, 1.0, 1.0) if "both" in question.question else None)


def questions(*texts, video="a.mp4", **more):
    return [FrameQuestion(video=video, question=text, **more) for text in texts]


def test_a_line_holds_both_labels_and_their_mean(tmp_path):
    out = tmp_path / "labels.jsonl"
    warned = []
    done = label(questions("both?", "one?"), Fixed(), out, warn=warned.append)
    assert (done.now, done.before, done.unreadable) == (2, 0, {})
    first, second = map(json.loads, out.read_text().splitlines())
    assert first == {
        "video": "a.mp4",
        "fps": 1.0,
        "question": "both?",
        "times_seconds": [0.0, 0.5, 1.0],
        "spatial": [0.1, 0.5, 0.9],
        "temporal": [0.0, 1.0, 1.0],
        "labels": [0.05, 0.75, 0.95],
        "answer": None,
        "judge": "true-false",
        "temporal_judge": "none",
        "normalize": "none",
        "include_choices": False,
        "model": "fixed",
        "version": 1,
        "warnings": ["no probabilities"],
    }
    assert (second["temporal"], second["labels"]) == (None, [0.1, 0.5, 0.9])
    assert len(warned) == 2


def test_a_video_is_opened_once_for_its_questions_and_labeled_ones_are_passed_over(tmp_path):
    out, labeler = tmp_path / "labels.jsonl", Fixed()
    mixed = [*questions("1"), *questions("2", video="b.mp4"), *questions("3")]
    label(mixed[:2], labeler, out)
    assert label(mixed, labeler, out).before == 2
    assert labeler.opened == [("a.mp4", 1.0), ("b.mp4", 1.0), ("a.mp4", 1.0)]
    assert labeler.asked == ["1", "2", "3"]
    other_rate = questions("1", fps=2.0)
    label([*mixed, *other_rate], labeler, out)
    assert labeler.asked == ["1", "2", "3", "1"]


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_a_line_that_was_cut_off_is_made_again_and_no_other(tmp_path, kept):
    out, labeler = tmp_path / "labels.jsonl", Fixed()
    label(questions("1", "2"), labeler, out)
    whole = out.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    out.write_bytes(whole[: last + kept] if kept >= 0 else whole[:-1])
    label(questions("1", "2"), labeler, out)
    assert out.read_bytes() == whole
    assert labeler.asked == (["1", "2"] if kept < 0 else ["1", "2", "2"])


def test_a_video_that_cannot_be_read_is_passed_over_and_tried_again(tmp_path):
    out, warned = tmp_path / "labels.jsonl", []
    both = [*questions("1", video="gone.mp4"), *questions("2")]
    done = label(both, Fixed(broken={"gone.mp4"}), out, warn=warned.append)
    assert done.unreadable == {"gone.mp4": "gone; give another link"}
    assert [line.question for line in read_lines(FrameLabels, out)] == ["2"]
    assert label(both, Fixed(), out).now == 1


def test_labels_of_another_way_are_not_mixed_in(tmp_path):
    out = tmp_path / "labels.jsonl"
    label(questions("1"), Fixed(), out)
    with pytest.raises(InvalidOptionError, match=r"judge='true-false'.*judge='answer' is wanted"):
        label(questions("2", answer="x"), Fixed(judge="answer"), out)
    with pytest.raises(InvalidOptionError, match="normalize"):
        label(questions("2"), Fixed(), out, normalize="minmax")


def test_a_file_of_something_else_is_refused_as_it_is(tmp_path):
    out = tmp_path / "labels.jsonl"
    out.write_text('{"video": "a.mp4"}\n')
    with pytest.raises(InvalidOptionError, match=r"line 1: .*mend or remove"):
        label(questions("1"), Fixed(), out)
    assert out.read_text() == '{"video": "a.mp4"}\n'


@pytest.mark.parametrize(
    "foreign", ["my notes", "one\nmy notes", '{"video": "a.mp4"', '{"video": "a.mp4"}', "{}", "7"]
)
def test_a_file_of_something_else_keeps_its_last_line(tmp_path, foreign):
    out = tmp_path / "notes.txt"
    out.write_text(foreign)
    with pytest.raises(InvalidOptionError, match=r"line \d: .*mend or remove"):
        label(questions("1"), Fixed(), out)
    assert out.read_text() == foreign


def test_a_line_that_was_cut_off_stays_where_others_are_wrong(tmp_path):
    out = tmp_path / "labels.jsonl"
    out.write_text('something else\n{"video":"a.m')
    with pytest.raises(InvalidOptionError, match="line 1: "):
        label(questions("1"), Fixed(), out)
    assert out.read_text() == 'something else\n{"video":"a.m'


def test_zeros_that_a_loss_of_power_leaves_are_removed(tmp_path):
    out, labeler = tmp_path / "labels.jsonl", Fixed()
    label(questions("1"), labeler, out)
    whole = out.read_bytes()
    for rest in (b"\0" * 90, b'{"video":"a.mp4","f' + b"\0" * 90):
        out.write_bytes(whole + rest)
        label(questions("1"), labeler, out)
        assert out.read_bytes() == whole


def test_labels_of_another_number_than_frames_are_refused(tmp_path):
    out = tmp_path / "labels.jsonl"
    label(questions("1"), Fixed(), out)
    line = json.loads(out.read_text())
    out.write_text(json.dumps({**line, "spatial": [0.5]}) + "\n")
    with pytest.raises(InvalidOptionError, match="spatial has 1 values for 3 frames"):
        read_lines(FrameLabels, out)


def test_two_processes_do_not_write_to_one_file(tmp_path, monkeypatch):
    out = tmp_path / "labels.jsonl"
    monkeypatch.setattr("framesift.disk.writing.locked", lambda handle, seconds: False)
    with pytest.raises(StorageError, match="another process is writing"):
        label(questions("1"), Fixed(), out)


def test_the_answer_judge_needs_answers_before_anything_is_opened(tmp_path):
    labeler = Fixed(judge="answer", temporal="evidence")
    with pytest.raises(InvalidOptionError, match="has no answer, and judge='answer' and temporal="):
        label(questions("1"), labeler, tmp_path / "labels.jsonl")
    with pytest.raises(InvalidOptionError, match="not one of its choices"):
        label(questions("1", answer="a", choices=("b", "c")), labeler, tmp_path / "labels.jsonl")
    assert labeler.opened == []


def test_questions_are_read_once_each_and_wrong_lines_are_named(tmp_path):
    path = tmp_path / "questions.jsonl"
    line = json.dumps({"video": "a.mp4", "question": "Where?\u2028", "kind": "place"})
    path.write_text(f"{line}\n\n{line}\n")
    assert [one.question for one in read_questions_to_label(path)] == ["Where?\u2028"]
    path.write_text(f'{line}\n{{"video": "a.mp4"}}\n')
    with pytest.raises(InvalidOptionError, match="line 2: question"):
        read_questions_to_label(path)
    path.write_text("\n")
    with pytest.raises(InvalidOptionError, match="holds no question"):
        read_questions_to_label(path)


def test_minmax_stretches_the_labels_of_a_question():
    assert joined_labels([0.2, 0.4], None, "none") == [0.2, 0.4]
    assert joined_labels([0.2, 0.4], [0, 1], "none") == [0.1, 0.7]
    assert joined_labels([0.2, 0.4], [0, 1], "minmax") == [0.0, 1.0]
    assert joined_labels([0.2, 0.2], None, "minmax") == [0.2, 0.2]


def test_the_tiny_model_labels_the_frame_that_shows_the_answer(tmp_path):
    out = tmp_path / "labels.jsonl"
    with framesift.open_video(CLIP, text_only=True) as video:
        known = video.truth["questions"][0]
    asked = [FrameQuestion(video=CLIP, question=known["question"], answer=known["answer"])]
    label(asked, LocalLabeler(framesift.load_vlm("tiny"), "answer", "evidence"), out)
    (line,) = read_lines(FrameLabels, out)
    assert (line.model, line.judge, line.temporal_judge) == ("tiny_weights", "answer", "evidence")
    shown = [
        known["start_seconds"] - 1e-3 <= seconds < known["end_seconds"]
        for seconds in line.times_seconds
    ]
    assert len(shown) == 8
    assert [value > 0.9 for value in line.labels] == shown
