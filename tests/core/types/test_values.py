import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from framesift.errors import BudgetError, InvalidTokensError
from framesift.types.budget import Budget
from framesift.types.compressed import Keyframe
from framesift.types.frames import Frames
from framesift.types.tokens import Signals, VideoTokens
from framesift.types.video import LocalVideo


@given(st.integers(1, 10**7), st.floats(1e-9, 1))
def test_budget_is_the_rounded_share_and_at_least_one(total, keep):
    budget = Budget(keep=keep).tokens(total)
    assert 1 <= budget <= total
    assert abs(budget - keep * total) <= 0.5 or budget == 1


def test_the_smaller_limit_wins():
    assert Budget(keep=0.5, max_tokens=10).tokens(100) == 10
    assert Budget(keep=0.05, max_tokens=10).tokens(100) == 5
    assert Budget(keep=0.25).tokens(6) == 2


@pytest.mark.parametrize("keep", [0, -1, 1.01, float("nan"), float("inf")])
def test_a_wrong_keep_is_an_error(keep):
    with pytest.raises(BudgetError, match="keep="):
        Budget(keep=keep)


def test_max_tokens_is_at_least_one():
    with pytest.raises(BudgetError, match="max_tokens=0"):
        Budget(max_tokens=0)


def frames(count, first=0):
    return Frames(
        data=np.zeros((count, 4, 6, 3), dtype=np.uint8),
        pts_seconds=np.arange(first, first + count, dtype=np.float64),
        indices=np.arange(first, first + count),
    )


def test_frames_keep_their_times():
    both = Frames.concatenate([frames(2), frames(3, first=2)])
    assert len(both) == 5
    assert both[1:3].pts_seconds.tolist() == [1.0, 2.0]
    assert both[[0, 4]].indices.tolist() == [0, 4]
    assert repr(both) == "Frames(T=5, H=4, W=6, 0.00-4.00 s)"
    assert repr(both[:0]) == "Frames(T=0)"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros((2, 4, 4, 3))}, "uint8"),
        ({"data": np.zeros((2, 4, 4), dtype=np.uint8)}, "uint8"),
        ({"pts_seconds": np.zeros(3)}, "agree"),
        ({"pts_seconds": np.array([1.0, 0.0])}, "ascending"),
    ],
)
def test_wrong_frames_are_refused(change, message):
    fine = {"data": np.zeros((2, 4, 4, 3), dtype=np.uint8), "pts_seconds": np.arange(2.0)}
    with pytest.raises(ValueError, match=message):
        Frames(**{**fine, "indices": np.arange(2), **change})


def test_nothing_to_concatenate():
    with pytest.raises(ValueError, match="at least one"):
        Frames.concatenate([])


def tokens(frame_count, **signals):
    return VideoTokens(
        features=torch.randn(frame_count, 6, 4),
        grid=(2, 3),
        pts_seconds=torch.arange(frame_count, dtype=torch.float64),
        signals=Signals(**signals),
    )


def test_tokens_gather_windows_and_make_room_once():
    parts = [tokens(2, attention=torch.rand(2, 6)), tokens(1, attention=torch.rand(1, 6))]
    parts[1] = VideoTokens(
        features=parts[1].features,
        grid=(2, 3),
        pts_seconds=torch.tensor([5.0], dtype=torch.float64),
        signals=parts[1].signals,
    )
    gathered = VideoTokens.gather(iter(parts), total=9)
    assert gathered.frame_count == 3
    assert torch.equal(gathered.features, torch.cat([part.features for part in parts]))
    expected = torch.cat([part.signals.attention for part in parts])
    assert torch.equal(gathered.signals.attention, expected)
    assert gathered.pts_seconds.tolist() == [0.0, 1.0, 5.0]


def test_windows_of_two_devices_are_named():
    tokens = VideoTokens(features=torch.zeros(2, 6, 4), grid=(2, 3), pts_seconds=torch.arange(2.0))
    moved = replace(tokens, features=torch.zeros(2, 6, 4, device="meta"))
    with pytest.raises(InvalidTokensError, match="is on meta, of the parts before on cpu"):
        VideoTokens.gather([tokens, moved], total=4)


