"""What of the harness's samples and messages reaches selectors and models."""

from types import SimpleNamespace

import pytest
from PIL import Image

from framesift import VideoCompressor
from framesift.errors import BudgetError, InvalidOptionError
from framesift_lmms_eval.arguments import inner_arguments, refuse_unknown, unquoted
from framesift_lmms_eval.chat_request import ChatRequest
from framesift_lmms_eval.generation import generation_of
from framesift_lmms_eval.questions import bare_question
from framesift_lmms_eval.selection import FrameSelection
from framesift_lmms_eval.turn import SampleTurn
from framesift_lmms_eval.videos import SelectedFrames, open_item, with_frames

VIDEO = {"type": "video", "url": "synthetic://number?seed=3"}
TEXT = {"type": "text", "text": "What number flashes?"}
PICTURE = Image.new("RGB", (8, 8))
FRAMES = SelectedFrames(images=(PICTURE, PICTURE), seconds=(0.5, 67.25))


def user(*content):
    return [{"role": "user", "content": list(content)}]


@pytest.mark.parametrize(
    ("task", "text", "question"),
    [
        ("videomme", " What? ", "What?"),
        ("mlvu_dev", "What?\n(A) one\n(B) two", "What?"),
        ("activitynetqa", "is it red", "is it red?"),
        ("activitynetqa", "is it red?", "is it red?"),
        ("videomme", "", None),
    ],
)
def test_the_question_comes_without_options_and_prompt(task, text, question):
    assert bare_question(task, {"question": text}) == question


def test_a_sample_without_that_field_asks_nothing():
    assert bare_question("t", {"prompt": "What?"}) is None
    assert bare_question("t", {"prompt": "What?"}, "prompt") == "What?"


def test_a_video_becomes_a_list_of_frames_and_the_messages_stay_as_they_were():
    messages = user(VIDEO, TEXT)
    changed, selected = with_frames(messages, lambda item: FRAMES, "video")
    assert changed == user({"type": "video", "url": [PICTURE, PICTURE]}, TEXT)
    assert selected == [FRAMES]
    assert messages == user(VIDEO, TEXT)


def test_as_pictures_each_frame_stands_behind_its_time():
    (message,), _ = with_frames(user(VIDEO, TEXT), lambda item: FRAMES, "images")
    kinds = [item.get("text", item["type"]) for item in message["content"]]
    assert kinds == ["[0.5 s]", "image", "[67.2 s]", "image", TEXT["text"]]


def test_a_task_that_picked_its_frames_itself_is_refused():
    with pytest.raises(InvalidOptionError, match="and no video, so there is nothing to select"):
        with_frames(user({"type": "image", "url": PICTURE}, TEXT), lambda item: FRAMES, "video")


@pytest.mark.parametrize(
    "item",
    [
        {**VIDEO, "start_time": 2.0, "end_time": 4.0},
        {"type": "video", "url": {"url": VIDEO["url"], "video_start": 2, "video_end": 4}},
    ],
)
def test_a_part_of_a_video_is_all_that_is_selected_from(item):
    selection = FrameSelection(compressor=VideoCompressor(selector="uniform", fps=2), count=9)
    assert selection.frames(item, None).seconds == (2.0, 2.5, 3.0, 3.5)


def test_frames_in_the_place_of_a_video_are_refused():
    with pytest.raises(InvalidOptionError, match="gives a video as list; frames are selected"):
        open_item({"type": "video", "url": [PICTURE]})


def test_selected_frames_are_those_of_the_compressor():
    compressor = VideoCompressor(selector="keyframes")
    kept = FrameSelection(compressor=compressor, count=3, max_side_px=64).frames(VIDEO, "What?")
    asked = compressor.keyframes(VIDEO["url"], 3, max_side_px=64)
    assert kept.seconds == tuple(frame.pts_seconds for frame in asked)
    assert [image.tobytes() for image in kept.images] == [f.image.tobytes() for f in asked]


