import pytest
import torch

from framesift.nn.time_perceiver import TimePerceiver, TimePerceiverConfig
from framesift.training.optimizer import MuonAdamW
from framesift.training.time_perceiver.distillation import DistillationTask

CONFIG = TimePerceiverConfig(width=32, grid=(4, 4), out_grid=(2, 2), depth=2, head_dim=16)
LIVE = torch.ones(32, 4, dtype=torch.bool)


def moving_squares(seed):
    """Returns segments of a square that moves by one place a frame, `(32, 4, 16, 32)`."""
    generator, fixed = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(0)
    square = torch.randn(32, generator=fixed)
    backdrop = 0.3 * torch.randn(16, 32, generator=fixed)
    frames = backdrop.expand(32, 4, 16, 32).clone()
    start = torch.randint(0, 4, (32, 2), generator=generator)
    ways = torch.tensor([(0, 1), (0, -1), (1, 0), (-1, 0)])
    step = ways[torch.randint(0, 4, (32,), generator=generator)]
    for frame in range(4):
        row, column = ((start + frame * step) % 4).T
        place = row * 4 + column
        frames[torch.arange(32), frame, place] = square + 0.3 * backdrop[place]
    return frames


@torch.no_grad()
def test_a_decoder_that_adds_nothing_gives_the_mean():
    task = DistillationTask(TimePerceiver(CONFIG))
    task.decoder.outer.weight.zero_()
    task.decoder.outer.bias.zero_()
    assert float(task(moving_squares(1), LIVE)["loss"]) == pytest.approx(1)


@torch.no_grad()
def test_frames_that_take_no_part_are_not_foretold():
    torch.manual_seed(0)
    task = DistillationTask(TimePerceiver(CONFIG))
    frames = moving_squares(1)
    live = torch.tensor([[True, True, False, True]]).expand(32, 4)
    other = frames.clone()
    other[:, 2] = 7.0
    assert task(frames, live)["loss"] == task(other, live)["loss"]


def error_after(task, steps):
    """Returns the error on segments that were not trained on, as a share of that of the mean."""
    optimizer = MuonAdamW(task, learning_rate=3e-3, weight_decay=0.0)
    for step in range(steps):
        loss = task(moving_squares(100 + step), LIVE)["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        return float(task(moving_squares(7), LIVE)["loss"])


@pytest.mark.slow
def test_learned_tokens_tell_when_a_square_was_where_and_means_do_not():
    torch.manual_seed(0)
    task = DistillationTask(TimePerceiver(CONFIG))
    with torch.no_grad():
        task.perceiver.places.normal_()
    assert error_after(task, 600) < 0.5
    torch.manual_seed(0)
    of_means = DistillationTask(TimePerceiver(CONFIG))
    of_means.perceiver.forward = lambda frames, live: of_means.perceiver.pooled(frames, live)[0]
    assert error_after(of_means, 200) > 0.9
