from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch

from framesift.encoders.base import Encoder
from framesift.encoders.gate import SIMILARITY, Gate
from framesift.types.frames import Frames
from framesift.types.tokens import Signals, VideoTokens


@dataclass(frozen=True, kw_only=True)
class Counting(Encoder):
    """Tokens that carry the number of their frame, from steps of one or two frames."""

    summary: ClassVar[str] = "counts"
    gives: ClassVar[frozenset[str]] = frozenset({"attention"})
    step: int = 1
    batches: list = field(default_factory=list, compare=False)

    @property
    def grid(self):
        return 1, 2

    @property
    def input_px(self):
        return 64, 64

    @property
    def frames_per_step(self):
        return self.step

    def encode(self, frames, signals=None):
        self.batches.append(frames.indices.tolist())
        numbers = torch.from_numpy(frames.indices[:: self.step]).float()
        if self.step == 2:
            second = [min(i + 1, len(frames) - 1) for i in range(0, len(frames), 2)]
            numbers = numbers + torch.from_numpy(frames.indices[second]).float() / 1000
        features = numbers[:, None, None].expand(-1, 2, 3).clone()
        return VideoTokens(
            features=features,
            grid=self.grid,
            pts_seconds=torch.from_numpy(frames.pts_seconds[:: self.step]),
            signals=Signals(attention=features[..., 0]),
            layers=features[:, :, None].repeat(1, 1, 4, 1),
        )


def scene(digit=1, *, height=64, at=(40, 200), light=0):
    """Returns a still picture with one digit on it."""
    rows, columns = np.mgrid[:360, :640]
    picture = np.stack([rows // 4 + 60, columns // 8 + 60, rows // 8 + columns // 16 + 60], -1)
    picture = (picture + light).clip(0, 255).astype(np.uint8)
    thickness = max(1, height // 10)
    cv2.putText(
        picture, str(digit), at, cv2.FONT_HERSHEY_SIMPLEX, height / 21, (250,) * 3, thickness
    )
    return picture


def as_frames(pictures, start=0):
    count = len(pictures)
    return Frames(
        data=np.stack(pictures),
        pts_seconds=np.arange(start, start + count) * 0.5,
        indices=np.arange(start, start + count),
    )


def run(pictures, *, window=3, similarity=SIMILARITY, step=1):
    """Returns the tokens of all frames and the batches that were encoded for them."""
    gate = Gate(encoder=Counting(step=step), similarity=similarity)
    frames = as_frames(pictures)
    windows = [frames[i : i + window] for i in range(0, len(frames), window)]
    parts = [gate.encode(part, gate.differing(part)) for part in windows]
    steps = -(-len(frames) // step)
    tokens = VideoTokens.gather(parts, steps)
    assert tokens.pts_seconds.tolist() == frames.pts_seconds[::step].tolist()
    assert gate.steps_encoded == sum(-(-len(batch) // step) for batch in gate.encoder.batches)
    return tokens, gate.encoder.batches


def numbers(tokens):
    found = tokens.features[:, 0, 0]
    assert torch.equal(tokens.features, found[:, None, None].expand_as(tokens.features))
    assert torch.equal(tokens.signals.attention, tokens.features[..., 0])
    assert torch.equal(tokens.layers, tokens.features[:, :, None].expand_as(tokens.layers))
    return [round(number, 3) for number in found.tolist()]


@pytest.mark.parametrize("window", [1, 2, 3, 16])
def test_a_still_clip_is_encoded_once(window):
    tokens, batches = run([scene()] * 8, window=window)
    assert batches == [[0]]
    assert numbers(tokens) == [0] * 8


@pytest.mark.parametrize("similarity", [None, SIMILARITY, 1.0])
def test_one_frame_is_encoded(similarity):
    tokens, batches = run([scene()], similarity=similarity)
    assert batches == [[0]]
    assert numbers(tokens) == [0]


@pytest.mark.parametrize("window", [1, 2, 3, 4, 16])
def test_changed_frames_are_encoded_once_in_one_batch_a_window(window):
    pictures = [scene(digit) for digit in (1, 1, 2, 2, 2, 3, 1, 1)]
    tokens, batches = run(pictures, window=window)
    assert numbers(tokens) == [0, 0, 2, 2, 2, 5, 6, 6]
    encoded = [number for batch in batches for number in batch]
    assert encoded == [0, 2, 5, 6]
    assert len(batches) == len({number // window for number in encoded})


def test_without_a_gate_every_frame_is_encoded_in_its_window():
    tokens, batches = run([scene()] * 5, similarity=None, window=2)
    assert batches == [[0, 1], [2, 3], [4]]
    assert numbers(tokens) == [0, 1, 2, 3, 4]


def test_a_slow_drift_is_compared_with_the_last_encoded_frame():
    pictures = [scene(at=(40 + x, 200)) for x in np.arange(0, 24) // 3]
    assert all(len(run(pair)[1]) == 1 for pair in pairwise(pictures))
    tokens, _ = run(pictures, window=5)
    found = numbers(tokens)
    assert 1 < len(set(found)) < len(pictures)
    assert max(i - number for i, number in enumerate(found)) < 12


def test_slowly_rising_light_is_seen_though_the_descriptors_forgive_it():
    tokens, _ = run([scene(light=2 * i) for i in range(32)])
    found = numbers(tokens)
    assert found[:8] == [0] * 8
    assert len(set(found)) >= 3


@pytest.mark.parametrize(
    ("height", "place", "least"), [(18, (40, 200), 45), (18, (570, 351), 45), (11, (333, 97), 40)]
)
def test_digits_that_change_are_seen(height, place, least):
    pictures = [scene(digit, height=height, at=place) for digit in range(10)]
    pairs = list(combinations(pictures, 2))
    assert sum(len(run(pair)[1][0]) == 2 for pair in pairs) >= least


def test_the_noise_of_a_codec_does_not_pass_for_a_change():
    random = np.random.default_rng(0)
    noisy = [
        (scene().astype(int) + random.integers(-3, 4, (360, 640, 3))).clip(0, 255).astype(np.uint8)
        for _ in range(6)
    ]
    assert run(noisy)[1] == [[0]]


def test_a_gate_of_one_leaves_out_equal_frames_alone():
    pictures = [scene(), scene(), scene(light=3)]
    assert run(pictures, similarity=1.0)[1] == [[0, 2]]


@pytest.mark.parametrize("window", [2, 4, 8])
def test_steps_of_two_frames_are_compared_whole(window):
    still, other = scene(1), scene(2)
    pictures = [still, still, still, still, still, other, still, still, still, still]
    tokens, batches = run(pictures, window=window, step=2)
    assert numbers(tokens) == [0.001, 0.001, 4.005, 6.007, 6.007]
    assert [number for batch in batches for number in batch] == [0, 1, 4, 5, 6, 7]


@pytest.mark.parametrize(("last", "expected"), [(1, 0.001), (2, 2.002)])
def test_a_last_frame_without_a_partner_is_repeated(last, expected):
    tokens, _ = run([scene(1), scene(1), scene(last)], window=2, step=2)
    assert numbers(tokens) == [0.001, expected]


def test_frames_are_left_as_they_were():
    frames = as_frames([scene()] * 3)
    before = frames.data.copy()
    frames.data.setflags(write=False)
    gate = Gate(encoder=Counting(), similarity=SIMILARITY)
    tokens = gate.encode(frames, gate.differing(frames))
    assert np.array_equal(frames.data, before)
    tokens.features[0] = 7
    assert gate.encode(frames, gate.differing(frames)).features.max() == 0
