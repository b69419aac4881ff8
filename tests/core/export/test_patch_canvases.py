from pathlib import Path

import av
import numpy as np
import pytest
import torch

from framesift.compression.compressor import VideoCompressor
from framesift.errors import InvalidOptionError
from framesift.export import SparsePatches, sparse_patches
from framesift.testing.videos import write_video
from framesift.types.frames import Frames

GIVEN = np.load(Path(__file__).parent / "data" / "lmms_video_utils.npz")
"""What lmms-video-utils 0.1.0 gives for 24 frames at 10 fps of 11 x 16 blocks of 28 pixels."""
ROWS, COLUMNS = 11, 16


def of_levels(levels, fps=10.0, start=0.0):
    """Returns frames whose blocks of 28 x 28 pixels have one brightness each, `(T, h, w)`."""
    pixels = np.kron(np.asarray(levels, dtype=np.uint8), np.ones((1, 28, 28), dtype=np.uint8))
    return Frames(
        data=pixels[..., None].repeat(3, axis=-1),
        pts_seconds=start + np.arange(len(pixels)) / fps,
        indices=np.arange(len(pixels)),
    )


@pytest.fixture
def noise():
    rng = np.random.default_rng(3)
    levels = np.full((24, ROWS, COLUMNS), 100)
    for level in levels[1:]:
        level[:] = rng.integers(30, 220, (ROWS, COLUMNS))
    return levels, of_levels(levels)


def small(levels, **options):
    """Returns canvases of frames of 2 x 3 blocks."""
    levels = np.asarray(levels)
    return sparse_patches(of_levels(levels), max_pixels=2 * 3 * 28 * 28, **options)


