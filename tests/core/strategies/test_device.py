"""What never makes the host wait for a device, so that planning queues behind the encoder."""

from pathlib import Path

import pytest
import torch

from framesift.strategies.base import create_strategy, registry
from framesift.testing import assert_near, random_tokens
from framesift.testing.stand_in import DEVICE, on_stand_in, stand_in
from framesift.types import device
from framesift.types.tokens import VideoTokens

NAMES = ["evs", "vidcom2", "temporal", "temporal:threshold=0.9"]


def tokens_on(device, *, mask=None):
    features = torch.randn(9, 12, 32, generator=torch.Generator().manual_seed(0))
    return VideoTokens(
        features=features.to(device),
        grid=(3, 4),
        pts_seconds=torch.arange(9, dtype=torch.float64),
        mask=mask if mask is None else mask.to(device),
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("masked", [False, True])
def test_scores_need_no_value_on_the_host(name, masked):
    mask = torch.ones(9, 12, dtype=torch.bool) if masked else None
    tokens = tokens_on("meta", mask=mask)
    scores = create_strategy(name).score(tokens, 40)
    assert scores.shape == (9, 12)
    assert scores.device == tokens.features.device


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", NAMES)
def test_scores_do_not_synchronise(name):
    tokens, strategy = tokens_on("cuda"), create_strategy(name)
    strategy.score(tokens, 40)
    torch.cuda.set_sync_debug_mode("error")
    try:
        strategy.score(tokens, 40)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def kernels_of_mps():
    """Names of the operations that torch has for Apple's GPUs, by the table torch is built from."""
    yaml = pytest.importorskip("yaml")
    folder = Path(pytest.importorskip("torchgen").__file__).parent
    table = folder / "packaged" / "ATen" / "native" / "native_functions.yaml"
    for each in yaml.load(table.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        kernels = " ".join(each.get("dispatch", {"Composite": ""}))
        if "MPS" in kernels or "Composite" in kernels or "structured_delegate" in each:
            yield each["func"].partition("(")[0].partition(".")[0]


def test_every_plan_is_made_and_applied_by_what_apples_gpus_can_do(monkeypatch):
    known = set(kernels_of_mps())
    assert "matmul" in known
    assert "segment_reduce" not in known, "the sums need no help of the CPU any more"
    monkeypatch.setattr(device, "WITHOUT_SEGMENTS", frozenset({DEVICE.type}))
    tokens = random_tokens(frames=12)
    for name in registry.names():
        strategy = create_strategy("temporal | tome" if name == "chain" else name)
        expected = strategy.plan(tokens, 40)
        with stand_in() as seen:
            given = on_stand_in(tokens)
            seen.by_name.clear()
            plan = strategy.plan(given, 40)
            applied = plan.apply(given.features)
            assert set(seen.by_name) <= known, f"{name}: {set(seen.by_name) - known}"
            assert torch.equal(plan.cpu().src, expected.src), name
            assert_near(applied.cpu(), expected.apply(tokens.features))
