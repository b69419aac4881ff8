"""Questions with lines beside the pictures, from the file to the answer."""

from dataclasses import replace
from functools import partial

import pytest
from PIL import Image

from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError, SourceError, UnknownNameError
from framesift.serving.assistant import Assistant
from framesift.serving.message import Message
from framesift.testing import TINY_VLMS
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

CLIP = "synthetic://events?seconds=8&fps=4&width=64&height=64&seed=3"
SILENT = "synthetic://static?seconds=4&fps=4&width=64&height=64"
QUESTION = "What does the star do?"
SHORT = Generation(max_new_tokens=4)


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava")
    TINY_VLMS["llava"].build(folder)
    return load_vlm(str(folder), device="cpu")


@pytest.fixture(scope="module")
def compressor(vlm):
    return VideoCompressor(vlm=vlm, strategy="uniform", keep=0.1)


def ask(compressor, video=CLIP, **options):
    return compressor.ask(video, QUESTION, generation=SHORT, evidence=None, **options)


def transcript(compressor, video):
    return compressor.transcript(video)


def test_lines_are_in_the_prompt_only_where_they_are_asked_for(compressor, vlm):
    alone, with_text = ask(compressor), ask(compressor, text="subtitles")
    assert alone.usage.text_tokens == 0
    own = vlm.prompt([Turn(role="user", text=QUESTION, videos=(compressor.compress(CLIP),))])
    assert alone.usage.prompt_tokens == len(own.input_ids)
    assert with_text.usage.text_tokens > 20
    assert with_text.usage.prompt_tokens == alone.usage.prompt_tokens + with_text.usage.text_tokens
    assert with_text.usage.visual_tokens_after == alone.usage.visual_tokens_after


def test_lines_have_a_budget_of_their_own(compressor):
    pytest.importorskip("bm25s")
    whole = ask(compressor, text="subtitles").usage.text_tokens
    fewer = ask(compressor, text="subtitles", max_text_tokens=whole - 1)
    assert 0 < fewer.usage.text_tokens < whole
    assert "lines were left out of the prompt" in fewer.warnings[-1]


def test_a_part_of_a_video_has_its_own_lines_alone(compressor):
    whole, part = (
        ask(compressor, video, text="subtitles").usage.text_tokens
        for video in (CLIP, f"{CLIP}#t=0,4")
    )
    assert 0 < part < whole


def test_a_transcript_of_a_part_has_its_lines_alone(compressor):
    whole, part = (compressor.transcript(video).lines for video in (CLIP, f"{CLIP}#t=0,4"))
    assert 0 < len(part) < len(whole)
    assert set(part) < set(whole)


def test_a_conversation_brings_the_lines_nearest_to_the_question_too(compressor):
    pytest.importorskip("bm25s")
    last = compressor.transcript(CLIP).lines[-1]
    whole = ask(compressor, text="subtitles").usage.text_tokens
    message = Message(role="user", text=f"{last.text}?", videos=(CLIP,))
    given = {"generation": SHORT, "evidence": None, "text": "subtitles"}
    few = Assistant(compressor).reply([message], max_text_tokens=whole - 1, **given)
    alone = compressor.ask(CLIP, f"{last.text}?", max_text_tokens=whole - 1, **given)
    assert 0 < few.usage.text_tokens == alone.usage.text_tokens
    assert few.text == alone.text


def test_an_open_video_keeps_its_lines_for_all_questions(compressor):
    expected = ask(compressor, text="subtitles").usage
    with compressor.open(CLIP, text="subtitles") as chat:
        first, second = (
            chat.ask(question, generation=SHORT, evidence=None).usage
            for question in (QUESTION, "What color is the star?")
        )
    assert (first.prompt_tokens, first.text_tokens) == (
        expected.prompt_tokens,
        expected.text_tokens,
    )
    assert second.cached_tokens > first.cached_tokens


def test_a_compressed_video_is_opened_again_for_its_lines(compressor):
    compressed = compressor.compress(CLIP)
    assert ask(compressor, compressed, text="subtitles").usage.text_tokens > 20
    assert ask(compressor, compressed).usage.text_tokens == 0


def test_text_is_not_read_off_another_video_that_took_the_place(compressor):
    compressed = compressor.compress(CLIP)
    longer = replace(
        compressed, report=compressed.report.model_copy(update={"duration_seconds": 20.0})
    )
    for read in (partial(ask, video=longer, text="subtitles"), partial(transcript, video=longer)):
        with pytest.raises(SourceError, match=r"had 20.00 s when it was compressed"):
            read(compressor)


def test_the_text_of_a_compressed_picture_is_read_off_the_picture_itself(compressor):
    compressed = compressor.compress(Image.new("RGB", (64, 48), "red"))
    assert ask(compressor, compressed).usage.text_tokens == 0
    with pytest.raises(SourceError, match="give the picture itself"):
        ask(compressor, compressed, text="subtitles")


def test_a_video_without_text_is_answered_from_its_pictures_with_a_warning(compressor):
    warned = []
    answer = ask(compressor, SILENT, text="subtitles", warn=warned.append)
    assert answer.usage.text_tokens == 0
    (warning,) = warned
    assert warning == "subtitles found no text, so that the prompt has the pictures alone"
    assert warning in answer.warnings


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"text": "telepathy"}, UnknownNameError, "unknown reader 'telepathy'"),
        ({"text": ["subtitles", "subtitles"]}, InvalidOptionError, "names a reader twice"),
        ({"text": "subtitles", "max_text_tokens": 0}, InvalidOptionError, "max_text_tokens=0"),
        ({"max_text_tokens": "many"}, InvalidOptionError, "max_text_tokens='many'"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_fetched(compressor, options, error, message):
    with pytest.raises(error, match=message):
        ask(compressor, "/no/such/file.mp4", **options)
