import json

import pytest

import framesift
from framesift.compression.compressor import VideoCompressor
from framesift.errors import UnknownNameError
from framesift.evaluation.selection import few_frames
from framesift.evaluation.selection.choices import Choice
from framesift.evaluation.selection.few_frames import FewFrames
from framesift.evaluation.selection.measure import LOG, PLOT, RESULTS, measure, write_results
from framesift.evaluation.selection.question_sets import brief_videos
from framesift.evaluation.selection.ways import SelectionWay, ablations, default_ways
from framesift.sources.base import open_video
from framesift.training.frame_selector.label_file import read_lines

LENGTHS = (16, 20)
WAYS = [
    SelectionWay(name="uniform", selector="uniform", lengths=LENGTHS),
    SelectionWay(name="keyframes", selector="keyframes", scopes=("local",), lengths=LENGTHS),
    SelectionWay(name="all frames", selector="uniform", count=64, readers=1, lengths=(16,)),
]


@pytest.fixture(scope="module")
def readers():
    model = framesift.load_vlm("tiny", device="cpu")
    return {"tiny": model, "the same": model}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, readers):
    out = tmp_path_factory.mktemp("selection")
    list(measure(out, WAYS, readers, videos=2, lengths=LENGTHS))
    return out


def test_each_question_is_answered_in_each_way_where_the_way_is_measured(folder):
    choices = read_lines(Choice, folder / LOG)
    videos = [video for seconds in LENGTHS for video in brief_videos("test", 2, seconds)]
    expected = sum(
        (1 if way.readers else 2)
        for way in WAYS
        for video in videos
        for question in video.questions
        if question.scope in way.scopes and (way.name != "all frames" or video.seconds == 16)
    )
    assert len(choices) == len({choice.key for choice in choices}) == expected
    assert {len(choice.picked) for choice in choices if choice.way != "all frames"} == {4}
    assert {len(c.picked) for c in choices if c.way == "all frames"} == {16}


def test_a_hit_is_a_chosen_frame_in_the_time_of_the_question(folder):
    known = {
        (video.name, question.id): question
        for video in brief_videos("test", 2, 16)
        for question in video.questions
    }
    for choice in read_lines(Choice, folder / LOG):
        if choice.candidates == 16:
            question = known[choice.video, choice.question]
            assert choice.hit == any(question.is_shown(float(place)) for place in choice.picked)
            assert choice.right == question.is_right(choice.said)


def test_answers_are_those_that_a_user_gets_from_the_same_selector(folder, readers):
    video = next(brief_videos("test", 1, 16))
    sift = VideoCompressor(
        vlm=readers["tiny"], selector="uniform", max_frames=4, strategy="uniform", keep=1.0
    )
    said = {
        choice.question: choice.said
        for choice in read_lines(Choice, folder / LOG)
        if (choice.video, choice.candidates, choice.way) == (video.name, 16, "uniform")
    }
    with open_video(video.uri) as local:
        for question in video.questions[:5]:
            assert sift.ask(local, question.text).text == said[question.id]


def test_a_run_that_was_broken_off_goes_on_and_asks_nothing_again(folder, readers, monkeypatch):
    whole = (folder / LOG).read_bytes()
    lines = whole.splitlines(keepends=True)
    (folder / LOG).write_bytes(b"".join(lines[:-7]) + lines[-7][:40])
    asked = []
    own = FewFrames.answers
    monkeypatch.setattr(
        FewFrames, "answers", lambda self, given: asked.extend(given) or own(self, given)
    )
    list(measure(folder, WAYS, readers, videos=2, lengths=LENGTHS))
    again = (folder / LOG).read_bytes().splitlines()
    assert 1 <= len(asked) <= 7
    assert len(again) == len(lines)
    shown = [json.loads(line) | {"seconds": 0} for line in again]
    before = [json.loads(line) | {"seconds": 0} for line in lines]
    assert shown[:-7] == before[:-7]
    assert [one["picked"] for one in shown] == [one["picked"] for one in before]
    assert [one["said"] for one in shown] == [one["said"] for one in before]


def test_the_figures_count_the_ways_and_readers_that_are_asked_for(folder, readers):
    results = write_results(folder, WAYS[:1], {"tiny": readers["tiny"]}, videos=2)
    assert {row["way"] for row in results["rows"]} == {"uniform"}
    assert {row["reader"] for row in results["rows"]} == {"tiny"}
    assert json.loads((folder / RESULTS).read_text()) == results
    assert (folder / PLOT).read_bytes().startswith(b"\x89PNG")
    assert str(folder) not in (folder / RESULTS).read_text()


@pytest.mark.parametrize("same", [True, False])
def test_questions_are_batched_without_a_change_of_words(readers, monkeypatch, same):
    video = next(brief_videos("test", 1, 16))
    asked = [
        (question.text, (1, 5, 9, 13 if same else 10 + place))
        for place, question in enumerate(video.questions[:6])
    ]
    with open_video(video.uri) as local:
        frames = FewFrames(readers["tiny"], local)
        together = frames.answers(asked)
        monkeypatch.setattr(few_frames, "COLUMNS", 1)
        monkeypatch.setattr(few_frames, "ROWS", 1)
        assert frames.answers(asked) == together


def test_a_wrong_selector_is_refused_before_a_video_is_read(tmp_path, readers):
    ways = [SelectionWay(name="mine", selector="nosuch")]
    with pytest.raises(UnknownNameError, match="nosuch"):
        list(measure(tmp_path, ways, readers, videos=1))


def test_the_ways_have_names_of_their_own_and_ablations_are_measured_at_one_length():
    ways = default_ways("mllm") + ablations(["one token=mllm:model=FOLDER", "spatial=mllm"])
    names = [way.name for way in ways]
    assert len(set(names)) == len(names)
    assert {way.lengths for way in ways[-2:]} == {(32,)}
    assert ways[-2].selector == "nms:scorer=[mllm:model=FOLDER]"