def test_given_times_become_the_times_of_the_frames_shown_then():
    selection = FrameSelection(compressor=VideoCompressor(), count=1)
    kept = selection.frames(VIDEO, None, (0.0, 0.001, 3.03, 900.0))
    assert kept.seconds[:2] == (0.0, 3.0)
    assert len(kept.images) == len(kept.seconds) == 3


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_a_count_that_is_none_is_refused(count):
    with pytest.raises(BudgetError, match="from 1 up"):
        FrameSelection(compressor=VideoCompressor(), count=count)


def test_a_request_is_read_by_place_and_asks_again_with_other_messages():
    instance = SimpleNamespace(arguments=("ctx", lambda doc: user(TEXT), {}, 1, "t", "test"))
    request = ChatRequest.of(instance, {"t": {"test": [{}, {"question": "Q?"}]}})
    assert (request.question("question"), request.messages) == ("Q?", user(TEXT))
    changed = request.asking(lambda doc: [])
    assert changed.arguments[0] == "ctx"
    assert changed.arguments[1]({}) == []
    assert instance.arguments[1]({}) == user(TEXT)


def test_a_request_to_a_simple_model_is_refused():
    instance = SimpleNamespace(arguments=("ctx", {}, lambda doc: [], 1, "t", "test"))
    with pytest.raises(InvalidOptionError, match="without --force_simple"):
        ChatRequest.of(instance, {})


def test_one_message_is_visuals_and_text():
    picture = {"type": "image", "url": PICTURE}
    turn = SampleTurn.of(user(VIDEO, picture, TEXT, TEXT))
    assert turn.visuals == (VIDEO, picture)
    assert turn.text == "What number flashes?\nWhat number flashes?"
    assert turn.key is None
    assert SampleTurn.of(user(VIDEO, TEXT)).key == SampleTurn.of(user({**VIDEO}, TEXT)).key
    assert SampleTurn.of(user({**VIDEO, "start_time": 1.0}, TEXT)).key != turn.key


@pytest.mark.parametrize(
    "messages",
    [
        user(TEXT, VIDEO),
        user(VIDEO, TEXT, VIDEO),
        user(TEXT),
        user(VIDEO, {"type": "audio", "url": "a.wav"}, TEXT),
        [{"role": "system", "content": [TEXT]}, *user(VIDEO, TEXT)],
    ],
)
def test_other_messages_are_refused(messages):
    with pytest.raises(InvalidOptionError, match="reads one user message"):
        SampleTurn.of(messages)


def test_generation_options_keep_their_meaning(caplog):
    greedy = generation_of({"temperature": 0.7, "do_sample": False, "until": ["\n", "Q:"]})
    assert (greedy.temperature, greedy.stop, greedy.max_new_tokens) == (0.0, ("\n", "Q:"), 1024)
    drawn = generation_of({"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 16, "num_beams": 1})
    assert (drawn.temperature, drawn.top_p, drawn.max_new_tokens) == (0.7, 0.9, 16)
    assert not caplog.messages
    generation_of({"image_aspect_ratio": "original", "repetition_penalty": 1.2})
    assert caplog.messages == ["generation options without effect: repetition_penalty"]
    with pytest.raises(InvalidOptionError, match="num_beams=4 is not supported"):
        generation_of({"num_beams": 4})


def test_arguments_of_the_inner_model_are_json():
    assert inner_arguments('{"pretrained": "a/b", "fps": 1}') == {"pretrained": "a/b", "fps": 1}
    assert inner_arguments({"fps": 1}) == {"fps": 1}
    assert inner_arguments(None) == {}
    for wrong in ("pretrained=a/b", "[1]"):
        with pytest.raises(InvalidOptionError, match="must be a JSON object"):
            inner_arguments(wrong)


def test_unknown_arguments_are_named_and_those_of_the_harness_are_not():
    refuse_unknown("m", {"batch_size": 1, "device": "cpu"}, "a, b")
    with pytest.raises(InvalidOptionError, match="m has no argument k; there are a, b;"):
        refuse_unknown("m", {"batch_size": 1, "k": 1}, "a, b")
    assert [unquoted(v) for v in ("'a,b'", '"a,b"', "a,b", 3)] == ["a,b", "a,b", "a,b", 3]
