"""The suite passes a right strategy of somebody else, and says what is wrong with a wrong one."""

import pytest

from other_package import run_tests

HEAD = """
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar
import time
import torch
from pydantic import Field
from framesift.strategies.base import Strategy
from framesift.types.plan import TokenPlan

def kept(tokens, scores, budget):
    scores = scores.flatten().masked_fill(~tokens.live.flatten(), -torch.inf)
    order = scores.sort(descending=True, stable=True).indices
    return TokenPlan.keep(
        order[:budget].sort().values,
        num_in=tokens.count,
        tokens_per_frame=tokens.tokens_per_frame,
    )

def norm(tokens):
    return (tokens.features.float() ** 2).sum(-1).mul(1e4).round()
"""
CLASS = """
@dataclass(frozen=True, kw_only=True)
class {name}(Strategy):
    summary: ClassVar[str] = "longest feature vectors"
    output: ClassVar[str] = "kept"
    option: Annotated[int, Field(ge=0)] = 0
    '''Changes nothing at all.'''

    def decide(self, tokens, budget, question):
        {body}
"""
SUITE = """
class Test{name}(StrategyContract):
    spec = {spec}
"""
IMPORTS = "from framesift.testing import StrategyContract\nfrom {module} import *\n"
RIGHT = "return kept(tokens, norm(tokens), budget)"
METADATA = "Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n"
WRONG = {
    "OneTokenTooMany": (
        "return kept(tokens, norm(tokens), min(budget + 1, tokens.live_count))",
        "test_budget_is_met_exactly",
        "keeps 2 tokens, allowed are exactly 1 of (1, 4, 4) frames, rows and columns (keep=1e-09)",
    ),
    "Noise": (
        "return kept(tokens, torch.rand(tokens.features.shape[:2]), budget)",
        "test_deterministic_and_blind_to_the_global_seed",
        "another global seed or another instance gives another plan: plan.src is",
    ),
    "AnotherPlanEachTime": (
        "type(self).calls = calls = getattr(type(self), 'calls', 0) + 1; "
        "return kept(tokens, norm(tokens).flatten().roll(calls), budget)",
        "test_budgets_are_exact_and_repeatable_on_grids_of_models[(1, 13, 13)]",
        "planning twice gives two plans: plan.src is",
    ),
    "BlindToMasks": (
        "return kept(replace(tokens, mask=None), norm(tokens), budget)",
        "test_masked_tokens_never_survive",
        "are in the plan (budget 1)",
    ),
    "Writing": (
        "plan = kept(tokens, norm(tokens), budget); tokens.features[0] = 0; return plan",
        "test_input_is_not_changed",
        "planning wrote into tokens.features",
    ),
    "MergingUnannounced": (
        "group = torch.arange(tokens.count).clamp(max=budget - 1); "
        "return TokenPlan.merge(group, tokens_per_frame=tokens.tokens_per_frame)",
        "test_an_output_says_the_times_that_it_was_merged_from",
        "is_merging=False, yet the plan merges",
    ),
    "OneChannel": (
        "return kept(tokens, tokens.features[..., 0], budget)",
        "test_the_order_of_channels_does_not_matter",
        "shuffled channels change plan.src",
    ),
    "TheLastBit": (
        "return kept(tokens, torch.frac(norm(tokens) / 3), budget)",
        "test_a_plan_does_not_rest_on_how_a_device_divides[0]",
        "another last bit of a division gives another plan: plan.src is",
    ),
    "UnnamedSignal": (
        "return kept(tokens, tokens.signals.attention, budget)",
        "test_missing_signals_are_named",
        "`needs` names every signal that is read",
    ),
    "Halves": (
        "return kept(tokens, norm(tokens) + tokens.features.abs().amax(-1).log(), budget)"
        " if tokens.features.dtype != torch.float16 else kept(tokens, norm(tokens), budget - 1)",
        "test_dtype_is_preserved[dtype0]",
        "keeps 27 tokens, allowed are exactly 28 in torch.float16",
    ),
    "Float64OnADevice": (
        "return kept(tokens, norm(tokens).double(), budget)",
        "test_plan_on_a_device_equals_plan_on_the_cpu",
        "makes float64, which accelerators lack",
    ),
    "OtherDefaults": (
        "torch.set_default_dtype(torch.float64); return kept(tokens, norm(tokens), budget)",
        "test_input_is_not_changed",
        "the part has set torch's default dtype, torch.float32, to torch.float64",
    ),
    "LongSteps": (
        "time.sleep(2.1 if tokens.count > 4000 else 0); return kept(tokens, norm(tokens), budget)",
        "test_no_step_of_a_plan_is_long",
        "s passed between two steps of a plan, allowed are 2.0 s; put loops through",
    ),
}
"""Body of `decide`, the promise that it breaks, and what the failure says."""


@pytest.mark.slow
def test_a_right_one_keeps_every_promise_as_a_class_an_instance_and_a_spec(tmp_path):
    tests = IMPORTS.format(module="right_one")
    for name, spec in (
        ("Class", "Right"),
        ("Instance", "Right(option=2)"),
        ("Spec", "'right-one'"),
    ):
        tests += SUITE.format(name=name, spec=spec)
    files = {
        "right_one.py": HEAD + CLASS.format(name="Right", body=RIGHT),
        "test_right.py": tests + SUITE.format(name="Options", spec="'right-one:option=3'"),
        "mine-1.0.dist-info/METADATA": METADATA,
        "mine-1.0.dist-info/entry_points.txt": (
            "[framesift.strategies]\nright-one = right_one:Right\n"
        ),
    }
    outcomes = run_tests(tmp_path, files)
    assert len(outcomes) == 4 * 39
    problems = {name: reason for name, reason in outcomes.items() if reason is not None}
    skipped = {name for name, reason in problems.items() if reason.startswith("skipped")}
    assert problems.keys() == skipped
    promise = "test_the_spec_makes_an_equal_part"
    unregistered = {f"TestClass::{promise}", f"TestInstance::{promise}"}
    assert {name for name in skipped if "gpu" not in name} == unregistered


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """Runs for each wrong strategy the promise that it breaks."""
    code, tests, ids = HEAD, IMPORTS.format(module="wrong"), []
    for name, (body, promise, _) in WRONG.items():
        code += CLASS.format(name=name, body=body)
        tests += SUITE.format(name=name, spec=name)
        ids.append(f"test_wrong.py::Test{name}::{promise}")
    tests += "\nclass TestNameless(StrategyContract):\n    pass\n"
    ids.append("test_wrong.py::TestNameless::test_input_is_not_changed")
    files = {"wrong.py": code, "test_wrong.py": tests}
    return run_tests(tmp_path_factory.mktemp("wrong"), files, *ids)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_fails_with_what_is_wrong(failures, name):
    _, promise, reason = WRONG[name]
    assert reason in str(failures[f"Test{name}::{promise}"])


def test_a_suite_that_names_no_part_says_so(failures):
    reason = failures["TestNameless::test_input_is_not_changed"]
    assert "TestNameless must name what it tests: spec = 'my-part'" in str(reason)
