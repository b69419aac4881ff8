"""Work on many frames at once: blocks, sets of like size side by side, sums over runs."""

from dataclasses import replace

import pytest
import torch

from framesift.strategies import _blocks, _ops, _point_sets, dpc_knn
from framesift.strategies._blocks import batches, blocks, sum_runs
from framesift.strategies._pairwise import rounded_, unit
from framesift.strategies.base import create_strategy
from framesift.testing.samples import random_tokens
from framesift.testing.stand_in import DEVICE, counted, on_stand_in, stand_in

CPU = torch.device("cpu")
NAMES = ["vision-zip", "prumerge", "holitom", "holitom:contextual=0.4", "fastvid", "prunevid"]


def scenes(frames, *, seed=0):
    """Returns tokens of scenes of eight frames, of which three tenths of the patches change."""
    tokens = random_tokens(frames, 4, 6, 32, seed=seed)
    start = torch.randn(-(-frames // 8), 24, 32, generator=torch.Generator().manual_seed(seed))
    features = tokens.features + 2 * start.repeat_interleave(8, 0)[:frames]
    return replace(tokens, features=features)


def assert_same(first, second):
    for name in ("dst", "src", "weight"):
        assert torch.equal(getattr(first, name), getattr(second, name)), name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("masked", [False, True])
def test_plans_do_not_depend_on_how_frames_are_divided_into_blocks(name, masked, monkeypatch):
    tokens = scenes(40)
    if masked:
        mask = torch.rand(40, 24, generator=torch.Generator().manual_seed(3)) < 0.7
        mask[5] = False
        tokens = replace(tokens, mask=mask)
    strategy = create_strategy(name)
    whole = strategy.plan(tokens, 200)
    for module in (_blocks, _point_sets):
        monkeypatch.setattr(module, "BLOCK_BYTES", 2000)
        monkeypatch.setattr(module, "CACHED_BYTES", 7000)
    monkeypatch.setattr(dpc_knn, "BLOCK", 7)
    assert [own.stop - own.start for own in blocks(40, 3072, device=CPU)] == [2] * 20
    assert [own.stop - own.start for own in blocks(40, 3072, device=DEVICE)] == [5] * 8
    assert_same(whole, strategy.plan(tokens, 200))
    with stand_in():
        assert_same(whole, strategy.plan(on_stand_in(tokens), 200).cpu())


@pytest.mark.parametrize("name", NAMES)
def test_operations_do_not_grow_with_the_frames_of_a_video_with_cuts(name):
    counts = []
    for frames in (64, 512):
        tokens = scenes(frames)
        with counted() as seen:
            create_strategy(name).plan(tokens, tokens.count // 4)
        counts.append(seen.count)
    assert counts[1] <= 3 * counts[0], counts


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_planned_as_its_float32_copy(name, dtype):
    tokens = scenes(24)
    half = replace(tokens, features=tokens.features.to(dtype))
    wide = replace(half, features=half.features.float())
    strategy = create_strategy(name)
    assert_same(strategy.plan(half, 150), strategy.plan(wide, 150))


def test_a_block_on_a_device_holds_64_frames_unless_they_are_huge():
    def longest(bytes_each):
        return next(iter(blocks(10**6, bytes_each, device=DEVICE))).stop

    assert longest(2**10) == 2**17
    assert longest(2**22) == 64
    assert longest(2**26) == 16
    assert longest(2**40) == 1


def test_sets_of_like_size_go_together_and_none_is_lost():
    sizes = [100, 0, 99, 10, 67, 66, 31, 1, 40]
    found = list(batches(sizes, [1] * len(sizes)))
    assert found == [[0, 2, 4], [5], [8, 6], [3, 7]]
    assert list(batches([0, 0], [1, 1])) == []


@pytest.mark.parametrize("lengths", [[1, 1], [5, 1, 8, 2], [64], [3] * 7])
def test_sums_over_runs_are_those_of_their_rows(lengths):
    values = torch.randn(sum(lengths), 3, 2, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([part.sum(0) for part in values.split(lengths)])
    torch.testing.assert_close(sum_runs(values.clone(), lengths), expected)


@pytest.mark.parametrize("channels", [1024, 3584, 8192])
def test_equal_tokens_of_many_channels_tie(channels):
    frame = 3 + torch.randn(1000, channels, generator=torch.Generator().manual_seed(0))
    assert (_ops.similarity(frame, frame) == 1).all()
    assert (_ops.cosine_matrix(frame, frame).diagonal() == 1).all()
    units = unit(frame)
    assert (rounded_(units @ units.T).diagonal() == 1).all()


def test_lengths_of_half_precision_are_those_of_float32():
    wide = 300 * torch.randn(20, 1024, generator=torch.Generator().manual_seed(0)).half()
    assert _ops.length(wide).dtype == torch.float32
    assert torch.equal(_ops.length(wide), _ops.length(wide.float()))