def slots(patches, canvas, size):
    """Returns frame, block row and block column of each filled slot of a canvas."""
    rows, columns = size
    each = patches.patch_positions.view(-1, 2 * rows, 2 * columns, 3)[canvas, ::2, ::2]
    filled = each[each[..., 0] >= 0]
    return [(t, row // 2, column // 2) for t, row, column in filled.tolist()]


@pytest.mark.parametrize(("frames_each", "canvases"), [(24, 3), (6, 2), (12, 4)])
def test_the_layout_is_that_of_the_package_that_the_model_is_fed_by(noise, frames_each, canvases):
    given = {
        name: torch.from_numpy(GIVEN[f"{frames_each}_{canvases}_{name}"])
        for name in ("positions", "groups", "seconds")
    }
    t, row, column = given["positions"].long().T
    selected = torch.zeros(24, ROWS, COLUMNS, dtype=torch.bool)
    selected[t, row // 2, column // 2] = True
    selected[::frames_each] = False

    made = sparse_patches(
        noise[1],
        selected=selected.flatten(1),
        grid=(ROWS, COLUMNS),
        group_frames=frames_each,
        canvases_per_group=canvases,
    )

    assert made.patch_positions.dtype == torch.int64
    assert torch.equal(made.patch_positions, given["positions"].long())
    assert torch.equal(made.groups, given["groups"])
    assert torch.allclose(made.source_seconds.float(), given["seconds"])
    assert made.fps == pytest.approx(10)
    assert made.left_out == 0


@pytest.mark.parametrize(("frames_each", "canvases"), [(24, 3), (6, 2), (12, 4)])
def test_changes_of_brightness_pick_nearly_what_that_package_picks(noise, frames_each, canvases):
    # It weighs frames against each other in a way of its own.
    made = sparse_patches(noise[1], group_frames=frames_each, canvases_per_group=canvases)
    ours = set(map(tuple, made.patch_positions.tolist()))
    theirs = set(map(tuple, GIVEN[f"{frames_each}_{canvases}_positions"].tolist()))
    assert len(ours) == len(theirs)
    assert len(ours & theirs) > 0.85 * len(theirs)


def test_every_patch_shows_what_its_position_says(noise):
    levels, frames = noise
    made = sparse_patches(frames, group_frames=12)
    tiles = made.canvases.unflatten(3, (-1, 14)).unflatten(2, (-1, 14))
    shown = tiles.permute(0, 2, 4, 1, 3, 5).flatten(3).reshape(-1, 3 * 14 * 14)
    t, row, column = made.patch_positions.T.numpy()
    expected = torch.from_numpy(levels[t, row // 2, column // 2])
    assert torch.equal(shown.long(), expected[:, None].expand_as(shown))


def test_patches_within_a_block_are_neighbours():
    frames = Frames(
        data=np.random.default_rng(0).integers(0, 255, (3, 56, 84, 3), dtype=np.uint8),
        pts_seconds=np.arange(3) / 5,
        indices=np.arange(3) * 5,
    )
    made = sparse_patches(frames, max_pixels=56 * 84, canvases_per_group=2)
    tiles = made.canvases.unflatten(3, (-1, 14)).unflatten(2, (-1, 14))
    patches = tiles.permute(0, 2, 4, 1, 3, 5).reshape(-1, 3, 14, 14)
    for patch, (t, row, column) in zip(patches, made.patch_positions.tolist(), strict=True):
        number = t // 5
        there = frames.data[number, row * 14 : row * 14 + 14, column * 14 : column * 14 + 14]
        assert torch.equal(patch, torch.from_numpy(there).permute(2, 0, 1))
    assert made.fps == 25
    assert set(made.patch_positions[:, 0].tolist()) <= {0, 5, 10}


def test_what_changed_most_goes_in_in_the_order_of_time_and_place():
    levels = np.full((4, 2, 3), 100)
    levels[1:, 1, 2] += 50
    levels[2:, 0, 1] += 60
    levels[3, 0, 0] += 5
    made = small(levels, canvases_per_group=2)
    assert slots(made, 0, (2, 3)) == [(0, row, column) for row in range(2) for column in range(3)]
    assert {(1, 1, 2), (2, 0, 1), (3, 0, 0)} < set(slots(made, 1, (2, 3)))
    assert slots(made, 1, (2, 3)) == sorted(slots(made, 1, (2, 3)))


def test_places_that_a_canvas_of_the_group_shows_count_less():
    levels = np.full((9, 2, 3), 100)
    for t in range(1, 5):
        levels[t:, 0, 0] += 10 * (-1) ** t  # the first canvas shows this place
    levels[5:, 0, 0] += 40
    levels[6:, 1, 1] += 7  # less, but more than 0.15 of 40
    levels[7:, 0, 0] -= 40
    levels[8:, 0, 0] += 40
    still = small(levels, canvases_per_group=3, group_frames=9)
    picked = slots(still, 2, (2, 3))
    assert (6, 1, 1) in picked
    scores = {(5, 0, 0): 6.0, (7, 0, 0): 6.0, (8, 0, 0): 6.0, (6, 1, 1): 7.0}
    assert set(scores) <= set(picked)


def test_units_that_stood_still_take_no_slot(noise):
    selected = torch.zeros(24, ROWS * COLUMNS, dtype=torch.bool)
    selected[5, 17] = selected[9, 3] = selected[9, 170] = True
    made = sparse_patches(noise[1], selected=selected, grid=(ROWS, COLUMNS), canvases_per_group=2)
    assert slots(made, 1, (ROWS, COLUMNS)) == [(5, 1, 1), (9, 0, 3), (9, 10, 10)]
    assert made.patches == (ROWS * COLUMNS + 3) * 4
    empty = made.patch_positions[made.patch_positions[:, 0] < 0]
    assert (empty == -1).all()
    assert made.canvases[1, :, 28:].max() == 0
    assert made.left_out == 0


def test_as_many_canvases_as_the_selection_fills_leave_nothing_out(noise):
    selected = torch.rand(24, ROWS * COLUMNS, generator=torch.manual_seed(0)) < 0.4
    options = {"selected": selected, "grid": (ROWS, COLUMNS), "group_frames": 12}
    made = sparse_patches(noise[1], canvases_per_group=None, **options)
    later = selected.clone()
    later[::12] = False
    expected = [(t, n // COLUMNS, n % COLUMNS) for t, n in later.nonzero().tolist()]
    whole = [
        number
        for number in range(len(made.groups))
        if number == 0 or made.groups[number] != made.groups[number - 1]
    ]
    shown = [
        slot
        for canvas in range(len(made.groups))
        if canvas not in whole
        for slot in slots(made, canvas, (ROWS, COLUMNS))
    ]
    assert shown == expected
    assert made.left_out == 0
    fewer = sparse_patches(noise[1], canvases_per_group=2, **options)
    assert fewer.left_out == len(expected) - 2 * ROWS * COLUMNS


def test_units_of_another_grid_select_the_blocks_that_they_overlap(noise):
    selected = torch.zeros(24, 4, dtype=torch.bool)
    selected[1, 0] = True
    made = sparse_patches(noise[1], selected=selected, grid=(2, 2), canvases_per_group=2)
    expected = [(1, row, column) for row in range(6) for column in range(8)]
    assert slots(made, 1, (ROWS, COLUMNS)) == expected


def test_units_of_a_cut_out_reach_to_the_borders(noise):
    selected = torch.zeros(24, 4, dtype=torch.bool)
    selected[1, [1, 3]] = True
    middle = (0.25, 0.0, 0.75, 1.0)
    options = {"selected": selected, "grid": (2, 2), "canvases_per_group": 2}
    made = sparse_patches(noise[1], region=middle, **options)
    assert {column for _, _, column in slots(made, 1, (ROWS, COLUMNS))} == set(range(8, 16))


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_short_videos_have_their_canvases(count):
    made = small(np.full((count, 2, 3), 9), group_frames=4)
    groups = -(-count // 4)
    assert made.groups.tolist() == [number for number in range(groups) for _ in range(4)]
    assert made.canvases.shape == (4 * groups, 3, 56, 84)
    assert len(made.patch_positions) == 4 * groups * 24
    assert made.fps == (10 if count > 1 else 1)


def test_times_are_those_of_the_frames_though_they_start_late_or_are_uneven():
    frames = of_levels(np.full((6, 2, 3), 9), fps=10, start=2.0)
    seconds = frames.pts_seconds + np.array([0, 0, 0.05, 0.05, 0.05, 0])
    uneven = Frames(data=frames.data, pts_seconds=seconds, indices=frames.indices)
    made = sparse_patches(uneven, max_pixels=4704, group_frames=1, canvases_per_group=1, fps=20)
    numbers = made.patch_positions[::24, 0]
    np.testing.assert_allclose(numbers / made.fps, seconds, atol=0.5 / 20)
    np.testing.assert_allclose(made.source_seconds, seconds)
    slow = sparse_patches(uneven, max_pixels=4704, group_frames=1, canvases_per_group=1, fps=1)
    assert slow.patch_positions[::24, 0].tolist() == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [
        ((224, 336), 150_000, (308, 448)),
        ((1080, 1920), 150_000, (280, 504)),
        ((10, 4000), 28 * 28 * 3, (28, 84)),
    ],
)
def test_canvases_are_as_large_as_the_limit_allows(size, limit, expected):
    frames = Frames(
        data=np.zeros((1, *size, 3), dtype=np.uint8),
        pts_seconds=np.zeros(1),
        indices=np.zeros(1, dtype=np.int64),
    )
    made = sparse_patches(frames, max_pixels=limit, canvases_per_group=1)
    assert made.canvases.shape == (1, 3, *expected)


def test_frames_of_a_video_go_in_as_the_compressor_gives_them(tmp_path):
    path = write_video(tmp_path / "v.mp4", 50)
    sift = VideoCompressor(fps=5)
    made = sparse_patches(sift.frames(path), group_frames=10)
    assert isinstance(made, SparsePatches)
    assert made.fps == pytest.approx(25)
    numbers = sorted(set(made.patch_positions[:, 0].tolist()) - {-1})
    assert set(numbers) <= set(range(0, 50, 5))
    assert numbers[0] == 0


def test_what_was_encoded_where_others_stood_still_goes_in(tmp_path):
    levels = np.full((12, 2, 3), 100)
    levels[6:, 1, 2] = 200
    frames = of_levels(levels, fps=1)
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=1)
        stream.height, stream.width, stream.pix_fmt = 56, 84, "bgr0"
        for picture in frames.data:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    sift = VideoCompressor(gate=8.0)
    video = sift.encode(path)

    made = sparse_patches(
        sift.frames(path),
        selected=video.encoded.encoded,
        grid=video.tokens.grid,
        max_pixels=4704,
        canvases_per_group=None,
    )

    # The handcrafted encoder sees whole frames, and the sixth alone differs from the first.
    assert slots(made, 1, (2, 3)) == [(6, row, column) for row in range(2) for column in range(3)]
    assert made.groups.tolist() == [0, 0]


ALL_UNITS = {"selected": torch.ones(4, 6, dtype=torch.bool), "grid": (2, 3)}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"canvases_per_group": None}, "selected"),
        ({"canvases_per_group": 0}, "canvases_per_group=0"),
        ({"group_frames": 0}, "group_frames=0"),
        ({"patch_px": 0}, "patch_px=0"),
        ({"max_pixels": 700}, "28 x 28"),
        ({"fps": 0.0}, "fps=0.0"),
        ({"max_pixels": "700"}, "max_pixels='700'"),
        ({"fps": float("nan")}, "fps=nan"),
        ({"fps": "10"}, "fps='10'"),
        ({"selected": torch.zeros(4, 6)}, "must be bool"),
        ({"selected": torch.zeros(3, 6, dtype=torch.bool)}, "each of the 4 frames"),
        ({"selected": torch.zeros(4, 6, dtype=torch.bool)}, "grid=None"),
        ({"selected": torch.zeros(4, 6, dtype=torch.bool), "grid": (2, 2)}, "the 6 units"),
        ({**ALL_UNITS, "region": (0, 0, 0, 1)}, r"region=\(0, 0, 0, 1\)"),
        ({**ALL_UNITS, "region": (0, 0, 1)}, r"region=\(0, 0, 1\)"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, complaint):
    options = {"max_pixels": 4704, **options}
    with pytest.raises(InvalidOptionError, match=complaint) as caught:
        sparse_patches(of_levels(np.full((4, 2, 3), 9)), **options)
    assert "\n" not in str(caught.value)


def test_no_frame_is_refused():
    with pytest.raises(InvalidOptionError, match="no frame"):
        sparse_patches(of_levels(np.full((4, 2, 3), 9))[:0])
