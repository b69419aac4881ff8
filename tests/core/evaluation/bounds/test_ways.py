import pytest

import framesift
from framesift.errors import InvalidOptionError
from framesift.evaluation import provenance
from framesift.evaluation.answers import answering
from framesift.evaluation.answers.log import Answered, AnswerLog, AnswerRun
from framesift.evaluation.bounds import ways
from framesift.testing.samples import random_tokens


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        (["0.25"], [0.25]),
        (["0.5,0.25", "256"], [0.25, 0.5, 256.0]),
        (["1.0", "2"], [1.0, 2.0]),
        (["64, 64"], [64.0]),
    ],
)
def test_a_bound_is_a_share_or_a_number_of_tokens(given, bounds):
    assert ways.bounds_of(given) == bounds


@pytest.mark.parametrize("given", ["0", "1", "0.0", "1.5", "-4", "nan", "inf", "many", "", "0.5,"])
def test_another_bound_is_refused_in_a_line_that_says_what_is_allowed(given):
    with pytest.raises(InvalidOptionError, match=r"must be a share above 0 to 1 with a point"):
        ways.bounds_of([given])


@pytest.fixture(scope="module")
def tiny():
    return framesift.load_vlm("tiny")


def test_ways_are_named_and_full_frames_are_always_among_them(tiny):
    given = ["temporal:threshold=0.9", "mine#1=random:seed=1", "mine#2=random:seed=2"]
    chosen, left_out = ways.bounded_ways(tiny, given, [0.25, 100.0], ["mine"])
    assert not left_out
    own = [way for way in chosen if way not in answering.BASELINES]
    assert [(way.name, way.keep) for way in own] == [
        (name, bound)
        for name in (ways.FRAMES, "temporal:threshold=0.9", "mine#1", "mine#2")
        for bound in (0.25, 100.0)
    ]
    assert [way.spec for way in own[::2]] == [None, None, "random:seed=1", "random:seed=2"]


def test_all_strategies_are_compared_but_those_within_the_llm(tiny):
    chosen, left_out = ways.bounded_ways(tiny, None, [0.25])
    assert {"temporal", "uniform"} <= {way.name for way in chosen}
    assert "within the LLM" in left_out["fastv"]
    with pytest.raises(InvalidOptionError, match="no upper bound"):
        ways.bounded_ways(tiny, ["fastv"], [0.25])


@pytest.mark.parametrize(
    ("given", "against", "told"),
    [
        (["random", "random"], [], "names two ways"),
        (["uniform frames=random"], [], "names two ways"),
        (["=random"], [], "NAME=SPEC"),
        (["mine="], [], "NAME=SPEC"),
        (["random"], ["mine"], "not among the ways"),
    ],
)
def test_a_name_that_says_nothing_clear_is_refused(tiny, given, against, told):
    with pytest.raises(InvalidOptionError, match=told):
        ways.bounded_ways(tiny, given, [0.25], against)


def test_a_name_stands_for_one_spec_in_a_log(tiny):
    run = AnswerRun(settings={}, versions={}, machine="any", commit="unknown")
    given = {
        "video": "v",
        "question": "0",
        "kind": "color",
        "keep": 0.25,
        "expected": "",
        "said": "",
    }
    facts = {"tokens": 1, "tokens_before": 4, "right": False}
    answer = Answered(strategy="mine", spec="random:seed=1", **given, **facts)
    log = AnswerLog(run=run, answers=[answer])
    same, _ = ways.bounded_ways(tiny, ["mine=random:seed=1"], [0.25])
    ways.check_goes_on(log, same)
    ways.check_goes_on(log, ways.bounded_ways(tiny, ["temporal"], [0.25])[0])
    other, _ = ways.bounded_ways(tiny, ["mine=random:seed=2"], [0.25])
    with pytest.raises(InvalidOptionError, match="'random:seed=1', and it is 'random:seed=2' now"):
        ways.check_goes_on(log, other)


@pytest.mark.parametrize(
    ("bound", "kept"), [(0.5, 32), (0.49, 24), (100.0, 64), (63.0, 56), (8.0, 8), (5.0, 5)]
)
def test_frames_are_kept_in_full_or_not_at_all_where_one_fits(bound, kept):
    tokens = random_tokens(frames=8, height=2, width=4)
    way = answering.Way(name=ways.FRAMES, keep=bound, in_whole_frames=True)
    budget = way.budget(tokens)
    assert budget.tokens(tokens.count) == kept
    plan = way.part.plan(tokens, budget.tokens(tokens.count))
    counts = plan.frame_counts()
    assert int(counts.sum()) == kept
    if kept >= 8:
        assert set(counts.tolist()) <= {0, 8}


def test_folders_of_a_spec_are_told_by_their_weights_not_by_their_place(tmp_path):
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    inner = f"slow-fast:filling={folder},segment=4"
    told = provenance.without_folders(inner)
    assert told.startswith("slow-fast:filling=trained@")
    assert told.endswith(",segment=4")
    assert str(tmp_path) not in provenance.without_folders(f"protect-edges:strategy=[{inner}]")
    # In brackets, as `framesift train` prints it, beside a folder whose name begins alike.
    assert provenance.without_folders(f"slow-fast:filling=[{folder}],segment=4") == told
    longer = tmp_path / "trained-2"
    longer.mkdir()
    both = f"slow-fast:filling={longer} | slow-fast:filling=[{folder}]"
    first, second = provenance.without_folders(both).split(" | ")
    assert first.startswith("slow-fast:filling=trained-2@")
    assert f"{second},segment=4" == told
    (folder / "model.safetensors").write_bytes(b"others!")
    assert provenance.without_folders(inner) != told


def test_a_name_that_comes_along_is_not_a_folder(tmp_path, monkeypatch):
    (tmp_path / "pooled").mkdir()
    monkeypatch.chdir(tmp_path)
    assert provenance.without_folders("slow-fast:filling=pooled") == "slow-fast:filling=pooled"
