"""Strategies give what the published code of their methods gave."""

import numpy as np
import pytest
import torch

from framesift.strategies._quadtree import ONE, Quadtree
from framesift.strategies._segmentation import best_segments
from framesift.strategies._static import to_next
from framesift.strategies.base import create_strategy
from framesift.strategies.prunevid import _refined
from framesift.strategies.sttm import averaged
from goldens.originals import cases, share_of_rows


def each(file, *kinds):
    return pytest.mark.parametrize("case", cases(file, *kinds), ids=repr)


@each("evs", "exact")
def test_evs_keeps_the_same_tokens(case):
    plan = create_strategy("evs").plan(case.tokens, len(case["indices"]))
    assert plan.src.tolist() == sorted(case["indices"].tolist())


@each("evs", "differs")
def test_evs_in_bfloat16_or_among_equal_tokens_keeps_most_of_the_same(case):
    plan = create_strategy("evs").plan(case.tokens, len(case["indices"]))
    assert len(plan.src) == len(case["indices"])
    assert np.isin(plan.src.numpy(), case["indices"]).mean() > 0.6


@each("vidcom2", "exact")
def test_vidcom2_keeps_the_same_tokens(case):
    plan = create_strategy("vidcom2").plan(case.tokens, len(case["indices"]))
    assert plan.src.tolist() == sorted(case["indices"].tolist())


@each("vidcom2", "differs")
def test_vidcom2_in_bfloat16_keeps_most_of_the_same(case):
    plan = create_strategy("vidcom2").plan(case.tokens, len(case["indices"]))
    assert np.isin(plan.src.numpy(), case["indices"]).mean() > 0.9


@each("tome", "exact")
def test_tome_merges_the_same_tokens(case):
    strategy = create_strategy("tome", metric=case["metric"])
    plan = strategy.plan(case.tokens, case["budget"])
    assert share_of_rows(plan, case) == 1
    sizes = torch.bincount(plan.dst, minlength=plan.num_out)
    assert sizes.sort().values.tolist() == sorted(case["sizes"].tolist())


@each("vision_zip", "exact")
def test_vision_zip_gives_the_same_rows(case):
    count = case["dominant"] + case["contextual"]
    strategy = create_strategy("vision-zip", contextual=case["contextual"] / count)
    assert share_of_rows(strategy.plan(case.tokens, count * len(case["features"])), case) == 1


@each("scissor", "exact")
def test_scissor_gives_the_same_rows_and_counts_at_a_threshold(case):
    strategy = create_strategy("scissor", threshold=case["threshold"])
    assert strategy.two_step_count(case.tokens, case["threshold"]) == case["count"]
    assert share_of_rows(strategy.plan(case.tokens, case["count"]), case) == 1


@each("cdpruner", "exact")
def test_cdpruner_keeps_the_same_tokens_of_one_frame(case):
    plan = create_strategy("cdpruner").plan(case.tokens, case["count"])
    assert plan.src.tolist() == sorted(case["indices"].tolist())


@each("pllava", "exact")
def test_pllava_pools_to_the_same_rows(case):
    plan = create_strategy("pllava").plan(case.tokens, case["budget"])
    assert plan.num_out == case["budget"]
    given = plan.apply(case.tokens.features.double())
    torch.testing.assert_close(given, torch.from_numpy(case["rows"]).double(), rtol=1e-4, atol=1e-5)


@each("framefusion", "exact")
def test_framefusion_merges_the_same_runs(case):
    plan = create_strategy("framefusion", threshold=case["threshold"]).plan(
        case.tokens, case["count"]
    )
    if case["ties"]:
        assert share_of_rows(plan, case, each_once=False) == 1
    else:
        assert share_of_rows(plan, case) == 1
        firsts = torch.full((plan.num_out,), case.tokens.count).scatter_reduce(
            0, plan.dst, plan.src, "amin"
        )
        assert firsts.sort().values.tolist() == sorted(case["indices"].tolist())


