"""The stand-in device shows what a GPU would: waits, launches, missing float64, mixed devices."""

import pytest
import torch

from framesift.testing import random_tokens
from framesift.testing.stand_in import DEVICE, counted, on_stand_in, stand_in


def test_values_are_those_of_the_cpu():
    tokens = random_tokens(5)
    with stand_in():
        moved = on_stand_in(tokens)
        rows = moved.features.softmax(-1).argsort(dim=1, stable=True)
        assert (moved.features.device, rows.device) == (DEVICE, DEVICE)
        back = rows.cpu()
    assert torch.equal(back, tokens.features.softmax(-1).argsort(dim=1, stable=True))


def test_what_is_made_there_and_written_in_place_keeps_its_values():
    with stand_in():
        made = torch.zeros(4, device=DEVICE)
        made[1] = 2.0
        made[torch.arange(4, device=DEVICE) > 2] = torch.tensor([5.0], device=DEVICE)
        more = made.new_tensor([1.0, 2.0]), torch.tensor([3, 4], device=DEVICE)
        assert made.tolist() == [0.0, 2.0, 0.0, 5.0]
        assert [each.tolist() for each in more] == [[1.0, 2.0], [3, 4]]


def test_there_is_no_float64():
    with stand_in(), pytest.raises(AssertionError, match="float64"):
        torch.ones(3, device=DEVICE).double()


def test_tensors_of_two_devices_do_not_go_together():
    with stand_in(), pytest.raises(AssertionError, match=r"\(3,\) on cpu"):
        torch.ones(3, device=DEVICE) + torch.ones(3)


@pytest.mark.parametrize(
    ("work", "waits"),
    [
        (lambda x: x.sum() * 2, 0),
        (lambda x: x.argsort()[:2], 0),
        (lambda x: x.where(x > 0, 0.0), 0),
        (lambda x: float(x.sum()), 1),
        (lambda x: x[x > 0], 1),
        (lambda x: x.nonzero(), 1),
        (lambda x: x.cpu(), 1),
        (lambda x: torch.zeros(4).copy_(x), 1),
        (lambda x: bool((x > 0).all()), 1),
    ],
)
def test_waits_of_the_host_are_counted(work, waits):
    with stand_in() as seen:
        value = torch.arange(4.0).to(DEVICE)
        work(value)
    assert seen.waits.total() == waits


def test_operations_are_counted_without_views():
    with counted() as seen:
        torch.ones(2, 3).T.reshape(-1)[1:].exp().log()
    assert (seen.by_name["ones"], seen.by_name["exp"], seen.by_name["log"]) == (1, 1, 1)
    assert "transpose" not in seen.by_name
    assert seen.count <= 4
