"""What every plan of a strategy holds, whatever tokens and budget it is made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from framesift.strategies.base import Strategy
from framesift.testing._suite import Made
from framesift.testing.samples import random_tokens
from framesift.testing.stand_in import on_stand_in, stand_in
from framesift.types.budget import Budget
from framesift.types.plan import TokenPlan
from framesift.types.tokens import Signals, VideoTokens

SHAPES = [
    (1, 1, 1),
    (1, 4, 4),
    (7, 1, 4),
    (24, 5, 3),
    *((frames, 3, 4) for frames in (1, 2, 3, 5, 8, 32)),
]
KEEPS = (1e-9, 0.05, 0.1, 0.25, 0.35, 0.5, 0.75, 0.9, 1.0)


def assert_size(strategy: Strategy, plan: TokenPlan, budget: int, about: object = "") -> None:
    """Passes where a plan has the budget's size, or that of the largest layout that fits it."""
    fits = strategy.structural and 1 <= plan.num_out < budget
    allowed = f"1 to {budget}" if strategy.structural else f"exactly {budget}"
    assert plan.num_out == budget or fits, (
        f"{strategy.spec!r} keeps {plan.num_out} tokens, allowed are {allowed} {about}".rstrip()
    )


def assert_same(first: TokenPlan, second: TokenPlan, why: str) -> None:
    """Passes where two plans are equal to the bit."""
    for name in ("dst", "src", "weight"):
        one, other = getattr(first, name), getattr(second, name)
        assert torch.equal(one, other), f"{why}: plan.{name} is {one}, then {other}"


def check_budgets(strategy: Strategy, tokens: VideoTokens, keeps: Sequence[float]) -> None:
    """Passes where plans for shares of tokens have their size and come out equal twice."""
    for keep in keeps:
        budget = Budget(keep=keep).tokens(tokens.count)
        plan = strategy.plan(tokens, budget)
        assert_size(strategy, plan, budget, f"(keep={keep})")
        assert_same(plan, strategy.plan(tokens, budget), "planning twice gives two plans")


class DividesAsCuda(TorchDispatchMode):
    """Multiplies by the reciprocal where a tensor is divided by a plain number, as GPUs do."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Returns what `func` gives on a GPU."""
        if func in (torch.ops.aten.div.Tensor, torch.ops.aten.div_.Tensor):
            values, by = args
            if values.is_floating_point() and not isinstance(by, torch.Tensor):
                product = values * (1.0 / by)
                return values.copy_(product) if func is torch.ops.aten.div_.Tensor else product
        return func(*args, **(kwargs or {}))