@each("dycoke", "exact")
def test_dycoke_keeps_the_same_tokens_but_of_the_last_group(case):
    tokens = case.tokens
    frames, patches = tokens.frame_count, tokens.tokens_per_frame
    whole = -(-frames // 4)
    budget = whole * patches + (frames - whole) * case["kept_per_other_frame"]
    kept = create_strategy("dycoke").plan(tokens, budget).src
    compared = case["frames_compared"] * patches
    assert kept[kept < compared].tolist() == sorted(
        index for index in case["indices"].tolist() if index < compared
    )


@each("holitom", "near")
def test_holitom_cuts_the_same_segments_and_gives_the_same_rows(case):
    tokens = case.tokens
    segments = best_segments(
        to_next(tokens),
        threshold=case["threshold"],
        window=case["window"],
        allowed=tokens.count,
    )
    lengths = torch.tensor(segments.lengths)
    first, last = lengths.cumsum(0) - lengths, lengths.cumsum(0) - 1
    assert torch.stack([first, last], dim=1).tolist() == case["segments"].tolist()
    assert int((segments.still.sum(1) * (lengths - 1)).sum()) == case["saved"]
    strategy = create_strategy(
        "holitom",
        threshold=case["threshold"],
        beta=case["beta"],
        neighbors=case["neighbors"],
        window=case["window"],
    )
    assert share_of_rows(strategy.plan(tokens, case["count"]), case) >= case["wanted"]


@each("fastvid", "near")
def test_fastvid_keeps_the_same_tokens(case):
    names = ("segments", "threshold", "context", "step", "beta")
    strategy = create_strategy("fastvid", **{name: case[name] for name in names})
    plan = strategy.plan(case.tokens, case["count"])
    same = np.isin(plan.sources.numpy(), case["indices"])
    assert same.mean() >= case["wanted"]
    given = plan.apply(case.tokens.features.double())
    order = {index: row for row, index in enumerate(case["indices"].tolist())}
    rows = torch.from_numpy(case["rows"]).double()
    pairs = [(row, order[i]) for row, i in enumerate(plan.sources.tolist()) if i in order]
    ours, theirs = (torch.tensor(column) for column in zip(*pairs, strict=True))
    alike = torch.nn.functional.cosine_similarity(given[ours], rows[theirs], dim=1)
    assert float(alike.min()) > 0.96


@each("prumerge", "exact")
def test_prumerge_gives_the_same_rows(case):
    strategy = create_strategy("prumerge", neighbors=case["neighbors"], uniform=0.0)
    assert share_of_rows(strategy.plan(case.tokens, case["count"]), case) == 1


@each("prunevid", "near")
def test_prunevid_finds_the_same_segments_and_rows(case):
    tokens = case.tokens
    strategy = create_strategy("prunevid", threshold=case["threshold"], segments=case["segments"])
    lengths = [stop - start for start, stop in strategy._spans(tokens)]
    assert lengths == case["segment_lengths"].tolist()
    assert strategy.neighbors == case["neighbors"]
    assert strategy.frame_neighbors == case["frame_neighbors"]
    assert share_of_rows(strategy.plan(tokens, case["count"]), case) >= case["wanted"]


@each("prunevid", "labels")
def test_prunevid_refines_labels_alike(case):
    for labels, refined, lengths in zip(
        case["labels"].tolist(),
        case["refined"].tolist(),
        case["segment_lengths"].tolist(),
        strict=True,
    ):
        given = [label for label in labels if label >= 0]
        spans = _refined(given)
        assert [stop - start for start, stop in spans] == [one for one in lengths if one]
        found = [label for label in refined if label >= 0]
        for start, stop in spans:
            assert len(set(found[start:stop])) == 1


def squares_at(case):
    """Returns the plan at the thresholds of a case."""
    tree = Quadtree.of(case.tokens, case["root_level"])
    spatial, temporal = (round(case[f"{name}_threshold"] * ONE) for name in ("spatial", "temporal"))
    square = None if case["weighted"] else tree.squares(spatial).flatten()
    return averaged(tree.groups(spatial, temporal), square, case.tokens.tokens_per_frame)


@each("sttm", "exact")
def test_sttm_gives_the_same_squares_at_the_thresholds(case):
    plan = squares_at(case)
    assert plan.num_out == case["count"]
    assert share_of_rows(plan, case) == 1
    assert boxes(plan, case) == sorted(map(tuple, case["boxes"].tolist()))
    sizes = torch.bincount(plan.dst, minlength=plan.num_out)
    assert sizes.sort().values.tolist() == sorted(case["sizes"].tolist())


@each("sttm", "exact")
def test_sttm_solves_a_budget_for_the_thresholds_of_the_original(case):
    slack = (1 - case["temporal_threshold"]) / (1 - case["spatial_threshold"])
    options = {"root_level": case["root_level"], "weighted": case["weighted"]}
    plan = create_strategy("sttm", time_slack=slack, **options).plan(case.tokens, case["count"])
    assert plan.num_out == case["count"]
    assert share_of_rows(plan, case) == 1


@each("sttm", "quirk", "differs")
def test_sttm_without_the_quirks_makes_the_same_squares_but_fewer(case):
    plan = squares_at(case)
    ours, theirs = set(boxes(plan, case)), set(map(tuple, case["boxes"].tolist()))
    assert len(ours & theirs) >= 0.75 * len(theirs)
    assert 0.85 * case["count"] < plan.num_out < case["count"]


def boxes(plan, case):
    """Returns of each row the first square, `(t, y0, x0, y1, x1)` with exclusive ends."""
    patches, width = case.tokens.tokens_per_frame, case.tokens.grid[1]
    tree = Quadtree.of(case.tokens, case["root_level"])
    square = tree.squares(round(case["spatial_threshold"] * ONE)).flatten()
    found = []
    for row in range(plan.num_out):
        own = plan.src[plan.dst == row]
        first = own[square[own] == square[own[0]]] % patches
        y, x = first // width, first % width
        corners = (y.min(), x.min(), y.max() + 1, x.max() + 1)
        found.append((int(own[0]) // patches, *map(int, corners)))
    return sorted(found)
