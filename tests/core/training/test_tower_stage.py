import numpy as np
import pytest
import torch

from framesift.testing import assert_near, random_frames
from framesift.training.clips import LabeledClip, Shard
from framesift.training.labels import CLASSES, NOTHING, frame_labels
from framesift.training.language_stage import seen_clips
from framesift.training.tower_stage import LabeledFrames, TowerTask, frames_of

RED_CIRCLE = {
    "kind": "event",
    "start_seconds": 5.0,
    "end_seconds": 7.0,
    "box": [0.25, 0.25, 0.75, 0.75],
    "attributes": {"color": "red", "shape": "circle", "action": "appears"},
}


@pytest.fixture(scope="module")
def task(vlm):
    torch.manual_seed(0)
    images = vlm.image_processor
    return TowerTask(vlm.hf.model.vision_tower, images.image_mean, images.image_std).eval()


@pytest.fixture
def shard():
    """Two clips of frames that hold their number, the second one with an event at its end."""
    numbers = np.arange(14, dtype=np.uint8)[:, None, None, None]
    frames = np.broadcast_to(numbers, (14, 128, 128, 3))
    clips = [
        LabeledClip(
            uri="", start=start, times_seconds=times, truth={"events": events, "questions": [uri]}
        )
        for uri, start, times, events in [
            ("one", 0, tuple(map(float, range(6))), []),
            ("two", 6, tuple(map(float, range(8))), [RED_CIRCLE]),
        ]
    ]
    return Shard(frames=frames, clips=tuple(clips))


def batch(shard):
    frames = LabeledFrames(frames_of([shard]))
    examples = [frames[i] for i in range(len(frames))]
    return {name: torch.stack([one[name] for one in examples]) for name in examples[0]}


def test_training_sees_the_patches_that_the_encoder_gives(task, vlm):
    frames = random_frames(3, (128, 128))
    with torch.no_grad():
        patches, summary = task.patches(torch.from_numpy(frames.data))
    expected = vlm.encoder.encode(frames).signals.pre_projector
    assert_near(patches, expected)
    assert summary.shape == (3, 32)


def test_frames_with_something_small_are_all_taken_and_of_others_every_fourth(shard):
    arrays = frames_of([shard])
    assert arrays["pixels"][:, 0, 0, 0].tolist() == [0, 4, 6, 10, 11, 12]
    shown = [bool((kind == 1).any()) for kind in arrays["kind"]]
    assert shown == [False, False, False, False, True, True]


def test_the_loss_is_finite_where_nothing_is_shown_and_moves_every_weight_that_is_asked(
    task, shard
):
    inputs = batch(shard)
    nothing = {name: values[:2] for name, values in inputs.items()}
    assert task(**nothing)["loss"].isfinite()
    task.zero_grad()
    found = task(**inputs)
    found["loss"].backward()
    for name in ("kind", "color", "shape", "backdrop"):
        assert task.heads[name].weight.grad.abs().sum() > 0
        assert 0 <= found[name] <= 1
    for name in ("tens", "letter", "sign"):
        assert task.heads[name].weight.grad.abs().sum() == 0
    for weights in (task.where.weight, task.summary.weight):
        assert weights.grad.isfinite().all()
        assert weights.grad.abs().sum() > 0
    task.zero_grad()


def test_a_right_answer_counts_as_one_and_costs_less(task, shard):
    inputs = batch(shard)
    labels = frame_labels([RED_CIRCLE], 6.0)
    assert set(labels["color"]) == {NOTHING, 0}
    before = {name: p.detach().clone() for name, p in task.heads["color"].named_parameters()}
    losses = []
    for answer in range(CLASSES["color"]):
        with torch.no_grad():
            task.heads["color"].weight.zero_()
            task.heads["color"].bias.copy_(20.0 * (torch.arange(CLASSES["color"]) == answer))
            found = task(**inputs)
        assert found["color"] == float(answer == 0)
        losses.append(float(found["loss"]))
    task.heads["color"].load_state_dict(before)
    assert min(losses[1:]) - losses[0] == pytest.approx(20, abs=0.1)


def test_clips_hold_their_own_frames(task, shard):
    one, two = seen_clips(task, [shard])
    assert (one.features.shape, two.features.shape) == ((6, 64, 32), (8, 64, 32))
    assert one.features.dtype == torch.float16
    assert (one.questions, two.questions) == (["one"], ["two"])
    with torch.no_grad():
        expected = task.patches(torch.full((1, 128, 128, 3), 13, dtype=torch.uint8))[0]
    torch.testing.assert_close(two.features[-1:].float(), expected, rtol=0, atol=1e-2)
