"""A model that knows some videos only says so wherever it is asked about others."""

import logging

import pytest
from PIL import Image

import framesift
from framesift import Assistant, Chat, Message, VideoCompressor, open_video
from framesift.serving import toy_limitation

CLIP = "synthetic://number?seed=3&seconds=3"
QUESTION = "Who is speaking?"
SHORT = framesift.Generation(max_new_tokens=2)


@pytest.fixture(scope="module")
def tiny():
    return framesift.load_vlm("tiny")


@pytest.fixture(scope="module")
def sift(tiny):
    return VideoCompressor(vlm=tiny, keep=1.0)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "talk.mp4"
    with open_video(CLIP) as local:
        path.write_bytes(local.path.read_bytes())
    return path


def says_so(line, what="talk.mp4"):
    assert "\n" not in line
    assert "trained on synthetic:// videos only" in line
    assert "llava-hf/" in line
    assert what in line
    return True


@pytest.mark.parametrize(
    ("addresses", "limited"),
    [
        (["synthetic://number"], False),
        (["SYNTHETIC://number#t=0,2"], False),
        (["synthetic://number", "a.mp4"], True),
        (["synthetic:/number"], True),
        (["x/synthetic://number"], True),
        ([], True),
        (["data:" + "A" * 10**6], True),
    ],
)
def test_only_addresses_of_synthetic_videos_are_known(tiny, addresses, limited):
    line = tiny.limitation(addresses)
    assert (line is not None) == limited
    assert len(line or "") < 400


def test_other_families_and_models_of_ones_own_have_no_limit_that_is_known():
    assert [name for name in framesift.vlms() if framesift.vlms.registry.get(name).trained_on] == [
        "tiny"
    ]


def test_what_a_surface_says_before_anything_is_loaded_is_what_the_model_says(tiny):
    line = toy_limitation("do this")
    assert line.endswith("only; do this")
    assert line == tiny.limitation(instead="do this")


def test_answers_moments_and_chats_warn_first_and_once(sift, file, caplog):
    answer = sift.ask(file, QUESTION, generation=SHORT)
    assert says_so(answer.warnings[0])
    assert [record.getMessage() for record in caplog.records] == [answer.warnings[0]]
    notes = []
    sift.find(file, QUESTION, warn=notes.append)
    assert says_so(notes[0])
    assert len(notes) == len(set(notes))
    caplog.clear()
    with sift.open(file) as chat:
        assert says_so(caplog.records[0].getMessage())
        assert says_so(chat.ask(QUESTION, generation=SHORT).warnings[0])
        *_, _ = chat.stream(QUESTION, generation=SHORT, follow_up=True)
        assert says_so(chat.last.warnings[0])
        direct = Chat(sift.answering_vlm, chat.videos)
    assert says_so(direct.ask(QUESTION, generation=SHORT).warnings[0])


def test_synthetic_videos_are_answered_without_a_warning(sift, caplog):
    assert sift.ask(CLIP, "What number flashes?", generation=SHORT).warnings == []
    with open_video(CLIP) as local:
        assert sift.ask(local, "What number flashes?", generation=SHORT).warnings == []
    assert not caplog.records


def test_a_picture_or_one_real_video_among_others_is_enough(sift, file):
    picture = Image.new("RGB", (64, 48))
    assert says_so(sift.ask(picture, QUESTION, generation=SHORT).warnings[0], "picture")
    assert says_so(sift.ask([CLIP, file], QUESTION, generation=SHORT).warnings[0])


def test_an_assistant_warns_in_each_answer_and_logs_once(sift, file, caplog):
    helper = Assistant(sift)
    asked = [Message(role="user", text=QUESTION, videos=(file,))]
    first, again = (helper.reply(asked, generation=SHORT) for _ in range(2))
    assert says_so(first.warnings[0])
    assert first.warnings == again.warnings
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    alone = helper.reply([Message(role="user", text=QUESTION)], generation=SHORT)
    assert says_so(alone.warnings[0], "text without a video")
    notes = []
    helper.find(file, QUESTION, warn=notes.append)
    assert says_so(notes[0])