def test_gathering_nothing_is_an_error():
    with pytest.raises(ValueError, match="at least one frame"):
        VideoTokens.gather(iter([]), total=3)


def test_tokens_of_some_frames_keep_their_signals():
    whole = tokens(4, keys=torch.rand(4, 6, 2))
    some = whole.frames([1, 3])
    assert torch.equal(some.features, whole.features[[1, 3]])
    assert torch.equal(some.signals.keys, whole.signals.keys[[1, 3]])
    assert some.pts_seconds.tolist() == [1.0, 3.0]
    assert repr(some) == "VideoTokens(T=2, N=6, D=4, grid=(2, 3), signals=['keys'])"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": torch.zeros(2, 6)}, "floating point"),
        ({"features": torch.zeros(2, 6, 4, dtype=torch.int32)}, "floating point"),
        ({"features": torch.zeros(0, 6, 4)}, "T >= 1"),
        ({"grid": (3, 3)}, "N=6 cells"),
        ({"pts_seconds": torch.zeros(3)}, r"\(2,\)"),
        ({"pts_seconds": torch.tensor([1.0, 0.0])}, "ascending"),
        ({"signals": Signals(attention=torch.zeros(2, 5))}, "attention must start"),
        ({"mask": torch.zeros(1, 6, dtype=torch.bool)}, "mask must start"),
        ({"mask": torch.zeros(2, 6)}, r"mask must be torch.bool, got torch.float32"),
        ({"features": torch.zeros(2, 6, 0)}, "D=0"),
        ({"features": torch.zeros(2, 0, 4)}, "N=0"),
        ({"grid": (-2, -3)}, r"\(-2, -3\) must have N=6 cells"),
        ({"pts_seconds": torch.tensor([0.0, float("nan")])}, "got nan in frame 1 after 0.0"),
        (
            {"signals": Signals(keys=torch.zeros(2, 6, 2, device="meta"))},
            "keys is on meta, features are on cpu",
        ),
        ({"mask": torch.zeros(2, 6, dtype=torch.bool, device="meta")}, "mask is on meta"),
        ({"pts_seconds": torch.arange(2.0, device="meta")}, "pts_seconds is on meta; times stay"),
        ({"step_seconds": torch.zeros(2, 1, device="meta")}, "step_seconds is on meta; times"),
    ],
)
def test_wrong_tokens_are_refused(change, message):
    fine = {
        "features": torch.zeros(2, 6, 4),
        "grid": (2, 3),
        "pts_seconds": torch.arange(2.0),
    }
    with pytest.raises(InvalidTokensError, match=message) as error:
        VideoTokens(**{**fine, **change})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_finite_features_of_any_size_pass(dtype):
    largest = torch.full((2, 6, 4), torch.finfo(dtype).max, dtype=dtype)
    largest[1] *= -1
    VideoTokens(features=largest, grid=(2, 3), pts_seconds=torch.arange(2.0)).check_finite()


def test_keyframe_metadata_is_json_safe():
    frame = Keyframe(
        image=Image.new("RGB", (8, 6)), pts_seconds=np.float64(1.5), score=0.5, reason="new"
    )
    assert json.loads(json.dumps(frame.metadata())) == {
        "pts_seconds": 1.5,
        "score": 0.5,
        "reason": "new",
        "width_px": 8,
        "height_px": 6,
    }
    assert frame.data_url().startswith("data:image/jpeg;base64,/9j/")


def test_a_local_video_removes_its_folder(tmp_path):
    folder = tmp_path / "private"
    folder.mkdir()
    (folder / "v.mp4").write_bytes(b"x")
    with LocalVideo(path=folder / "v.mp4", uri="v", temporary_folder=folder) as video:
        assert video.path.is_file()
    assert not folder.exists()
    video.close()
    with pytest.raises(ValueError, match="must be a file"):
        LocalVideo(path=folder / "v.mp4", uri="v")
