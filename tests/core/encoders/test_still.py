"""The rule by which units are encoded again, against one that is written out pixel by pixel."""

from itertools import combinations, pairwise

import cv2
import numpy as np
import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d

from framesift.encoders.still import ChangedUnits, Units
from framesift.testing.stand_in import DEVICE, stand_in

GATE = 8


def units(count=4, unit_px=8):
    return Units.even((count, count), (count, count), (unit_px, unit_px))


def by_hand(levels, cut, gate):
    """Unit by unit with a picture of its own, as the rule is worded."""
    down, across = (
        [slice(start * side, stop * side) for start, stop in ranges]
        for ranges, side in zip((cut.rows, cut.columns), cut.patch_px, strict=True)
    )
    places = [(rows, columns) for rows in down for columns in across]
    before = [levels[0][:, rows, columns] for rows, columns in places]
    found = [[True] * len(places)]
    for frame in levels[1:]:
        here = [frame[:, rows, columns] for rows, columns in places]
        changed = [
            float(adaptive_avg_pool2d((a - b).abs().mean(0)[None], 4).max()) > gate
            for a, b in zip(here, before, strict=True)
        ]
        if sum(changed) * 2 > len(changed):
            changed = [True] * len(changed)
        before = [a if one else b for a, b, one in zip(here, before, changed, strict=True)]
        found.append(changed)
    return torch.tensor(found)


