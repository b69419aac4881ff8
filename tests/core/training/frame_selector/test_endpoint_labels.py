"""Labels by a model behind an address: bounded, resumable, and never paid for twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from chat_server import chat_server, failed, said
from framesift.answering.endpoint_judge import EndpointJudge
from framesift.errors import EndpointError, InvalidOptionError, StorageError
from framesift.fetching.endpoint import Endpoint
from framesift.training.frame_selector.endpoint_labels import EndpointLabeler
from framesift.training.frame_selector.label_file import FrameLabels, FrameQuestion, read_lines
from framesift.training.frame_selector.labeling import label
from framesift.training.frame_selector.paid_replies import PaidReplies

CLIP = "synthetic://number?seconds=6&seed=3&fps=4&width=64&height=64"


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr("framesift.fetching.endpoint.paused", lambda seconds: None)


def kind_of(request):
    """Returns what a request is about: a judgement, a caption or a choice."""
    first, last = request["messages"][0], request["messages"][-1]["content"]
    if first["role"] == "user":
        return "caption"
    return "choose" if isinstance(last, str) and last.startswith("[0]") else "judge"


def model(request):
    """Answers as a helpful model does."""
    if kind_of(request) == "caption":
        return said("A wall.")
    if kind_of(request) == "choose":
        return said("[1, 4]")
    return said("Evaluation: True", [("Evaluation", {}), (":", {}), (" True", {" True": 0.5})])


def labeler(server, out, temporal="captions", **more):
    options = {"attempts": 2, "replies": PaidReplies.beside(out), **more}
    return EndpointLabeler(EndpointJudge(Endpoint(server.url, **options), "m"), temporal)


def asked(*texts):
    return [FrameQuestion(video=CLIP, question=text) for text in texts]


def test_both_labels_come_from_the_endpoint_and_captions_once_for_all_questions(tmp_path):
    out = tmp_path / "labels.jsonl"
    with chat_server(model) as server:
        done = label(asked("What?", "Where?"), labeler(server, out), out)
        kinds = [kind_of(request) for request in server.asked]
        assert server.most_in_flight <= 8
    assert done.now == 2
    assert (kinds.count("judge"), kinds.count("caption"), kinds.count("choose")) == (12, 6, 2)
    first, _ = read_lines(FrameLabels, out)
    assert first.spatial == [1.0] * 6
    assert first.temporal == [0, 1, 0, 0, 1, 0]
    assert first.labels == [0.5, 1, 0.5, 0.5, 1, 0.5]
    assert (first.judge, first.temporal_judge, first.model) == ("true-false", "captions", "m")
    assert first.warnings == []


def test_requests_in_flight_are_bounded(tmp_path):
    out, together = tmp_path / "labels.jsonl", threading.Barrier(3, timeout=10)

    def answer(request):
        together.wait()
        return model(request)

    with chat_server(answer) as server:
        judge = EndpointJudge(Endpoint(server.url), "m")
        label(asked("What?"), EndpointLabeler(judge, "none", concurrency=3), out)
        assert server.most_in_flight == 3


def test_words_alone_are_noted_in_the_line(tmp_path):
    out = tmp_path / "labels.jsonl"
    with chat_server(lambda request: said("Evaluation: False")) as server:
        label(asked("What?"), labeler(server, out, "none"), out)
    (line,) = read_lines(FrameLabels, out)
    assert line.spatial == [0.0] * 6
    assert line.temporal is None
    assert "gives no probabilities, so 6 of 6 spatial labels" in line.warnings[0]


@pytest.mark.parametrize(
    ("words", "temporal", "told"),
    [
        ("[]", None, "spatial labels count alone"),
        ("[1, 77]", [0, 1, 0, 0, 0, 0], "1 of the frames"),
    ],
)
def test_odd_choices_of_frames_are_noted_in_the_line(tmp_path, words, temporal, told):
    out = tmp_path / "labels.jsonl"

    def answer(request):
        return said(words) if kind_of(request) == "choose" else model(request)

    with chat_server(answer) as server:
        label(asked("What?"), labeler(server, out), out)
    (line,) = read_lines(FrameLabels, out)
    assert line.temporal == temporal
    assert told in line.warnings[0]
    assert temporal is not None or line.labels == line.spatial


def test_a_question_without_a_usable_reply_is_passed_over_and_tried_again(tmp_path):
    out, helpful = tmp_path / "labels.jsonl", []

    def answer(request):
        if kind_of(request) == "choose" and not helpful and "Where" in str(request):
            return said("The second one, I think.")
        return model(request)

    with chat_server(answer) as server:
        done = label(asked("Where?", "What?"), labeler(server, out), out)
        assert [line.question for line in read_lines(FrameLabels, out)] == ["What?"]
        (reason,) = done.unlabeled.values()
        assert "no JSON list" in reason
        paid = len(server.asked)
        helpful.append(True)
        assert label(asked("Where?", "What?"), labeler(server, out), out).now == 1
        assert len(server.asked) == paid + 1


def test_a_server_that_fails_ends_the_run_and_nothing_that_came_is_paid_for_twice(tmp_path):
    out, broken = tmp_path / "labels.jsonl", threading.Event()

    def answer(request):
        if broken.is_set() and kind_of(request) == "judge" and "Where" in str(request):
            return failed(429, "quota")
        return model(request)

    with chat_server(answer) as server:
        broken.set()
        with pytest.raises(EndpointError, match="429"):
            label(asked("What?", "Where?"), labeler(server, out), out)
        assert [line.question for line in read_lines(FrameLabels, out)] == ["What?"]
        broken.clear()
        label(asked("What?", "Where?"), labeler(server, out), out)
        answered = [json.dumps(request, sort_keys=True) for request in server.asked]
    judged = [one for one in answered if kind_of(json.loads(one)) != "judge" or "What" in one]
    assert len(judged) == len(set(judged))
    assert len(read_lines(FrameLabels, out)) == 2


def test_replies_that_were_cut_off_are_asked_for_again_and_no_others(tmp_path):
    out = tmp_path / "labels.jsonl"
    with chat_server(model) as server:
        label(asked("What?"), labeler(server, out, "none"), out)
        out.unlink()
        kept = tmp_path / "labels.jsonl.replies"
        whole = kept.read_bytes()
        kept.write_bytes(whole[:-10])
        label(asked("What?"), labeler(server, out, "none"), out)
        assert len(server.asked) == 7
    assert sorted(kept.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_a_file_of_replies_is_checked_and_locked(tmp_path, monkeypatch):
    out = tmp_path / "labels.jsonl"
    (tmp_path / "labels.jsonl.replies").write_text('{"text": "other"}\n')
    with pytest.raises(InvalidOptionError, match="line 1"):
        PaidReplies.beside(out)
    (tmp_path / "labels.jsonl.replies").write_text("my notes")
    with pytest.raises(InvalidOptionError, match="line 1"):
        PaidReplies.beside(out)
    assert (tmp_path / "labels.jsonl.replies").read_text() == "my notes"
    monkeypatch.setattr("framesift.disk.writing.locked", lambda handle, seconds: False)
    with pytest.raises(StorageError, match="another process"):
        PaidReplies.beside(tmp_path / "other.jsonl")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_and_pays_for_what_is_missing_alone(tmp_path):
    out, questions = tmp_path / "labels.jsonl", tmp_path / "questions.jsonl"
    lines = [{"video": CLIP, "question": text} for text in ("What?", "Where?")]
    questions.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    held, release = threading.Event(), threading.Event()

    def answer(request):
        if len(server.asked) >= 9:
            held.set()
            release.wait(30)
        return model(request)

    command = [sys.executable, "-m", "framesift", "label", str(questions), "-o", str(out)]
    command += ["--model", "m", "--temporal", "none", "--concurrency", "1"]
    with chat_server(answer) as server:
        run = subprocess.Popen(
            [*command, "--endpoint", server.url], env={**os.environ, "HF_HUB_OFFLINE": "1"}
        )
        assert held.wait(60)
        time.sleep(0.1)
        run.send_signal(signal.SIGKILL)
        run.wait()
        assert len(read_lines(FrameLabels, out)) == 1
        before = [json.dumps(request) for request in server.asked]
        release.set()
        server.asked.clear()
        server.answer = model
        subprocess.run([*command, "--endpoint", server.url], check=True, capture_output=True)
        after = [json.dumps(request) for request in server.asked]
    # The request that was in flight may be paid for: nobody knows.
    assert not set(before[:-1]) & set(after)
    assert len(after) == 12 - (len(before) - 1)
    assert len(read_lines(FrameLabels, out)) == 2
