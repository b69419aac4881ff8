"""Compares a plan with what a transcription merged: the tokens of each output, and its value."""

import numpy as np
import torch


def assert_merged(plan, tokens, expected):
    """Asserts that the outputs of `plan` are the `expected` pairs of inputs and merged features."""
    found = list(zip(_held(plan), plan.apply(tokens.features.double()).numpy(), strict=True))
    assert len(found) == len(expected)
    for (inputs, value), (inputs_there, value_there) in zip(
        sorted(found, key=_key), sorted(expected, key=_key), strict=True
    ):
        assert sorted(inputs) == sorted(inputs_there)
        # Weights are float32.
        np.testing.assert_allclose(value, value_there, rtol=1e-5, atol=1e-6)


def _held(plan):
    splits = torch.bincount(plan.dst, minlength=plan.num_out).tolist()
    return [part.tolist() for part in plan.src.split(splits)]


def _key(output):
    inputs, value = output
    return sorted(inputs), np.round(value, 6).tolist()


def parts(sizes, total):
    """Returns `total` split in proportion to `sizes`: how many of evenly set marks each covers."""
    marks = [(2 * i + 1) * sum(sizes) / (2 * total) for i in range(total)]
    ends = np.cumsum(sizes)
    return [
        sum(end - size < mark <= end for mark in marks)
        for size, end in zip(sizes, ends, strict=True)
    ]
