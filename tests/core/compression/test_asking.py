"""Questions about videos and pictures, from the file to the answer."""

from dataclasses import dataclass, replace
from time import process_time
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from framesift.answering.generation import Generation
from framesift.compression.compressor import VideoCompressor
from framesift.errors import (
    BudgetError,
    InvalidOptionError,
    MissingSignalError,
    ModelError,
    SourceError,
    UnknownNameError,
)
from framesift.sources.base import open_video
from framesift.strategies import registry as strategies
from framesift.strategies.base import Strategy
from framesift.testing import TINY_VLMS
from framesift.types.plan import TokenPlan
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

CLIP = "synthetic://mixed?seconds=6&width=320&height=180"
QUESTION = "What is it?"
SHORT = Generation(max_new_tokens=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava")
    TINY_VLMS["llava"].build(folder)
    return str(folder)


@pytest.fixture(scope="module")
def vlm(folder):
    return load_vlm(folder, device="cpu")


@pytest.fixture(scope="module")
def clip():
    with open_video(CLIP) as video:
        yield video


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    path = tmp_path / "a picture.png"
    Image.fromarray(pixels).save(path)
    return path


@dataclass(frozen=True, kw_only=True)
class ByQuestion(Strategy):
    """Keeps as many of the first tokens as the budget says, where it is asked for the first."""

    summary: ClassVar[str] = "reads the question"
    is_per_question = True

    def decide(self, tokens, budget, question):
        start = 0 if question == QUESTION else tokens.count - budget
        return TokenPlan.keep(
            torch.arange(start, start + budget),
            num_in=tokens.count,
            tokens_per_frame=tokens.tokens_per_frame,
        )


def test_the_tower_of_the_vlm_gives_the_tokens(clip, vlm):
    sift = VideoCompressor(vlm=vlm, strategy="attention", keep=0.25)
    video = sift.compress(clip)
    assert video.tokens.shape == (24, vlm.width)
    assert video.report.encoder == vlm.spec
    x0, y0, x1, y1 = video.report.region
    assert (y0, y1) == (0, 1)
    assert x1 - x0 == pytest.approx(180 / 320, abs=0.01)


def test_an_answer_is_that_of_the_reduced_prompt(clip, vlm):
    sift = VideoCompressor(vlm=vlm, keep=0.25)
    answer = sift.ask(clip, QUESTION, generation=SHORT)
    prompt = vlm.prompt([Turn(role="user", text=QUESTION, videos=(sift.compress(clip),))])
    ids = vlm.hf.generate(**prompt.inputs(), max_new_tokens=6, do_sample=False, pad_token_id=0)
    words = vlm.tokenizer.decode(
        ids[0, len(prompt.input_ids) :],
        skip_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )
    assert answer.text == words.strip()
    assert (answer.usage.visual_tokens_before, answer.usage.visual_tokens_after) == (96, 24)
    assert answer.usage.encode_seconds > 0
    assert answer.evidence[0].uri == clip.uri
    assert answer.model_validate_json(answer.model_dump_json()) == answer


def test_open_answers_many_questions_as_ask_does(clip, vlm):
    sift = VideoCompressor(vlm=vlm, keep=0.5)
    with sift.open(clip) as chat:
        for question in (QUESTION, "Where?", QUESTION):
            found = chat.ask(question, generation=SHORT)
            told = []
            fresh = sift.ask(clip, question, generation=SHORT, on_text=told.append)
            assert found.text == fresh.text == "".join(told)
            assert found.evidence == fresh.evidence


def test_a_model_may_be_given_by_its_folder(clip, folder):
    answer = VideoCompressor(vlm=folder, keep=0.25).ask(clip, QUESTION, generation=SHORT)
    assert answer.usage.visual_tokens_after == 24


def test_pictures_are_asked_about_like_videos(picture, vlm):
    sift = VideoCompressor(vlm=vlm, keep=0.5)
    by_path = sift.ask(picture, QUESTION, generation=SHORT)
    with Image.open(picture) as image:
        by_image = sift.ask(image, QUESTION, generation=SHORT)
    assert by_path.text == by_image.text == sift.ask(str(picture), QUESTION, generation=SHORT).text
    assert by_path.usage.visual_tokens_before == 16
    (part,) = by_path.evidence
    assert (part.start_seconds, part.end_seconds) == (0, 0)
    assert sift.compress(picture).report.decoder == "pillow"
    assert VideoCompressor().keyframes(picture, 1)[0].image.size == (64, 48)


def test_videos_and_pictures_share_a_prompt(clip, picture, vlm):
    sift = VideoCompressor(vlm=vlm, keep=0.25)
    answer = sift.ask([clip, picture], QUESTION, generation=SHORT, evidence="attention")
    assert answer.usage.visual_tokens_before == 96 + 16
    assert answer.usage.visual_tokens_after == 24 + 4
    assert {part.uri for part in answer.evidence} <= {clip.uri, str(picture)}


def test_positions_are_chosen_by_the_caller(clip, vlm):
    sift = VideoCompressor(vlm=vlm, keep=0.25)
    found = {
        positions: sift.ask(clip, QUESTION, generation=SHORT, positions=positions)
        for positions in ("original", "compact")
    }
    assert found["compact"].usage.positions == "compact"
    assert found["original"].text != found["compact"].text


def test_the_number_that_an_error_names_fits(clip, vlm):
    sift = VideoCompressor(vlm=vlm, keep=1.0, fps=10, strategy="uniform")
    for use in (lambda sift: sift.open(clip), lambda sift: sift.ask(clip, QUESTION)):
        with pytest.raises(BudgetError, match=r"max_tokens=\d+$") as refused:
            use(sift)
        fitting = int(str(refused.value).rpartition("=")[2])
        use(replace(sift, max_tokens=fitting))
    answer = replace(sift, max_tokens=fitting).ask(clip, QUESTION)
    assert answer.usage.visual_tokens_after == fitting
    assert answer.usage.positions == "compact"
    assert answer.warnings


def test_frames_with_text_of_their_own_are_counted_where_too_many(tmp_path):
    TINY_VLMS["internvl"].build(tmp_path)
    vlm = load_vlm(str(tmp_path), device="cpu")
    sift = VideoCompressor(vlm=vlm, keep=1.0, fps=10, strategy="uniform", selector="uniform")
    for video in (CLIP, [CLIP, CLIP]):
        with pytest.raises(BudgetError, match=r"text of their own.*max_frames=\d+$") as refused:
            sift.ask(video, QUESTION)
        fitting = int(str(refused.value).rpartition("=")[2])
        assert fitting > 10
        assert replace(sift, max_frames=fitting).ask(video, QUESTION).usage.prompt_tokens > 300


def test_a_strategy_that_reads_the_question_is_asked_but_not_opened(clip, vlm):
    sift = VideoCompressor(vlm=vlm, strategy=ByQuestion(), keep=0.25)
    answer = sift.ask(clip, QUESTION, generation=SHORT)
    assert max(part.end_seconds for part in answer.evidence) <= 3
    assert min(p.start_seconds for p in sift.ask(clip, "?", generation=SHORT).evidence) >= 3
    with pytest.raises(InvalidOptionError, match="keeps other tokens for each question"):
        sift.open(clip)


def test_a_chain_reads_the_question_where_a_stage_does(monkeypatch):
    assert not strategies.create("chain").is_per_question
    monkeypatch.setattr(type(strategies.create("random")), "is_per_question", True)
    assert strategies.create("chain", stages="temporal | random").is_per_question


def test_the_second_question_reads_no_video(clip, vlm, monkeypatch):
    with VideoCompressor(vlm=vlm, keep=0.25).open(clip) as chat:
        first = chat.ask(QUESTION, generation=SHORT)
        monkeypatch.setattr(type(vlm.encoder), "encode", None)
        second = chat.ask("Where?", generation=SHORT)
    assert first.usage.encode_seconds > 0
    assert second.usage.encode_seconds == 0
    assert second.usage.cached_tokens >= first.usage.visual_tokens_after


@pytest.mark.slow
def test_the_second_question_takes_a_tenth_of_the_first(vlm, monkeypatch):
    monkeypatch.setattr(type(vlm), "context_tokens", 32768)
    sift, generation = VideoCompressor(vlm=vlm, keep=0.25, fps=2), Generation(max_new_tokens=8)
    taken = []
    with open_video("synthetic://mixed?seconds=60&width=640&height=360") as video:
        start = process_time()
        with sift.open(video) as chat:
            for question in (QUESTION, "Where?", "When?", "Why?"):
                chat.ask(question, generation=generation)
                taken.append(process_time() - start)
                start = process_time()
    first, *others = taken
    assert min(others) <= first / 10


@pytest.mark.parametrize(
    ("options", "arguments", "error", "message"),
    [
        ({}, {"question": ""}, InvalidOptionError, "question='' is empty"),
        ({}, {"question": "a\udcff"}, InvalidOptionError, r"holds '\\udcff'.*UTF-8"),
        ({}, {"video": []}, InvalidOptionError, "there is no video"),
        ({}, {"video": "no-such.mp4"}, SourceError, "no-such.mp4"),
        ({}, {"evidence": "guess"}, InvalidOptionError, "one of 'auto', 'attention', 'similarity'"),
        ({"vlm": None}, {}, InvalidOptionError, "vlm='tiny'"),
        ({"encoder": "handcrafted"}, {}, InvalidOptionError, "leave encoder out"),
    ],
)
def test_wrong_questions_are_one_line(clip, vlm, options, arguments, error, message):
    sift = VideoCompressor(**{"vlm": vlm, **options})
    with pytest.raises(error, match=message) as told:
        sift.ask(**{"video": clip, "question": QUESTION, **arguments})
    assert "\n" not in str(told.value)


def test_the_models_own_tower_may_be_named(clip, vlm):
    sift = VideoCompressor(vlm=vlm, encoder=vlm.encoder, keep=0.25)
    assert sift.ask(clip, QUESTION, generation=SHORT).text


def test_wrong_models_are_told_before_any_work(tmp_path, vlm):
    with pytest.raises(UnknownNameError, match="no-such-model"):
        VideoCompressor(vlm="no-such-model")
    with pytest.raises(ModelError, match=r"has no config\.json"):
        VideoCompressor(vlm=str(tmp_path))
    with pytest.raises(MissingSignalError, match="use one that does"):
        VideoCompressor(strategy="attention", encoder="handcrafted")


def test_a_gpu_without_memory_for_frames_is_one_line(clip, vlm, monkeypatch):
    def out_of_memory(*args):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(type(vlm.encoder), "encode", out_of_memory)
    with pytest.raises(ModelError, match=r"no memory for a window .* no keep changes") as told:
        VideoCompressor(vlm=vlm).ask(clip, QUESTION)
    assert "\n" not in str(told.value)


def test_open_without_a_model_is_one_line(clip):
    with pytest.raises(InvalidOptionError, match="vlm='tiny'"):
        VideoCompressor().open(clip)
