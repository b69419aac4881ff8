import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from framesift.testing.stand_in import DEVICE, stand_in
from framesift.types import plan as plans_module
from framesift.types.plan import TokenPlan

SETTINGS = settings(max_examples=60, deadline=None)


@st.composite
def plans(draw, num_in=None, tokens_per_frame=None):
    per_frame = tokens_per_frame or draw(st.integers(1, 4))
    total = num_in or per_frame * draw(st.integers(1, 6))
    num_out = draw(st.integers(1, 6))
    cells = {
        (row, draw(st.integers(0, total - 1)))
        for row in range(num_out)
        for _ in range(draw(st.integers(1, 3)))
    }
    dst, src = torch.tensor(sorted(cells)).T
    weight = torch.tensor([draw(st.integers(1, 8)) / 4 for _ in cells], dtype=torch.float64)
    return TokenPlan.from_entries(
        dst=dst,
        src=src,
        weight=weight,
        num_in=total,
        num_out=num_out,
        tokens_per_frame=per_frame,
    )


def dense(plan):
    matrix = torch.zeros(plan.num_out, plan.num_in, dtype=torch.float64)
    matrix[plan.dst, plan.src] = plan.weight.double()
    return matrix


@SETTINGS
@given(plans())
def test_normalized_rows_sum_to_one(plan):
    assert torch.allclose(dense(plan.normalized()).sum(1), torch.ones(plan.num_out).double())


@SETTINGS
@given(plans())
def test_apply_is_the_matrix_product(plan):
    values = torch.randn(plan.num_in, 3, dtype=torch.float64)
    assert torch.allclose(plan.apply(values), dense(plan) @ values)


@SETTINGS
@given(plans())
def test_mean_is_the_normalized_product(plan):
    values = torch.randn(plan.num_in, 2, dtype=torch.float64)
    expected = dense(plan.normalized()) @ values
    assert torch.allclose(plan.mean(values[plan.src]), expected)


@SETTINGS
@given(plans())
def test_mean_time_never_goes_back(plan):
    frames = (torch.arange(plan.num_in) // plan.tokens_per_frame).double()[:, None]
    assert (plan.normalized().apply(frames).diff(dim=0) >= -1e-5).all()


@SETTINGS
@given(st.data())
def test_composition_is_the_product_of_matrices_up_to_row_order(data):
    first = data.draw(plans())
    second = data.draw(plans(num_in=first.num_out, tokens_per_frame=1))
    both = first.then(second)
    values = torch.randn(first.num_in, 2, dtype=torch.float64)
    as_one = both.apply(values)
    in_turn = second.apply(first.apply(values))
    assert torch.allclose(_rows(as_one), _rows(in_turn))


def _rows(values):
    return values[values.mul(1e9).round().sort(dim=0, stable=True).indices[:, 0]]


def test_keep_is_sorted_and_bit_exact():
    plan = TokenPlan.keep(torch.tensor([5, 0, 3]), num_in=6, tokens_per_frame=3)
    values = torch.randn(2, 3, 4, dtype=torch.float16)
    assert plan.is_pruning
    assert plan.src.tolist() == [0, 3, 5]
    assert torch.equal(plan.apply(values), values.flatten(0, 1)[[0, 3, 5]])
    assert plan.frame_counts().tolist() == [1, 2]


def test_merge_averages_groups_and_drops_negative_ones():
    plan = TokenPlan.merge(torch.tensor([7, -1, 2, 7]), tokens_per_frame=2)
    values = torch.tensor([[1.0], [100.0], [5.0], [3.0]])
    assert plan.num_out == 2
    assert plan.apply(values).flatten().tolist() == [2.0, 5.0]
    assert plan.used.tolist() == [True, False, True, True]
    assert plan.sources.tolist() == [0, 2]


def test_rows_of_equal_mean_time_are_ordered_by_their_first_input():
    plan = TokenPlan.merge(torch.tensor([1, 0, 0, 1]), tokens_per_frame=2)
    assert plan.src.tolist() == [0, 3, 1, 2]


def test_gradient_flows_through_apply():
    values = torch.randn(4, 2, requires_grad=True)
    TokenPlan.merge(torch.tensor([0, 0, 1, 1]), tokens_per_frame=2).apply(values).sum().backward()
    assert torch.allclose(values.grad, torch.full((4, 2), 0.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"src": [0, 9]}, "within"),
        ({"src": [-1, 1]}, "within"),
        ({"dst": [0, 0], "num_out": 2}, "none empty"),
        ({"dst": [1, 0]}, "in order"),
        ({"weight": [1.0, -1.0]}, "at least 0"),
        ({"weight": [1.0, float("nan")]}, "finite"),
        ({"weight": [1.0, 0.0]}, "positive"),
        ({"src": [3, 0]}, "time order"),
        ({"num_out": 0}, "num_out=0"),
        ({"tokens_per_frame": 3}, "multiple"),
        ({"src": [0]}, r"\(E,\)"),
    ],
)
def test_wrong_plans_are_refused(change, message):
    given = {"dst": [0, 1], "src": [0, 3], "weight": [1.0, 1.0], "num_in": 4, "num_out": 2}
    values = {"tokens_per_frame": 2, **given, **change}
    for name in ("dst", "src"):
        values[name] = torch.tensor(values[name])
    values["weight"] = torch.tensor(values["weight"], dtype=torch.float64)
    with pytest.raises(ValueError, match=message):
        TokenPlan(**values)


