"""The promises of every strategy, whatever its method."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, get_args

import pytest
import torch

from framesift.errors import (
    BudgetError,
    InvalidTokensError,
    MissingSignalError,
    PlanTooLongError,
    TimeLimitError,
)
from framesift.run import Progress, on_progress, time_limit
from framesift.strategies import registry
from framesift.strategies.base import Place, Strategy, create_strategy
from framesift.testing._strategy_plans import PlanPromises, assert_size, check_budgets
from framesift.testing._suite import Made, PartPromises
from framesift.testing.samples import random_tokens
from framesift.testing.stand_in import counted
from framesift.types.tokens import Signals, VideoTokens


class _Strategies(Made):
    """Makes the strategy that `spec` names."""

    registry = registry

    @pytest.fixture
    def strategy(self, part: Strategy) -> Strategy:
        """The strategy under test, as `part` makes it."""
        return part

    def create(self, spec: Any) -> Strategy:
        """Returns the strategy of a spec string, or the chain of several."""
        return create_strategy(spec)


class StrategyContract(PlanPromises, _Strategies, PartPromises):
    """Exact budgets, equal plans for equal tokens, clear errors: what every strategy promises.

        class TestMine(StrategyContract):
            spec = "mine:option=1"  # or an instance, or a class that needs no options

    It takes a second or two. `StrategyScaleContract` adds what shows at the size of real videos.
    """

    def test_budget_below_one_is_an_error(self, strategy: Strategy) -> None:
        """A budget of no token is refused."""
        with pytest.raises(BudgetError, match="at least 1"):
            strategy.plan(random_tokens(), 0)

    def test_what_a_listener_raises_ends_a_plan_at_any_step(self, strategy: Strategy) -> None:
        """A plan tells its progress as stage `plan`, and ends with what a listener raises."""
        tokens, steps = random_tokens(6), list[Progress]()
        with on_progress(steps.append):
            strategy.plan(tokens, 30)
        stages = {step.stage for step in steps}
        assert stages == {"plan"}

        heard = 0

        def refuse(_: Progress) -> None:
            nonlocal heard
            heard += 1
            if heard == last:
                raise KeyboardInterrupt

        for last in {1, len(steps) // 2, len(steps)} - {0}:
            heard = 0
            with pytest.raises(KeyboardInterrupt), on_progress(refuse):
                strategy.plan(tokens, 30)
            assert heard == last, f"the plan went on after step {last} was refused"

    def test_no_step_of_a_plan_is_long(self, strategy: Strategy) -> None:
        """Loops run through `run.stoppable`, so that a time limit can end them in seconds."""
        check_longest_step(strategy, random_tokens(24, 14, 14, 64), 2.0)

    def test_a_plan_that_surely_takes_too_long_is_refused_with_the_figure(
        self, strategy: Strategy
    ) -> None:
        """`least_multiplications` grows with the video, so that hopeless plans are refused."""
        frames = 10**7
        refusal = r"at least \d+ s here for a plan"
        with time_limit(1.0), pytest.raises(PlanTooLongError, match=refusal):
            strategy.check_time(frames, 729, 1024, frames)
        strategy.check_time(frames, 729, 1024, frames)
        tokens = random_tokens()
        with time_limit(60.0):
            assert_size(strategy, strategy.plan(tokens, 5), 5, "under a time limit")

    def test_missing_signals_are_named(self, strategy: Strategy) -> None:
        """`needs` names every signal that is read: without them the error says which is missing."""
        tokens, needed = random_tokens(), sorted(strategy.required_signals)
        given = {name: getattr(tokens.signals, name) for name in needed}
        plan = strategy.plan(replace(tokens, signals=Signals(**given)), 5)
        assert_size(strategy, plan, 5, f"with {', '.join(needed) or 'no signals'}")
        if needed:
            with pytest.raises(MissingSignalError, match=needed[0]):
                strategy.plan(replace(tokens, signals=Signals()), 5)

    def test_outputs_hold_finite_features_that_segments_account_for(
        self, strategy: Strategy
    ) -> None:
        """`features` gives a row for each output, the same each time; segments add up to them."""
        tokens = random_tokens(11)
        for budget in (1, 17, 60, tokens.count):
            plan = strategy.plan(tokens, budget)
            rows, again = (strategy.features(tokens, plan, torch.tanh) for _ in range(2))
            assert len(rows) == plan.num_out, f"{len(rows)} rows for {plan.num_out} outputs"
            assert rows.isfinite().all(), f"a budget of {budget} leads to NaN or infinity"
            assert torch.equal(rows, again), "computing features twice gives other values"
            if not strategy.computes_features:
                assert torch.equal(rows, plan.apply(tokens.features)), "outputs are not the means"
            segments = strategy.segment_tokens(tokens, plan)
            if segments is not None:
                held = sum(each.key_tokens + each.temporal_tokens for each in segments)
                assert held == plan.num_out, f"segments account for {held} of {plan.num_out}"
                assert sum(each.frames for each in segments) <= tokens.frame_count

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")], ids=str)
    def test_features_that_are_no_numbers_are_refused(
        self, strategy: Strategy, value: float
    ) -> None:
        """NaN and infinity in the features are refused, with the frame and patch they are in."""
        tokens = random_tokens()
        tokens.features[2, 7, 3] = value
        place = rf"got {value} in frame 2, patch 7 \(1 of 112"
        with pytest.raises(InvalidTokensError, match=place):
            strategy.plan(tokens, 5)

    def test_tokens_of_which_none_takes_part_are_refused(self, strategy: Strategy) -> None:
        """A mask that takes all tokens out is refused."""
        masked = replace(random_tokens(), mask=torch.zeros(7, 16, dtype=torch.bool))
        with pytest.raises(InvalidTokensError, match="0 of 112 tokens"):
            strategy.plan(masked, 5)

    def test_class_facts(self, strategy: Strategy) -> None:
        """`cost`, `applies_to` and `paper` are filled and fit into a table."""
        assert strategy.applies_to in get_args(Place)
        assert 0 < len(strategy.cost) < 40
        assert len(strategy.summary) < 80
        assert strategy.paper is None or strategy.paper.startswith("https://")


class StrategyScaleContract(_Strategies):
    """The same at the size of real videos; it takes up to half a minute for a slow strategy.

    class TestMineAtScale(StrategyScaleContract):
        spec = "mine"
    """

    most_growth: ClassVar[float] = 3.0
    """How many times the operations of 64 frames 512 may take."""

    @pytest.mark.parametrize("shape", [(1, 27, 27), (2, 27, 13), (5, 24, 24)], ids=str)
    def test_budgets_are_exact_and_repeatable_on_large_grids(
        self, strategy: Strategy, shape: tuple[int, int, int]
    ) -> None:
        """Budgets are exact on the grids of the largest encoders."""
        check_budgets(strategy, random_tokens(*shape), (0.01, 0.25))

    def test_a_long_video_takes_few_more_operations(self, strategy: Strategy) -> None:
        """512 frames take at most `most_growth` times the operations of torch of 64 frames.

        On an accelerator a plan costs what it launches, so loops go over blocks of frames.
        """
        counts = []
        for frames in (64, 512):
            tokens = random_tokens(frames, 4, 4, 32)
            with counted() as seen:
                strategy.plan(tokens, tokens.count // 4)
            counts.append(seen.count)
        growth = counts[1] / counts[0]
        assert growth <= self.most_growth, f"{counts} operations: {growth:.1f} times as many"

    def test_a_time_limit_stops_a_plan_of_many_tokens(self, strategy: Strategy) -> None:
        """A time limit of two seconds ends a plan of 46,656 tokens within eight."""
        tokens, start = random_tokens(64, 27, 27, 256), time.perf_counter()
        with suppress(TimeLimitError), time_limit(2.0):
            strategy.plan(tokens, tokens.count // 4)
        taken = time.perf_counter() - start
        assert taken < 8.0, f"the plan went on for {taken:.1f} s; put loops through `stoppable`"


def check_longest_step(strategy: Strategy, tokens: VideoTokens, most_seconds: float) -> None:
    """Passes where a listener is called in good time, so that it can end the work."""
    times = [time.perf_counter()]

    def note(_: Any) -> None:
        times.append(time.perf_counter())

    with on_progress(note):
        strategy.plan(tokens, tokens.count // 4)
    times.append(time.perf_counter())
    longest = max(after - before for before, after in pairwise(times))
    assert longest < most_seconds, (
        f"{longest:.1f} s passed between two steps of a plan, allowed are {most_seconds} s; "
        "put loops through `run.stoppable`"
    )
