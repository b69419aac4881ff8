import pytest
import torch
from torch import nn

from framesift.training.optimizer import MuonAdamW


class Task(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Linear(4, 6, bias=False)
        self.layers = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)])

    def forward(self, given):
        for layer in [self.embed, *self.layers]:
            given = layer(given).tanh()
        return given.square().mean()


def trained(task, optimizer, steps):
    given = torch.linspace(-1, 1, 32).reshape(8, 4)
    for _ in range(steps):
        loss = task(given)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return float(task(given).detach())


def optimizer_of(task):
    return MuonAdamW(task, learning_rate=1e-2, weight_decay=0.0)


def test_inner_matrices_are_muons_and_all_the_rest_adamws():
    task = Task()
    groups = optimizer_of(task).param_groups
    muon, adamw = ({id(value) for value in group["params"]} for group in groups)
    assert muon == {id(layer.weight) for layer in task.layers}
    assert adamw == {id(task.embed.weight), *(id(layer.bias) for layer in task.layers)}


def test_a_scheduler_sets_the_rate_of_both():
    task = Task()
    optimizer = optimizer_of(task)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0 if step else 1.0)
    first = trained(task, optimizer, 5)
    schedule.step()
    assert trained(task, optimizer, 5) == pytest.approx(first, abs=0)
    assert first < trained(Task(), optimizer_of(Task()), 0)


def test_a_run_that_goes_on_from_its_state_is_the_same_run():
    whole = Task()
    trained(whole, optimizer_of(whole), 6)
    first = Task()
    optimizer = optimizer_of(first)
    trained(first, optimizer, 3)
    second = Task()
    second.load_state_dict(first.state_dict())
    again = optimizer_of(second)
    again.load_state_dict(optimizer.state_dict())
    trained(second, again, 3)
    for one, other in zip(whole.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