def test_apply_refuses_another_number_of_tokens():
    plan = TokenPlan.keep(torch.tensor([0]), num_in=4, tokens_per_frame=2)
    with pytest.raises(ValueError, match="6 tokens"):
        plan.apply(torch.zeros(3, 2, 1))


def test_outputs_of_one_mean_time_are_in_the_order_of_their_first_inputs():
    # A third of a weight is rounded, up in float32 and down once rows sum to one.
    plan = TokenPlan.from_entries(
        dst=torch.tensor([0, 0, 1, 1]),
        src=torch.tensor([0, 4, 1, 9]),
        weight=torch.tensor([1.0, 1.0, 0.75, 0.25]),
        num_in=10,
        num_out=2,
        tokens_per_frame=2,
    )
    assert plan.src.tolist() == [0, 4, 1, 9]
    assert torch.equal(plan.normalized().src, plan.src)


def test_times_that_go_back_are_refused():
    with pytest.raises(ValueError, match="time order"):
        TokenPlan(
            dst=torch.tensor([0, 1]),
            src=torch.tensor([4, 0]),
            weight=torch.ones(2),
            num_in=6,
            num_out=2,
            tokens_per_frame=2,
        )


def test_a_plan_on_two_devices_is_refused_and_a_pickle_of_one_is_for_any_machine():
    columns = {"dst": torch.arange(2), "src": torch.arange(2), "weight": torch.ones(2)}
    shape = {"num_in": 4, "num_out": 2, "tokens_per_frame": 2}
    with pytest.raises(ValueError, match="are on cpu and meta"):
        TokenPlan(**{**columns, "src": columns["src"].to("meta")}, **shape)
    with stand_in():
        plan = TokenPlan(**columns, **shape).to(DEVICE)
        assert copy.deepcopy(plan).src.device == DEVICE
        content = pickle.dumps(plan)
    assert torch.equal(pickle.loads(content).src, columns["src"])


@pytest.mark.parametrize("at_once", [16, 56, 2**20])
def test_many_rows_are_checked_and_made_in_parts(monkeypatch, at_once):
    monkeypatch.setattr(plans_module, "AT_ONCE_ON_CPU", at_once)
    kept = torch.arange(0, 60, 2)
    plan = TokenPlan.keep(kept, num_in=60, tokens_per_frame=4)
    values = torch.randn(15, 4, 3, generator=torch.Generator().manual_seed(2)).half()
    assert torch.equal(plan.apply(values), values.reshape(60, 3)[kept])
    known = {"weight": plan.weight, "num_in": 60, "num_out": 30, "tokens_per_frame": 4}
    for place in range(29):
        dst, src = plan.dst.clone(), plan.src.clone()
        dst[place] += 1
        with pytest.raises(ValueError, match="every row"):
            TokenPlan(dst=dst, src=plan.src, **known)
        src[place], src[place + 1] = src[place + 1].item(), src[place].item()
        if src[place] // 4 != src[place + 1] // 4:
            with pytest.raises(ValueError, match="time order"):
                TokenPlan(dst=plan.dst, src=src, **known)
