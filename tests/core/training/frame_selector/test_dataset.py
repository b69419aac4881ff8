import pytest
import torch

from framesift.hf.letters import text_ids
from framesift.training.frame_selector.dataset import SelectorBatches
from framesift.training.packing import IGNORED_LABEL


@pytest.fixture
def batches(begin, questions, features):
    def batches(answering=False, epochs=1.0, **changes):
        start, recipe = begin(**changes)
        return SelectorBatches(
            questions,
            features,
            start.tokenizer,
            start.network.config,
            recipe=recipe,
            end_id=start.end_id,
            epochs=epochs,
            answering=answering,
        )

    return batches


def test_an_epoch_holds_each_question_once(batches):
    made = batches()
    assert made.steps == len(made) == 6
    assert sorted(i for _, part in made.parts for i in part) == list(range(24))


def test_a_batch_is_the_same_whenever_it_is_asked_for(batches):
    one, other = batches(), batches()
    for item in (4, 0, 4):
        assert all(torch.equal(one[item][name], other[item][name]) for name in one[item])
    assert one.parts != batches(seed=1).parts


def test_lessons_alternate_and_answers_come_from_questions_that_have_one(batches, questions):
    made = batches(answering=True)
    assert [lesson for lesson, _ in made.parts] == ["answer", "score"] * 6
    told = {i for lesson, part in made.parts if lesson == "answer" for i in part}
    assert all(questions[i].answer for i in told)


def test_a_step_is_cut_into_parts(batches):
    made = batches(accumulation=2)
    assert (made.steps, len(made)) == (6, 12)
    assert {len(part) for _, part in made.parts} == {2}


def test_padding_weighs_nothing(batches, questions):
    made = batches()
    batch = made.scoring([questions[0], questions[2]], None)
    assert batch["frames"].tolist() == [4, 6]
    assert batch["weights"].tolist() == [[1, 1, 1, 1, 0, 0], [1] * 6]
    assert batch["labels"][0].tolist() == [1, 0, 0, 0, 0, 0]
    assert batch["features"].shape == (2, 6, 64, 192)
    assert not batch["features"][0, 4:].any()


def test_few_frames_are_repeated_for_a_fixed_number_and_count_once(batches, questions):
    batch = batches(head="mlp", candidates=8).scoring([questions[0]], None)
    assert batch["frames"].tolist() == [8]
    assert batch["weights"].tolist() == [[1, 0, 1, 0, 1, 0, 1, 0]]
    assert batch["labels"].tolist() == [[1, 1, 0, 0, 0, 0, 0, 0]]


def test_many_frames_are_thinned_evenly_for_a_fixed_number(batches, questions):
    batch = batches(head="mlp", candidates=3).scoring([questions[2]], None)
    assert torch.equal(
        batch["features"][0], batches().scoring([questions[2]], None)["features"][0, ::2]
    )


def test_answers_stand_behind_the_question_and_end(batches, questions):
    made = batches()
    batch = made.answering([questions[1]], None)
    asked = [*text_ids(made.tokenizer, questions[1].question), *made.config.after]
    told = [*text_ids(made.tokenizer, "7"), made.end_id]
    assert batch["text"].tolist() == [[*asked, *told]]
    assert batch["answers"].tolist() == [[IGNORED_LABEL] * len(asked) + told]
    assert batch["lengths"].tolist() == [len(asked) + len(told)]
    assert batch["asked"].tolist() == [len(asked)]


def test_marks_in_a_question_are_letters(batches, questions):
    made = batches()
    ids = text_ids(made.tokenizer, "<image>")
    assert made.end_id not in ids
    assert made.tokenizer.convert_tokens_to_ids("<image>") not in ids
