"""Equality of computed tensors on any processor: up to rounding, which grows with the values."""

import torch
from torch import Tensor

STEPS = 128
"""Rounding steps of the largest value by which sums in another order may differ. Kernels of other
processors were seen to differ by up to 27; one wrong token changes logits by thousands."""


def assert_near(actual: Tensor, expected: Tensor, *, steps: int = STEPS) -> None:
    """Passes where two tensors differ by rounding only, whatever kernels computed them.

    Args:
        actual: what was computed; the coarser of both dtypes says how large a step is.
        expected: what it must be, of the same shape; its largest value is the scale.
        steps: how many rounding steps of the largest value an element may be off.
    """
    assert actual.shape == expected.shape, f"{tuple(actual.shape)} is not {tuple(expected.shape)}"
    step = max(torch.finfo(actual.dtype).eps, torch.finfo(expected.dtype).eps)
    scale = float(expected.detach().abs().max()) if expected.numel() else 0.0
    torch.testing.assert_close(
        actual,
        expected,
        rtol=0,
        atol=steps * step * scale,
        check_dtype=actual.dtype == expected.dtype,
    )
