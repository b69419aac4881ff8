from pathlib import Path

import pytest

import framesift
from framesift.errors import BudgetError, MissingSignalError
from framesift.evaluation import provenance
from framesift.evaluation.answers import answering
from framesift.evaluation.answers.log import BLIND, ONE_FRAME, WHOLE, AnswerLog, AnswerRun
from framesift.evaluation.answers.question_sets import BenchmarkQuestion, BenchmarkVideo
from framesift.types.budget import Budget

RUN = AnswerRun(settings={}, versions={}, machine="any", commit="unknown")
URI = "synthetic://number?seconds=8&seed=3&fps=4"


@pytest.fixture(scope="module")
def tiny():
    return framesift.load_vlm("tiny")


def asked(number, prompt, expected):
    return BenchmarkQuestion(
        id=str(number),
        prompt=prompt,
        kind="number",
        expected=expected,
        unseen="12",
        is_right=lambda said: said == expected,
        start_seconds=0.0,
        end_seconds=1.0,
        box=(0.0, 0.0, 1.0, 1.0),
    )


VIDEO = BenchmarkVideo(
    name="one",
    uri=URI,
    fps=1.0,
    questions=(
        asked(0, "What number flashes?", "44"),
        asked(1, "What color is the card?", "none"),
        asked(2, "Is the number in the left or the right half?", "none"),
    ),
)


@pytest.fixture(scope="module")
def answered(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "answers.jsonl"
    chosen, left_out = answering.ways(tiny, ["uniform", "question", "fastv"], [0.25])
    assert not left_out
    log = AnswerLog.opened(path, RUN)
    assert list(answering.answer_all(tiny, [VIDEO], chosen, log, path, timed=1)) == [VIDEO]
    return {answer.way: [a for a in log.answers if a.way == answer.way] for answer in log.answers}


def test_a_batch_says_what_each_question_gets_alone(tiny, answered):
    for (name, keep), given in answered.items():
        if name not in ("uniform", "question", WHOLE):
            continue
        strategy = "uniform" if name == WHOLE else name
        sift = framesift.VideoCompressor(vlm=tiny, strategy=strategy, keep=keep)
        for question, answer in zip(VIDEO.questions, given, strict=True):
            alone = sift.ask(URI, question.prompt, evidence=None)
            assert answer.said == alone.text
            assert answer.tokens == alone.usage.visual_tokens_after


def test_inside_the_llm_the_same_door_answers(tiny, answered):
    sift = framesift.VideoCompressor(vlm=tiny, strategy="uniform", keep=1.0)
    with tiny.in_llm("fastv", keep=0.25):
        alone = sift.ask(URI, VIDEO.questions[1].prompt, evidence=None)
    assert answered["fastv", 0.25][1].said == alone.text


def test_each_way_counts_its_tokens(answered):
    whole = 8 * 64
    counts = {name: {a.tokens for a in given} for (name, _), given in answered.items()}
    quarter = {Budget(keep=0.25).tokens(whole)}
    assert counts == {
        WHOLE: {whole},
        ONE_FRAME: {64},
        BLIND: {0},
        answering.UNSEEN: {0},
        "uniform": quarter,
        "question": quarter,
        "fastv": quarter,
    }


def test_the_time_to_the_first_token_is_taken_where_there_is_a_video(answered):
    for (_, keep), given in answered.items():
        assert all((answer.first_token_seconds is not None) == (keep > 0) for answer in given)


def test_a_second_run_adds_only_what_is_new(tiny, tmp_path):
    path = tmp_path / "answers.jsonl"
    first, _ = answering.ways(tiny, ["uniform"], [0.25])
    list(answering.answer_all(tiny, [VIDEO], first, AnswerLog.opened(path, RUN), path, timed=0))
    before = path.read_text()
    more, _ = answering.ways(tiny, ["uniform"], [0.25, 0.5])
    log = AnswerLog.opened(path, RUN)
    list(answering.answer_all(tiny, [VIDEO], more, log, path, timed=0))
    assert path.read_text().startswith(before)
    assert [a.way for a in log.answers[len(before.splitlines()) - 1 :]] == [("uniform", 0.5)] * 3


def test_what_the_model_does_not_serve_is_left_out_unless_it_was_asked_for(monkeypatch):
    plain = framesift.load_vlm("tiny")
    monkeypatch.setattr(type(plain.encoder), "gives", frozenset())
    found, left_out = answering.ways(plain, None, [0.5])
    assert "attention" in left_out
    assert "attention" not in {way.name for way in found}
    assert "uniform" in {way.name for way in found}
    with pytest.raises(MissingSignalError):
        answering.ways(plain, ["attention"], [0.5])


def test_what_needs_text_that_is_read_is_left_to_the_measure_of_reading(tiny):
    with pytest.raises(MissingSignalError, match="framesift bench reading"):
        answering.ways(tiny, ["protect-text"], [0.5])
    assert "bench reading" in answering.ways(tiny, None, [0.5])[1]["protect-text"]


def test_random_is_asked_with_five_seeds_and_a_seed_that_is_named_alone(tiny):
    found, _ = answering.ways(tiny, ["random", "random:seed=7"], [0.25])
    own = {way.name: way for way in found if way.name.startswith("random")}
    assert list(own) == [*(f"random#{number}" for number in range(1, 6)), "random:seed=7"]
    assert own["random#5"].part.seed == 4
    assert own["random#5"].spec == "random:seed=4"
    assert own["random:seed=7"].spec is None


def test_a_share_out_of_range_is_refused(tiny):
    with pytest.raises(BudgetError, match="keep"):
        answering.ways(tiny, ["uniform"], [1.5])


def test_a_layout_below_its_budget_is_no_warning_for_each_video(tiny, tmp_path, caplog):
    path = tmp_path / "answers.jsonl"
    way = answering.Way(name="mine", strategy="slow-fast", keep=0.25)
    log = AnswerLog.opened(path, RUN)
    list(answering.answer_all(tiny, [VIDEO], [way], log, path, timed=0))
    assert {answer.tokens for answer in log.answers} < set(range(128))
    assert not caplog.messages


def test_a_folder_is_named_by_its_weights_and_read_from_its_place(tiny):
    folder = Path(framesift.__file__).parent / "strategies" / "time_perceiver_weights"
    spec = f"slow-fast:filling=[{folder}]"
    way = answering.ways(tiny, [spec], [0.25])[0][-1]
    assert way.name == provenance.without_folders(spec)
    assert str(folder) not in way.name
    assert way.part.filling == str(folder)
