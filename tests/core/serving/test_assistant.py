"""Whole conversations get the answers of fresh prompts, and pay for what is new only."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from framesift.answering.generation import Generation
from framesift.answering.stream import AnswerStream
from framesift.compression.compressor import VideoCompressor
from framesift.errors import BudgetError, FramesiftError, InvalidOptionError, SourceError
from framesift.serving import assistant as assistant_module
from framesift.serving.assistant import Assistant
from framesift.serving.message import Message
from framesift.sources.base import open_video
from framesift.strategies.base import Strategy
from framesift.types.plan import TokenPlan
from framesift.vlms.load import load_vlm

CLIP = "synthetic://number?seed=3"
SPOKEN = "synthetic://events?seconds=8&fps=4&width=64&height=64&seed=3"
QUESTION, OTHER = "What number flashes?", "What color is the card?"


@pytest.fixture(scope="module")
def vlm():
    return load_vlm("tiny")


@pytest.fixture(scope="module")
def sift(vlm):
    return VideoCompressor(vlm=vlm)


@pytest.fixture
def helper(sift):
    return Assistant(sift)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("RGB", (64, 64), "red").save(path)
    return path


def asks(text=QUESTION, *videos, **options):
    return Message(role="user", text=text, videos=videos or (CLIP,), **options)


def test_a_question_gets_the_answer_of_ask(helper, sift):
    expected = sift.ask(CLIP, QUESTION, evidence="attention")
    answer = helper.reply([asks()], evidence="attention")
    assert (answer.text, answer.evidence) == (expected.text, expected.evidence)


def test_a_conversation_that_goes_on_reads_only_what_is_new(helper):
    first = helper.reply([asks()])
    said = Message(role="assistant", text=first.text)
    second = helper.reply([asks(), said, Message(role="user", text=OTHER)])
    assert second.usage.encode_seconds == 0
    assert second.usage.cached_tokens >= first.usage.prompt_tokens


def test_what_was_read_stands_beside_and_comes_once_in_a_conversation(helper, sift):
    expected = sift.ask(SPOKEN, QUESTION, text="subtitles")
    first = helper.reply([asks(QUESTION, SPOKEN)], text="subtitles")
    assert first.text == expected.text
    assert first.usage.text_tokens == expected.usage.text_tokens > 20
    assert first.usage.prompt_tokens == expected.usage.prompt_tokens
    said = Message(role="assistant", text=first.text)
    longer = [asks(QUESTION, SPOKEN), said, Message(role="user", text=OTHER)]
    second = helper.reply(longer, text="subtitles")
    assert second.usage.text_tokens == 0
    assert second.usage.cached_tokens >= first.usage.prompt_tokens
    again = helper.reply([asks(QUESTION, SPOKEN), said, asks(OTHER, CLIP)], text="subtitles")
    assert f"{CLIP}: subtitles found no text" in again.warnings[-1]
    assert helper.reply([asks(QUESTION, SPOKEN)]).usage.text_tokens == 0


def test_readers_that_do_not_exist_are_refused_before_a_video_is_opened(helper):
    for text, words in (("subtitle", "did you mean"), (["subtitles"] * 2, "names a reader twice")):
        with pytest.raises(FramesiftError, match=words):
            helper.reply([asks(QUESTION, "no-such.mp4")], text=text)
    with pytest.raises(InvalidOptionError, match="max_text_tokens=0"):
        helper.stream([asks(QUESTION, "no-such.mp4")], text="subtitles", max_text_tokens=0)


def test_only_the_videos_of_the_last_conversation_are_held(helper):
    helper.reply([asks()])
    helper.reply([Message(role="user", text="hello")])
    assert helper.reply([asks()]).usage.encode_seconds > 0


def test_a_conversation_needs_no_video(helper, vlm):
    words = Generation(max_new_tokens=4)
    answer = helper.reply([Message(role="user", text="hello")], generation=words)
    assert answer.usage.visual_tokens_before == 0
    assert answer.evidence == []
    inputs = vlm.tokenizer("<|user|>hello<|end|><|assistant|>", return_tensors="pt")
    found = vlm.hf.generate(
        input_ids=inputs.input_ids,
        attention_mask=inputs.attention_mask,
        max_new_tokens=4,
        do_sample=False,
    )
    fresh = vlm.tokenizer.decode(found[0, inputs.input_ids.shape[1] :], skip_special_tokens=True)
    assert answer.text == fresh.strip()


def test_messages_of_one_role_in_a_row_become_one(helper):
    apart = helper.reply([asks(""), Message(role="user", text=QUESTION)])
    together = helper.reply([asks()])
    assert apart.text == together.text
    assert apart.usage.prompt_tokens == together.usage.prompt_tokens


def test_a_picture_without_words_is_answered_without_evidence(helper, picture):
    answer = helper.reply([asks("", picture)], generation=Generation(max_new_tokens=2))
    assert answer.evidence == []
    assert answer.usage.visual_tokens_before == 64


@pytest.mark.parametrize("spelled", [Path, str, "file://{}".format])
def test_a_file_that_changed_is_read_again(helper, picture, spelled):
    question = asks("Which color?", spelled(picture))
    helper.reply([question])
    assert helper.reply([question]).usage.encode_seconds == 0
    Image.new("RGB", (64, 64), "blue").save(picture)
    os.utime(picture, (1, 1))
    assert helper.reply([question]).usage.encode_seconds > 0


def test_the_state_of_a_path_object_is_that_of_the_file_by_its_whole_name(
    helper, write_video, tmp_path
):
    odd = write_video(tmp_path / "clip.mp4", 2).rename(tmp_path / "clip.mp4#t=2")
    helper.reply([asks(QUESTION, odd)])
    assert helper.reply([asks(QUESTION, odd)]).usage.encode_seconds == 0
    os.utime(odd, (1, 1))
    assert helper.reply([asks(QUESTION, odd)]).usage.encode_seconds > 0


def test_a_video_and_its_parts_are_not_the_same(helper, sift):
    with open_video(CLIP) as whole:
        shown = [whole, *(replace(whole, part_seconds=part) for part in [(0.0, 2.0), (3.0, 8.0)])]
        counts = [sift.compress(video).report.tokens_in for video in shown]
        for video, count in zip(shown, counts, strict=True):
            assert helper.reply([asks(QUESTION, video)]).usage.visual_tokens_before == count
        together = helper.reply([asks(QUESTION, *shown)])
        assert together.usage.visual_tokens_before == sum(counts)


def test_equal_pixels_are_the_same_picture(helper):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    helper.reply([asks("Which color?", Image.fromarray(pixels))])
    same = helper.reply([asks("Which color?", Image.fromarray(pixels.copy()))])
    assert same.usage.encode_seconds == 0
    pixels[0] = 0
    other = helper.reply([asks("Which color?", Image.fromarray(pixels))])
    assert other.usage.encode_seconds > 0


def test_each_message_may_state_its_own_rate(helper):
    usual = helper.reply([asks()]).usage.visual_tokens_before
    both = helper.reply([asks("", CLIP, fps=2.0), asks()]).usage.visual_tokens_before
    assert both == 3 * usual


@dataclass(frozen=True, kw_only=True)
class ByQuestion(Strategy):
    """Keeps the first tokens for one question and the last ones for any other."""

    summary: ClassVar[str] = "reads the question"
    is_per_question = True

    def decide(self, tokens, budget, question):
        start = 0 if question == QUESTION else tokens.count - budget
        return TokenPlan.keep(
            torch.arange(start, start + budget),
            num_in=tokens.count,
            tokens_per_frame=tokens.tokens_per_frame,
        )


def test_a_strategy_that_reads_the_question_gets_the_last_one(sift):
    helper = Assistant(replace(sift, strategy=ByQuestion()))
    helper.reply([asks()])
    assert helper.reply([asks()]).usage.encode_seconds == 0
    other = helper.reply([asks(OTHER)])
    assert other.usage.encode_seconds > 0
    assert other.text == helper.compressor.ask(CLIP, OTHER).text


def test_pieces_join_to_the_answer(helper):
    stream = helper.stream([asks()])
    pieces = list(stream)
    assert "".join(pieces) == stream.answer.text == helper.reply([asks()]).text


def test_a_reader_who_is_slow_or_leaves_holds_nobody_up(helper):
    stream = helper.stream([asks()])
    next(stream)
    assert helper.reply([asks(OTHER)]).text
    stream.close()
    stream.close()
    assert list(stream) == []


def test_a_slow_download_does_not_keep_the_model_from_others(helper, sift, monkeypatch):
    arrived, answered = Event(), Event()

    def slow(uri, limits, **options):
        arrived.set()
        assert answered.wait(60)
        return open_video(uri, limits, **options)

    with ThreadPoolExecutor(1) as thread:
        monkeypatch.setattr(assistant_module, "open_video", slow)
        waiting = thread.submit(helper.reply, [asks()])
        assert arrived.wait(60)
        monkeypatch.undo()
        assert Assistant(sift).reply([asks(OTHER)]).text
        assert not waiting.done()
        answered.set()
        assert waiting.result().text == helper.reply([asks()]).text


def test_threads_over_one_model_get_their_own_answers(helper, sift):
    other = Assistant(sift)
    expected = {question: sift.ask(CLIP, question).text for question in (QUESTION, OTHER)}
    jobs = [(helper, QUESTION), (other, OTHER), (helper, OTHER), (other, QUESTION)]
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda job: job[0].reply([asks(job[1])]).text, jobs)
        assert list(answers) == [expected[question] for _, question in jobs]


def test_compressing_and_finding_are_those_of_the_compressor(helper, sift):
    assert torch.equal(helper.compress(CLIP).tokens, sift.compress(CLIP).tokens)
    for asked in ((QUESTION, 1), (OTHER, 3)):
        found, expected = helper.find(CLIP, *asked), sift.find(CLIP, *asked)
        assert [moment.segment for moment in found] == [moment.segment for moment in expected]
        assert [moment.keyframe.image.tobytes() for moment in found] == [
            moment.keyframe.image.tobytes() for moment in expected
        ]


@pytest.mark.parametrize("read_by", [Assistant.find, lambda self, *_: self.reply([asks()])])
def test_a_search_in_a_video_that_was_read_encodes_nothing(helper, sift, monkeypatch, read_by):
    expected = [moment.segment for moment in sift.find(CLIP, OTHER)]
    read_by(helper, CLIP, QUESTION)

    def refused(self, video, question=None, **_):
        raise AssertionError("encoded again")

    monkeypatch.setattr(VideoCompressor, "compress", refused)
    assert [moment.segment for moment in helper.find(CLIP, OTHER)] == expected
    assert helper.reply([asks()]).usage.encode_seconds == 0
    with pytest.raises(AssertionError, match="encoded again"):
        helper.find(f"{CLIP}#t=0,2", OTHER)


def test_bad_input_is_refused_before_the_work(helper):
    with pytest.raises(InvalidOptionError, match="no message"):
        helper.reply([])
    with pytest.raises(InvalidOptionError, match="evidence='guess'"):
        helper.stream([asks()], evidence="guess")
    with pytest.raises(InvalidOptionError, match="not a character"):
        helper.reply([asks("\ud800")])
    with pytest.raises(BudgetError, match="count=0"):
        helper.find("missing.mp4", QUESTION, 0)
    with pytest.raises(InvalidOptionError, match="is empty"):
        helper.find("missing.mp4", " ")
    with pytest.raises(InvalidOptionError, match="evidence='guess'"):
        helper.find("missing.mp4", QUESTION, evidence="guess")
    with pytest.raises(InvalidOptionError, match="no vlm"):
        Assistant(VideoCompressor())
    with pytest.raises(SourceError, match="does not exist"):
        list(helper.stream([asks(QUESTION, "missing.mp4")]))


def test_an_error_comes_after_the_pieces_before_it():
    def work(on_text, cancelled):
        on_text("a")
        raise RuntimeError("broke")

    stream = AnswerStream(work)
    assert next(stream) == "a"
    with pytest.raises(RuntimeError, match="broke"):
        next(stream)
    assert list(stream) == []
    assert stream.answer is None
