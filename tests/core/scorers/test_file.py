"""Scores that somebody has written to a file: our lines, BOLT's object, lists as AKS has them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from framesift.decoders.base import FrameIndex
from framesift.errors import InvalidOptionError
from framesift.scorers import registry
from framesift.scorers.candidates import GivenCandidates
from framesift.types.video import VideoInfo

VIDEO = "/films/glove.mp4"
QUESTION = "Where is the glove?"


def candidates_of(count=10, *, fps=1.0, uri=VIDEO, stream_fps=25.0, start=0.0):
    frames = round(count / fps * stream_fps)
    info = VideoInfo(
        width_px=64,
        height_px=48,
        duration_seconds=frames / stream_fps,
        start_seconds=0.0,
        frame_count=frames,
        average_fps=stream_fps,
        codec="h264",
    )
    times = start + torch.arange(count, dtype=torch.float64) / fps
    index = FrameIndex(info=info, pts_seconds=np.arange(frames) / stream_fps)
    return GivenCandidates(pts_seconds=times, uri=uri, index=index)


@pytest.fixture
def written(tmp_path):
    def write(*lines, name="scores.jsonl", raw=None):
        path = tmp_path / name
        path.write_text("\n".join(map(json.dumps, lines)) if raw is None else raw)
        return str(path)

    return write


def line_of(scores, *, times=None, **fields):
    given = list(range(len(scores))) if times is None else times
    return {"video": VIDEO, "times_seconds": given, "scores": scores} | fields


def values_of(path, candidates=None, question=None, **options):
    scorer = registry.create("file", path=path, **options)
    return scorer.score(candidates or candidates_of(), question).values.tolist()


def refusal(path, candidates=None, question=None, **options):
    with pytest.raises(InvalidOptionError) as error:
        values_of(path, candidates, question, **options)
    line = str(error.value)
    assert "\n" not in line
    assert len(line) < 500
    return line


TENTHS = [place / 8 for place in range(10)]


def test_each_frame_has_its_score_and_the_line_says_where_from(written):
    scorer = registry.create("file", path=written(line_of(TENTHS)))
    scores = scorer.score(candidates_of())
    assert scores.values.tolist() == TENTHS
    assert scores.reasons[5] == "0.625 in scores.jsonl"
    assert not scorer.reads_question


def test_some_places_have_the_scores_that_they_have_among_all(written):
    scorer = registry.create("file", path=written(line_of(TENTHS)))
    assert scorer.score(candidates_of(), places=[2, 7]).values.tolist() == [0.25, 0.875]


def test_frames_between_those_that_were_scored_have_the_score_of_the_nearest(written):
    path = written(line_of(TENTHS))
    found = values_of(path, candidates_of(40, fps=4))
    assert found[:8] == [0, 0, 0, 0.125, 0.125, 0.125, 0.125, 0.25]
    assert values_of(path, candidates_of(5, fps=0.5)) == TENTHS[::2]


def test_frames_of_a_part_have_the_scores_at_their_times(written):
    path = written(line_of(TENTHS))
    part = replace(candidates_of(10), pts_seconds=torch.tensor([4.0, 5.0, 6.0]).double())
    assert values_of(path, part) == TENTHS[4:7]


def test_labels_are_scores_of_the_question_that_is_asked(written):
    first, second = (
        {"video": VIDEO, "times_seconds": [*range(10)], "labels": labels, "question": question}
        for labels, question in (([1.0] * 10, "Who sings?"), (TENTHS, QUESTION))
    )
    path = written(first, second)
    assert registry.create("file", path=path).reads_question
    assert values_of(path, question="where is  the GLOVE?") == TENTHS
    assert values_of(path, question="Where is the glove?\nA. here\nB. there") == TENTHS
    assert "has no scores about" in (line := refusal(path, question="What else?"))
    assert "'Who sings?', 'Where is the glove?'" in line
    assert "has scores for 2 questions" in refusal(path)


def test_a_question_that_is_only_the_beginning_of_another_is_another(written):
    path = written(line_of(TENTHS, question="Where is the glove after the fight?"))
    assert "has no scores about" in refusal(path, question="Where is the glove")


def test_one_question_of_a_video_needs_no_text_to_be_found(written):
    assert values_of(written(line_of(TENTHS, question=QUESTION))) == TENTHS


def test_a_question_that_stands_twice_is_told_by_its_places(written):
    path = written(line_of(TENTHS, question=QUESTION), line_of(TENTHS, question=QUESTION))
    told = refusal(path, question=QUESTION)
    assert "2 times, at line 1 of scores.jsonl and at line 2 of scores.jsonl; leave one" in told


def test_a_question_is_named_by_its_id(written):
    lines = (line_of([place] * 10, question_id=f"q{place}", question="same?") for place in (1, 2))
    path = written(*lines)
    assert values_of(path, question_id="q2") == [2] * 10
    assert not registry.create("file", path=path, question_id="q2").reads_question
    assert "it has 'q1', 'q2'" in refusal(path, question_id="q3")


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        (VIDEO, VIDEO),
        ("glove.mp4", VIDEO),
        ("glove", VIDEO),
        ("/elsewhere/glove.mkv", VIDEO),
        ("dQw4w9WgXcQ", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
        ("https://example.org/a/glove.mp4?key=1", "https://example.org/a/glove.mp4?key=2"),
        ("C:\\films\\glove.mp4", VIDEO),
    ],
)
def test_a_video_is_found_by_its_address_or_its_name(written, name, uri):
    path = written(line_of([9.0] * 10, video="/films/other.mp4"), line_of(TENTHS, video=name))
    assert values_of(path, candidates_of(uri=uri)) == TENTHS


def test_scores_of_another_video_are_refused(written):
    path = written(line_of(TENTHS, video="other.mp4"))
    assert "has no scores of '/films/glove.mp4', only of 'other.mp4'" in refusal(path)


@pytest.mark.parametrize(
    "address",
    [
        "https://www.youtube.com/watch?v={}",
        "https://example.org/player.php?id={}",
        "synthetic://brief?seconds=10&seed={}",
    ],
)
def test_addresses_that_differ_in_their_query_are_of_other_videos(written, address):
    path = written(line_of(TENTHS, video=address.format("1")))
    assert values_of(path, candidates_of(uri=address.format("1"))) == TENTHS
    assert "has no scores of" in refusal(path, candidates_of(uri=address.format("2")))


def test_two_videos_of_one_name_are_told_apart_by_their_address(written):
    path = written(*(line_of([float(i)] * 10, video=f"/{i}/glove.mp4") for i in (1, 2)))
    assert "name the videos in it by their addresses" in refusal(path)
    assert values_of(path, candidates_of(uri="/2/glove.mp4")) == [2] * 10


@pytest.mark.parametrize(("count", "fps"), [(12, 1), (20, 1), (80, 4)])
def test_scores_that_end_before_the_video_does_are_refused(written, count, fps):
    line = refusal(written(line_of(TENTHS)), candidates_of(count, fps=fps))
    assert "has scores from 0.0 to 9.0 s" in line
    assert "they are of another video" in line


def test_scores_that_go_on_behind_the_video_are_refused(written):
    assert "another video" in refusal(written(line_of([0.5] * 14)))


def test_scores_without_times_are_as_many_as_the_frames(written):
    entry = {"video": VIDEO, "scores": TENTHS}
    assert values_of(written(entry)) == TENTHS
    line = refusal(written(entry), candidates_of(12))
    assert "line 1 of scores.jsonl has 10 scores, and 12 frames are sampled" in line


def test_scores_and_times_of_other_lengths_are_refused(written):
    path = written(line_of(TENTHS, times=[0, 1, 2]))
    assert "has 10 scores and 3 times" in refusal(path)


BOLT = {
    "glove": [
        {"question_id": 1, "question": "Who?\nA. I", "frames": [0.4, 2.0, 2.0, 8.0]},
        {"question_id": "1-2", "question": "Where?", "frames": [9.9]},
    ],
    "other": [{"question_id": 7, "question": "Who?", "frames": [100.0]}],
}


def test_frames_that_bolt_chose_count_one_and_all_others_nothing(written):
    path = written(BOLT, name="bolt.json")
    assert values_of(path, question="who?") == [1, 0, 1, 0, 0, 0, 0, 0, 1, 0]
    assert values_of(path, question_id="1") == [1, 0, 1, 0, 0, 0, 0, 0, 1, 0]
    assert values_of(path, question="Where?") == [0] * 9 + [1]
    scores = registry.create("file", path=path).score(candidates_of(), "Where?")
    assert scores.reasons[8:] == ("not chosen by bolt.json", "chosen by bolt.json")


def test_bolt_frames_of_a_longer_video_are_refused(written):
    path = written(BOLT, name="bolt.json")
    line = refusal(path, candidates_of(uri="other.mp4"), "Who?")
    assert "chose 100.0 s, and this video ends at 10.0 s" in line


def test_a_choice_may_stand_in_a_line(written):
    path = written({"video": "glove", "question": QUESTION, "frames": [3.2, 7.0]})
    assert values_of(path, question=QUESTION) == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0]


def test_lists_of_scores_go_with_lists_of_frame_numbers(written):
    scores = written([[9.0, 9.0], TENTHS[:9]], name="scores.json")
    frames = written([[0, 1], [*range(0, 250, 29)]], name="frames.json")
    found = values_of(scores, row=1, frames=frames)
    nearest = [round(second * 25 / 29) for second in range(10)]
    assert found == [TENTHS[place] for place in nearest]


def test_a_list_of_scores_alone_is_one_a_frame(written):
    assert values_of(written(TENTHS, name="scores.json")) == TENTHS
    assert values_of(written([TENTHS], name="scores.json")) == TENTHS
    assert "frames=FILE for lists" in refusal(written(TENTHS[:7], name="scores.json"))


def test_lists_that_do_not_fit_are_refused(written):
    scores = written([TENTHS, TENTHS], name="scores.json")
    assert "holds 2 lists of scores; say which by row=0 to 1" in refusal(scores)
    assert "row=2 must be 0 to 1" in refusal(scores, row=2)
    one = written([[*range(10)]], name="frames.json")
    assert "both files must have as many" in refusal(scores, row=1, frames=one)
    far = written([[*range(9), 250]], name="frames.json")
    assert "names frame 250, and this video has 250" in refusal(scores, row=0, frames=far)
    short = written([[0, 25, 50]], name="frames.json")
    assert "10 scores and 3 times" in refusal(scores, row=0, frames=short)
    back = written([[*range(9), 3]], name="frames.json")
    assert "does not ascend" in refusal(scores, row=0, frames=back)
    odd = written([[0.5] * 10], name="frames.json")
    assert "frame numbers are whole" in refusal(scores, row=0, frames=odd)
    pictures = replace(candidates_of(), index=None)
    good = written([[*range(0, 250, 25)]], name="frames.json")
    assert "of no video file" in refusal(scores, pictures, row=0, frames=good)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("", "holds no scores"),
        ("\n\n", "holds no scores"),
        ("{}", "holds no scores"),
        ("[]", "must be a list of lists"),
        ("no json", "line 1 of 'scores.jsonl' is not JSON"),
        ('{"video": "glove", "sco', "line 1 of 'scores.jsonl' is not JSON"),
        ("[[0.1, 0.2", "'scores.jsonl' is not JSON"),
        ("17", "must be an object with video"),
        ('{"video": 3, "scores": [1]}', "must be an object with video"),
        ('{"scores": [1]}', "must be an object with video"),
        ('{"video": "glove", "scores": []}', "for a list of numbers"),
        ('{"video": "glove", "scores": "many"}', "for a list of numbers"),
        ('{"video": "glove", "scores": [1, "2"]}', "holds '2'; scores and times are finite"),
        ('{"video": "glove", "scores": [1, true]}', "holds True; scores and times are finite"),
        ('{"video": "glove", "scores": [1, null]}', "holds None; scores and times are finite"),
        ('{"video": "glove", "scores": [1, NaN]}', "NaN, which is no number"),
        ('{"video": "glove", "scores": [1e999]}', "holds inf"),
        (f'{{"video": "glove", "scores": [{"9" * 400}]}}', "scores and times are finite"),
        ('{"video": "glove", "scores": [1, 2], "times_seconds": [3, 1]}', "do not ascend"),
        ('{"glove": [{"question": "Who?"}]}', "as BOLT writes them"),
        ('{"glove": {"frames": 1}}', "as BOLT writes them"),
        ('{"glove": [{"frames": [1, [2]]}]}', "scores and times are finite"),
        ("[" * 100_000, "is not JSON"),
        ('{"video": ' * 100_000, "is not JSON"),
    ],
)
def test_damaged_files_are_refused_in_one_line(written, raw, told):
    assert told in refusal(written(raw=raw))


def test_a_damaged_line_is_named(written):
    path = written(raw=json.dumps(line_of(TENTHS)) + "\n" + '{"video": "glo')
    assert "line 2 of 'scores.jsonl' is not JSON" in refusal(path)


def test_a_file_that_is_no_text_or_is_not_there_is_refused(tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x01")
    assert "pass JSON, in UTF-8" in refusal(str(tmp_path / "binary.json"))
    assert "cannot be read" in refusal(str(tmp_path / "absent.json"))
    assert "it is a folder" in refusal(str(tmp_path))
    assert "cannot be read" in refusal("nul\0l")
    assert "it is a device or a pipe" in refusal("/dev/null")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(2**34)  # takes no room on the disk
    assert "at most 268435456 are read; split it by video" in refusal(str(path))


def test_a_file_that_has_changed_is_read_again(written):
    path = written(line_of(TENTHS))
    assert values_of(path) == TENTHS
    written(line_of([0.5] * 10))
    assert values_of(path) == [0.5] * 10


def test_pictures_without_an_address_have_the_scores_of_the_one_video(written):
    path = written(line_of(TENTHS))
    assert values_of(path, candidates_of(uri="")) == TENTHS
    both = written(line_of(TENTHS), line_of(TENTHS, video="other.mp4"))
    assert "name the videos" in refusal(both, candidates_of(uri=""))


def test_one_frame_and_one_score_are_enough(written):
    path = written(line_of([0.25]))
    assert values_of(path, candidates_of(1)) == [0.25]
    assert "another video" in refusal(path, candidates_of(10))
