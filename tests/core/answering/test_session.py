"""A session loads its model once, when it is needed, and answers as a fresh prompt would."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from time import sleep

import pytest

import framesift
from framesift.answering.generation import Generation
from framesift.answering.session import Session
from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError, ModelError, UnknownNameError
from framesift.serving.assistant import Assistant
from framesift.serving.message import Message
from framesift.vlms.load import load_vlm
from framesift.vlms.prompt import Turn

SOON = 60.0
SHORT = Generation(max_new_tokens=6)
CLIP, QUESTION = "synthetic://number?seed=3&seconds=4", "What number flashes?"


@pytest.fixture(scope="module")
def vlm():
    return load_vlm("tiny")


@pytest.fixture(scope="module")
def turns(vlm):
    video = VideoCompressor(vlm=vlm).compress(CLIP)
    return [Turn(role="user", text=QUESTION, videos=(video,))]


def slow_load(loads, make):
    def load():
        loads.append(make)
        sleep(0.2)
        return make()

    return load


def in_threads(call, count=6):
    start = Barrier(count)

    def work(_):
        start.wait(SOON)
        return call()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_a_model_may_be_a_name_a_loaded_one_or_a_function(vlm):
    assert framesift.Session is Session
    assert Session(vlm).vlm is vlm
    assert Session(lambda: vlm).vlm is vlm
    assert Session("tiny").vlm == vlm


def test_nothing_is_loaded_before_it_is_needed_and_then_once_by_all_threads(vlm):
    loads = []
    session = Session(slow_load(loads, lambda: vlm))
    assert loads == []
    assert {id(one) for one in in_threads(lambda: session.vlm)} == {id(vlm)}
    assert len(loads) == 1


def test_a_load_that_failed_is_tried_again(vlm):
    results = [ModelError("out of reach"), vlm]

    def load():
        result = results.pop(0)
        if isinstance(result, ModelError):
            raise result
        return result

    session = Session(load)
    with pytest.raises(ModelError, match="out of reach"):
        _ = session.vlm
    assert session.vlm is vlm
    with pytest.raises(UnknownNameError):
        _ = Session("unheard").vlm


def test_wrong_positions_are_refused_before_anything_loads():
    with pytest.raises(InvalidOptionError, match="positions='near'"):
        Session("unheard", positions="near")


def test_answers_over_the_cache_are_those_of_a_fresh_session(vlm, turns):
    session = Session(vlm)
    session.charge(encode_seconds=2.0)
    first, second = (session.answer(turns, generation=SHORT) for _ in range(2))
    assert (first.text, first.evidence) == (second.text, second.evidence)
    assert (first.usage.encode_seconds, second.usage.encode_seconds) == (2.0, 0.0)
    assert second.usage.cached_tokens > first.usage.cached_tokens
    assert session.kv_cache_bytes > 0
    assert Session(vlm).answer(turns, generation=SHORT).text == first.text


def test_one_thread_at_a_time_uses_the_model_of_two_sessions(vlm, turns):
    cancelled = Event()
    cancelled.set()
    with Session(vlm).alone(), ThreadPoolExecutor(1) as pool:
        other = Session(vlm)
        waiting = pool.submit(other.answer, turns, generation=SHORT, cancelled=cancelled)
        with pytest.raises(ModelError, match="cancelled"):
            waiting.result(SOON)


def test_an_assistant_makes_its_compressor_once_when_it_is_asked(vlm):
    made = []
    assistant = Assistant(slow_load(made, lambda: VideoCompressor(vlm=vlm)))
    assert made == []
    asked = [Message(role="user", text="Hello?")]
    answers = in_threads(lambda: assistant.reply(asked, generation=SHORT).text)
    assert len(set(answers)) == len(made) == 1
    assert assistant.compressor.answering_vlm is vlm
    with pytest.raises(InvalidOptionError, match="no vlm"):
        Assistant(VideoCompressor).reply(asked)


@pytest.mark.parametrize("keep", [1.0, 0.5])
@pytest.mark.slow
def test_another_video_of_the_same_size_is_read_anew(vlm, keep):
    sift, session = VideoCompressor(vlm=vlm, strategy="random", keep=keep), Session(vlm)
    videos = [sift.compress(f"synthetic://number?seed={seed}&seconds=4") for seed in (3, 5, 3)]
    answers = []
    for video in videos:
        turns = [Turn(role="user", text=QUESTION, videos=(video,))]
        answers.append(session.answer(turns, generation=SHORT))
        assert answers[-1].text == Session(vlm).answer(turns, generation=SHORT).text
        assert answers[-1].usage.cached_tokens == 0
    assert answers[0].text == answers[2].text != answers[1].text
    assert session.answer(turns, generation=SHORT).usage.cached_tokens > 0


def test_an_assistant_answers_about_the_video_it_is_shown(vlm):
    sift = VideoCompressor(vlm=vlm, strategy="random", keep=1.0)
    assistant, said = Assistant(sift), []
    for seed in (3, 5):
        clip = f"synthetic://number?seed={seed}&seconds=4"
        said.append(assistant.reply([Message(role="user", text=QUESTION, videos=(clip,))]).text)
        assert said[-1] == sift.ask(clip, QUESTION).text
    assert said[0] != said[1]
