import pytest
import torch

from framesift.strategies.slow_fast import SlowFast
from framesift.training.packing import IGNORED_LABEL, seen_columns
from framesift.training.time_perceiver.lessons import Lesson
from framesift.training.time_perceiver.prompts import PromptPacker, stand_in
from framesift.types.tokens import VideoTokens
from framesift.vlms.base import Turn

TIMES = tuple(map(float, range(9)))
QUESTIONS = ("What number is shown?", "Is it <image> or <|end|>?", "a")


@pytest.fixture(scope="module")
def plan():
    tokens = VideoTokens(
        features=torch.zeros(9, 64, 1), grid=(8, 8), pts_seconds=torch.tensor(TIMES)
    )
    return SlowFast(key_stride=2, time_stride=4).plan(tokens, 60)


def test_each_question_has_the_columns_of_its_own_prompt(tiny, plan):
    lessons = [Lesson(question=each, answer="seven") for each in QUESTIONS]
    row = PromptPacker(tiny).packed(plan, TIMES, lessons)
    video = stand_in(tiny, plan, TIMES)
    for number, question in enumerate(QUESTIONS, start=1):
        own = (row.parts == 0) | ((row.parts == number) & (row.labels == IGNORED_LABEL))
        prompt = tiny.prompt([Turn(role="user", text=question, videos=(video,))])
        assert torch.equal(row.ids[own], prompt.input_ids.cpu())
        assert torch.equal(row.positions[own], prompt.position_ids.cpu())
        assert torch.equal(row.columns, prompt.visual.nonzero().flatten().cpu())
        assert torch.equal(row.rows, prompt.rows)


def test_answers_are_foretold_with_their_end(tiny, plan):
    row = PromptPacker(tiny).packed(plan, TIMES, [Lesson(question="Who?", answer="a red square")])
    told = row.labels[row.labels != IGNORED_LABEL].tolist()
    assert told == row.ids[-len(told) :].tolist()
    assert tiny.tokenizer.decode(told[:-1]) == "a red square"
    assert told[-1] == tiny.tokenizer.eos_token_id
    assert row.positions[-len(told) :].diff().tolist() == [1] * (len(told) - 1)


def test_text_behind_a_video_is_read_without_a_prompt_for_each_question(tiny, monkeypatch):
    packer = PromptPacker(tiny)
    expected = packer._as_prompt("Which colour is it?")
    assert packer._skipped is not None
    monkeypatch.setattr(PromptPacker, "_as_prompt", None)
    assert torch.equal(packer._asked_anew("Which colour is it?"), expected)


def test_a_question_sees_the_video_and_itself():
    seen = seen_columns(torch.tensor([[0, 0, 1, 1, 2, -1]]))[0, 0].int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]