class PlanPromises(Made):
    """Promises about plans: their size, their order, and what they may depend on."""

    def test_budget_is_met_exactly(self, strategy: Strategy) -> None:
        """A plan has as many outputs as the budget; more budget never keeps fewer tokens."""
        for shape in SHAPES:
            tokens = random_tokens(*shape)
            sizes = []
            for keep in KEEPS:
                budget = Budget(keep=keep).tokens(tokens.count)
                plan = strategy.plan(tokens, budget)
                about = f"of {shape} frames, rows and columns (keep={keep})"
                assert_size(strategy, plan, budget, about)
                out = plan.apply(tokens.features)
                assert out.shape == (plan.num_out, tokens.features.shape[-1]), about
                again = strategy.plan(tokens, plan.num_out).num_out
                assert again == plan.num_out, f"a budget of {plan.num_out} {about} gives {again}"
                sizes.append(plan.num_out)
            assert sizes == sorted(sizes), f"more budget keeps fewer tokens {about}"

    @pytest.mark.parametrize("shape", [(1, 13, 13), (2, 14, 14), (3, 1, 31), (3, 9, 1)], ids=str)
    def test_budgets_are_exact_and_repeatable_on_grids_of_models(
        self, strategy: Strategy, shape: tuple[int, int, int]
    ) -> None:
        """Budgets are exact on the grids that models have, and on a single row or column."""
        check_budgets(strategy, random_tokens(*shape), (0.03, 0.1, 0.37, 0.9))

    def test_a_budget_for_all_tokens_changes_nothing(self, strategy: Strategy) -> None:
        """A budget of all tokens or more keeps each one as it is, in order: keep = 1 is a no-op."""
        for frames in (1, 2, 3, 8):
            for more in (0, 5):
                tokens = random_tokens(frames)
                plan = strategy.plan(tokens, tokens.count + more)
                about = f"{frames} frames, budget of all {tokens.count} tokens and {more} more"
                assert plan.is_pruning, f"tokens are merged: {about}"
                same = torch.equal(plan.apply(tokens.features), tokens.features.flatten(0, 1))
                assert same, f"the output is not the input: {about}"

    def test_static_video_with_identical_tokens(self, strategy: Strategy) -> None:
        """Tokens that are all equal give a plan of the right size, the same one each time."""
        tokens = random_tokens()
        still = replace(
            tokens,
            features=torch.ones_like(tokens.features),
            signals=Signals(
                **{k: torch.ones_like(value) for k, value in tokens.signals.present().items()}
            ),
        )
        plan = strategy.plan(still, 20)
        assert_size(strategy, plan, 20, "of equal tokens")
        assert_same(plan, strategy.plan(still, 20), "equal tokens give two plans")

    @pytest.mark.parametrize("empty", [slice(1, 3), slice(None)], ids=["two frames", "all"])
    def test_zero_vectors_give_finite_plans(self, strategy: Strategy, empty: slice) -> None:
        """Feature vectors of zeros, as of black frames, lead to no NaN and no other size."""
        tokens = random_tokens()
        tokens.features[empty] = 0
        plan = strategy.plan(tokens, 30)
        assert_size(strategy, plan, 30, "with zero vectors")
        assert plan.apply(tokens.features).isfinite().all(), "zero vectors lead to NaN or infinity"
        assert_same(plan, strategy.plan(tokens, 30), "zero vectors give two plans")

    def test_the_order_of_channels_does_not_matter(self, strategy: Strategy) -> None:
        """A plan stays the same where the channels of all features are shuffled alike."""
        tokens = random_tokens(9, channels=32)
        order = torch.randperm(32, generator=torch.Generator().manual_seed(5))
        mixed = replace(tokens, features=tokens.features[..., order])
        plan, other = (strategy.plan(each, 40) for each in (tokens, mixed))
        assert torch.equal(plan.dst, other.dst), "shuffled channels change plan.dst"
        assert torch.equal(plan.src, other.src), "shuffled channels change plan.src"
        torch.testing.assert_close(plan.weight, other.weight, rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_dtype_is_preserved(self, strategy: Strategy, dtype: torch.dtype) -> None:
        """Half and double precision come out as they went in, finite and in the right number."""
        tokens = random_tokens(dtype=dtype)
        plan = strategy.plan(tokens, 28)
        out = plan.apply(tokens.features)
        assert out.dtype == dtype
        assert out.isfinite().all(), f"{dtype} leads to NaN or infinity"
        assert_size(strategy, plan, len(out))
        assert_size(strategy, plan, 28, f"in {dtype}")

    def test_deterministic_and_blind_to_the_global_seed(self, strategy: Strategy) -> None:
        """Two equal instances plan alike, neither reading nor moving the global random state."""
        tokens = random_tokens(12)
        torch.manual_seed(1)
        first = strategy.plan(tokens, 50)
        torch.manual_seed(2)
        state = torch.get_rng_state()
        second = self.twin(strategy).plan(tokens, 50)
        assert_same(first, second, "another global seed or another instance gives another plan")
        assert torch.equal(state, torch.get_rng_state()), "the global random state has moved on"

    def test_input_is_not_changed(self, strategy: Strategy) -> None:
        """Planning writes nothing into the features."""
        tokens = random_tokens()
        before = tokens.features.clone()
        strategy.plan(tokens, 10)
        assert torch.equal(tokens.features, before), "planning wrote into tokens.features"

    def test_masked_tokens_never_survive(self, strategy: Strategy) -> None:
        """Tokens that the mask takes out are neither kept nor merged, and count in no budget."""
        tokens = random_tokens(9)
        generator = torch.Generator().manual_seed(3)
        mask = torch.rand(tokens.features.shape[:2], generator=generator) < 0.4
        masked, live = replace(tokens, mask=mask), int(mask.sum())
        for budget in (1, 17, live, tokens.count):
            plan = strategy.plan(masked, budget)
            assert_size(strategy, plan, min(budget, live), f"with {live} unmasked tokens")
            taken = plan.src[~mask.flatten()[plan.src]].tolist()
            assert not taken, f"masked tokens {taken} are in the plan (budget {budget})"
        assert torch.equal(plan.used, mask.flatten()), "a budget of all leaves out unmasked tokens"
        assert plan.is_pruning, "a budget of all unmasked tokens merges them"

    def test_outputs_are_in_time_order(self, strategy: Strategy) -> None:
        """Outputs follow one another in time."""
        tokens = random_tokens(11)
        plan = strategy.plan(tokens, 40)
        times = tokens.pts_seconds.repeat_interleave(tokens.tokens_per_frame)[:, None]
        # The last bits of a sum of fractions in float32 do not decide an order.
        steps = plan.normalized().apply(times).diff(dim=0)
        assert (steps > -1e-5).all(), "an output is earlier than the one before it"

    def test_an_output_says_the_times_that_it_was_merged_from(self, strategy: Strategy) -> None:
        """An output's time is the mean of its tokens' times; `output` says if it has several."""
        tokens = random_tokens(6)
        seconds = torch.tensor([0.0, 3.0, 7.0, 7.5, 20.0, 20.5], dtype=torch.float64)
        still = replace(tokens, features=tokens.features[:1].expand(6, -1, -1), pts_seconds=seconds)
        for video in (replace(tokens, pts_seconds=seconds), still):
            plan = strategy.plan(video, 30)
            times = seconds.repeat_interleave(video.tokens_per_frame)[:, None]
            output_times = plan.normalized().apply(times)[:, 0]
            for row in range(plan.num_out):
                own = plan.dst == row
                frames = seconds[plan.src[own] // video.tokens_per_frame]
                weight = plan.weight[own].double()
                mean = (weight * frames).sum() / weight.sum()
                assert abs(float(output_times[row] - mean)) < 1e-9, f"output {row}"
            declared = f"is_merging={strategy.is_merging}, yet the plan"
            assert plan.is_pruning or strategy.is_merging, f"{declared} merges"
        assert plan.is_pruning != strategy.is_merging, f"{declared} of a still video does not merge"

    @pytest.mark.parametrize("seed", [0, 1])
    def test_a_plan_does_not_rest_on_how_a_device_divides(
        self, strategy: Strategy, seed: int
    ) -> None:
        """Division as GPUs do it, by the reciprocal, gives the same plan."""
        tokens = random_tokens(16, seed=seed)
        plan = strategy.plan(tokens, 60)
        with DividesAsCuda():  # type: ignore[no-untyped-call]
            other = strategy.plan(tokens, 60)
            assert_same(plan, other, "another last bit of a division gives another plan")

    def test_plan_on_a_device_equals_plan_on_the_cpu(self, strategy: Strategy) -> None:
        """A device without float64 gives the CPU's plan, and gets no tensor of the host."""
        tokens = random_tokens(16)
        mask = torch.rand(16, 16, generator=torch.Generator().manual_seed(4)) < 0.8
        for given in (tokens, replace(tokens, mask=mask)):
            plan = strategy.plan(given, 60)
            with stand_in():
                moved = on_stand_in(given)
                there = strategy.plan(moved, 60)
                out, other = there.apply(moved.features).cpu(), there.cpu()
            assert_same(plan, other, "another device gives another plan")
            assert torch.equal(plan.apply(given.features), out), "tokens differ on a device"

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
    def test_plan_on_a_gpu_equals_plan_on_the_cpu(self, strategy: Strategy) -> None:
        """Tokens on a GPU give the plan that they give on the CPU."""
        tokens = random_tokens(16)
        moved = replace(
            tokens,
            features=tokens.features.cuda(),
            signals=Signals(**{k: v.cuda() for k, v in tokens.signals.present().items()}),
        )
        assert_same(strategy.plan(tokens, 60), strategy.plan(moved, 60).cpu(), "GPU and CPU differ")