def noisy(frames, side, seed, strength):
    generator = torch.Generator().manual_seed(seed)
    base = torch.randint(0, 256, (1, 3, side, side), generator=generator).float()
    shift = torch.randn(frames, 3, side, side, generator=generator) * strength
    blocks = torch.rand(frames, 1, 4, 4, generator=generator).repeat_interleave(side // 4, 2)
    return (base + shift * blocks.repeat_interleave(side // 4, 3) ** 4).clamp(0, 255).round()


OVERLAPPING = Units(rows=((0, 2), (2, 4), (3, 5)), columns=((0, 2), (2, 5)), patch_px=(8, 8))


@pytest.mark.parametrize(
    ("cut", "side"),
    [
        (units(), 32),
        (units(8, 4), 32),
        (units(16, 2), 32),
        (Units.even((3, 3), (8, 8), (4, 4)), 32),
        (OVERLAPPING, 40),
    ],
)
@pytest.mark.parametrize("strength", [10, 30, 200])
def test_the_rule_is_that_of_units_one_by_one(cut, side, strength):
    levels = noisy(40, side, seed=strength, strength=strength)
    found = ChangedUnits(cut, GATE).changed(levels)
    assert found[1:].any()
    assert strength > 10 or not found[1:].all()
    assert torch.equal(found, by_hand(levels, cut, GATE))


CUTS = [[1], [16], [5, 6, 23], list(range(1, 40))]


@pytest.mark.parametrize(("cut", "side"), [(units(16, 2), 32), (OVERLAPPING, 40)])
@pytest.mark.parametrize("strength", [10, 30, 200])
@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("whole", [False, True])
def test_a_device_gives_the_same_in_a_few_operations(monkeypatch, cut, side, strength, cuts, whole):
    """Also where its memory has room for a few steps at once."""
    levels = noisy(40, side, seed=strength, strength=strength)
    expected = ChangedUnits(cut, GATE, whole=whole).changed(levels)
    with stand_in() as seen:
        rule = ChangedUnits(cut, GATE, whole=whole)
        found = [rule.changed(part.to(DEVICE)) for part in levels.tensor_split(cuts)]
    assert torch.equal(torch.cat(found), expected)
    assert seen.count <= 40 * len(found)
    monkeypatch.setattr("framesift.encoders.still.MOST_PAIRED", 50 * levels[0].numel())
    with stand_in():
        rule = ChangedUnits(cut, GATE, whole=whole)
        found = [rule.changed(part.to(DEVICE)) for part in levels.tensor_split(cuts)]
    assert torch.equal(torch.cat(found), expected)


@pytest.mark.parametrize("cuts", CUTS)
def test_windows_change_nothing(cuts):
    levels, cut = noisy(40, 32, seed=1, strength=30), units()
    rule = ChangedUnits(cut, GATE)
    parts = [rule.changed(part) for part in levels.tensor_split(cuts)]
    assert torch.equal(torch.cat(parts), ChangedUnits(cut, GATE).changed(levels))


def test_cuts_are_encoded_whole_and_still_frames_not_at_all():
    first, second = noisy(2, 32, seed=2, strength=0), noisy(2, 32, seed=3, strength=0)
    found = ChangedUnits(units(), GATE).changed(torch.cat([first, second, first]))
    assert found.float().mean(1).tolist() == [1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize(("change", "seen"), [(GATE, False), (GATE + 1 / 128, True)])
def test_the_gate_is_what_a_unit_may_change_by(change, seen):
    levels = torch.full((2, 3, 32, 32), 100.0)
    levels[1, :, :8, 8:16] += change
    assert ChangedUnits(units(), GATE).changed(levels)[1].tolist() == [False, seen] + [False] * 14


def test_a_small_change_counts_by_its_cell():
    levels = torch.full((2, 3, 32, 32), 100.0)
    levels[1, :, 8:10, 24:26] += GATE * 2
    found = ChangedUnits(units(), GATE).changed(levels)[1]
    assert found.nonzero().flatten().tolist() == [7]


def test_a_slow_fade_adds_up_until_it_is_seen():
    levels = torch.arange(50.0)[:, None, None, None].expand(50, 3, 32, 32) + 100
    found = ChangedUnits(units(), GATE).changed(levels)
    assert found.any(1).nonzero().flatten().tolist() == list(range(0, 50, GATE + 1))


def test_what_flickers_around_what_was_encoded_stays():
    levels = torch.full((20, 3, 32, 32), 100.0)
    levels[1::2] += GATE - 1
    levels[2::4] -= GATE - 1
    assert not ChangedUnits(units(), GATE).changed(levels)[1:].any()


def test_an_encoder_of_whole_frames_sees_one_changed_unit():
    levels = torch.full((3, 3, 32, 32), 100.0)
    levels[1:, :, :8, :8] += 50
    found = ChangedUnits(units(), GATE, whole=True).changed(levels)
    assert found.all(1).tolist() == [True, True, False]


def test_a_step_of_two_frames_changes_where_one_of_them_does():
    levels = torch.full((6, 3, 32, 32), 100.0)
    levels[3, :, :8, :8] += 50
    found = ChangedUnits(units(), GATE, frames_per_step=2).changed(levels)
    assert found[:, 0].tolist() == [True, True, True]
    assert not found[1:, 1:].any()


def test_patches_that_units_share_are_encoded_with_each():
    encoded = torch.tensor([[False, False, True, False, False, False], [False] * 5 + [True]])
    found = OVERLAPPING.patches(encoded).view(2, 5, 5)
    assert found[0].nonzero().tolist() == [[row, column] for row in (2, 3) for column in (0, 1)]
    assert found[1].nonzero().tolist() == [[row, column] for row in (3, 4) for column in (2, 3, 4)]


def scene(digit=1, *, height=24, at=(40, 200), light=0):
    """Returns a still picture of 378 pixels with one digit on it, in levels `(3, 378, 378)`."""
    rows, columns = np.mgrid[:378, :378]
    picture = np.stack([rows // 4 + 60, columns // 8 + 60, rows // 8 + columns // 16 + 60], -1)
    picture = (picture + light).clip(0, 255).astype(np.uint8)
    thickness = max(1, height // 10)
    cv2.putText(
        picture, str(digit), at, cv2.FONT_HERSHEY_SIMPLEX, height / 21, (250,) * 3, thickness
    )
    return torch.from_numpy(picture).permute(2, 0, 1).float()


def tokens_of_onevision():
    """Returns the units of 27 x 27 patches that become 14 x 14 tokens."""
    ranges = tuple((2 * i - (i > 6), 2 * i - (i > 6) + 2) for i in range(14))
    return Units(rows=ranges, columns=ranges, patch_px=(14, 14))


@pytest.mark.parametrize(
    ("share", "place", "least"), [(0.04, (40, 200), 40), (0.06, (331, 97), 44)]
)
def test_digits_that_change_are_seen(share, place, least):
    height = round(share * 378)
    pictures = [scene(digit, height=height, at=place) for digit in range(10)]
    seen = [
        ChangedUnits(tokens_of_onevision(), GATE).changed(torch.stack(pair))[1].any()
        for pair in combinations(pictures, 2)
    ]
    assert sum(map(bool, seen)) >= least


def test_the_noise_of_a_codec_does_not_pass_for_a_change():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(-5, 6, (8, 3, 378, 378), generator=generator)
    found = ChangedUnits(tokens_of_onevision(), GATE).changed(scene()[None] + noise)
    assert not found[1:].any()


def test_a_slow_drift_is_compared_with_what_was_encoded():
    first, last, cut = scene(1), scene(2), tokens_of_onevision()
    pictures = torch.stack([first.lerp(last, step / 24) for step in range(25)])
    for pair in pairwise(pictures):
        assert not ChangedUnits(cut, GATE).changed(torch.stack(pair))[1].any()
    assert ChangedUnits(cut, GATE).changed(pictures)[1:].any()


def test_moving_things_are_encoded_where_they_are_and_were():
    pictures = torch.stack([scene(at=(40, 200)), scene(at=(240, 200))])
    changed = ChangedUnits(tokens_of_onevision(), GATE).changed(pictures)[1].view(14, 14)
    rows, columns = changed.nonzero().unbind(1)
    assert set(rows.tolist()) <= {6, 7}
    assert {*columns.tolist()} <= {1, 2, 8, 9}
    assert {1, 2} & {*columns.tolist()}
    assert {8, 9} & {*columns.tolist()}
