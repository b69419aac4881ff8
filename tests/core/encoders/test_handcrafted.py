import cv2
import numpy as np
import pytest
import torch

from framesift.decoders import registry as decoders
from framesift.encoders.handcrafted import Handcrafted
from framesift.errors import InvalidOptionError
from framesift.types.frames import Frames

SIDE = 448


def make_frames(*images):
    count = len(images)
    return Frames(
        data=np.stack(images),
        pts_seconds=np.arange(float(count)),
        indices=np.arange(count),
    )


def flat(level):
    return np.full((SIDE, SIDE, 3), level, dtype=np.uint8)


def scene(seed=0):
    """A scene with flat ground, soft shading, texture and hard edges."""
    random = np.random.default_rng(seed)
    image = np.tile(np.linspace(60, 150, SIDE), (SIDE, 1))[..., None] * np.array([1.0, 0.9, 0.8])
    texture = cv2.GaussianBlur(random.normal(0, 120, (SIDE, SIDE)), (0, 0), 2)
    image[SIDE // 2 :] += texture[SIDE // 2 :, :, None]
    for _ in range(8):
        y, x = random.integers(0, SIDE - 60, 2)
        image[y : y + 60, x : x + 40] = random.integers(0, 256, 3)
    return image.clip(0, 255).astype(np.uint8)


def text(image, row):
    written = image.copy()
    for line in range(2):
        y = row * 32 + 13 + 14 * line
        cv2.putText(written, "small text in a chat pane " * 5, (2, y), 0, 0.38, (30, 30, 30), 1)
    return written


def noisy(image, sigma):
    noise = np.random.default_rng(1).normal(0, sigma, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8)


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1)


def brighter(image, gain):
    return (image * gain).clip(0, 255).astype(np.uint8)


def similarity(first, second):
    features = Handcrafted().encode(make_frames(first, second)).features.float()
    return torch.cosine_similarity(features[0], features[1], dim=-1)


def edges(image):
    return Handcrafted().encode(make_frames(image)).signals.edge_density.reshape(14, 14)


def test_grid_and_patch_are_options():
    encoder = Handcrafted(grid_size=5, patch_px=20)
    tokens = encoder.encode(make_frames(scene()))
    assert encoder.grid == tokens.grid == (5, 5)
    assert Handcrafted(grid_size=40, patch_px=30).input_px == (1200, 1200)
    assert encoder.input_px == (896, 896)
    assert Handcrafted(grid_size=32, patch_px=32).input_px == (1024, 1024)
    assert tokens.features.shape == (1, 25, 32)


def test_a_token_takes_64_bytes_and_has_length_one():
    features = Handcrafted().encode(make_frames(scene(), flat(0), flat(255))).features
    assert features.dtype == torch.float16
    assert features[0, 0].nbytes == 64
    torch.testing.assert_close(features.float().norm(dim=-1), torch.ones(3, 196), rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("change", "least"),
    [
        (lambda image: noisy(image, 3), 0.995),
        (lambda image: noisy(image, 5), 0.99),
        (lambda image: jpeg(image, 75), 0.98),
        (lambda image: brighter(image, 0.9), 0.98),
        (lambda image: brighter(image, 1.1), 0.98),
    ],
    ids=["noise 3", "noise 5", "jpeg 75", "darker", "brighter"],
)
def test_what_a_viewer_ignores_changes_little(change, least):
    image = scene()
    assert similarity(image, change(image)).min() > least


@pytest.mark.parametrize("level", [0, 20, 128, 255])
def test_flat_patches_are_stable_under_noise(level):
    assert similarity(flat(level), noisy(flat(level), 5)).min() > 0.998


@pytest.mark.parametrize(
    "other", [(255, 255, 255), (150, 110, 110)], ids=["gray and white", "gray and reddish"]
)
def test_flat_patches_of_another_colour_differ(other):
    assert similarity(flat(128), np.full_like(flat(0), other)).max() < 0.99


@pytest.mark.parametrize("seed", range(3))
def test_an_object_lowers_the_similarity_where_it_is_and_nowhere_else(seed):
    image = scene(seed)
    covered = image.copy()
    covered[96:192, 128:256] = np.random.default_rng(7).integers(0, 256, 3)
    found = similarity(image, noisy(covered, 3)).reshape(14, 14)
    away = torch.ones(14, 14, dtype=torch.bool)
    away[2:7, 3:9] = False
    assert found[3:6, 4:8].max() < 0.95
    assert found[away].min() > 0.99


def test_text_that_appears_lowers_the_similarity():
    written = similarity(flat(240), text(flat(240), 6)).reshape(14, 14)
    assert written[6].max() < 0.95
    assert written[[0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13]].min() > 0.999


def test_a_moved_digit_is_seen():
    first, second = flat(230), flat(230)
    cv2.putText(first, "3", (36, 60), 0, 0.9, (20, 20, 20), 2)
    cv2.putText(second, "7", (36, 60), 0, 0.9, (20, 20, 20), 2)
    assert similarity(first, second)[15] < 0.99


def test_edges_are_dense_on_text_and_absent_on_an_outline_and_on_shading():
    image = np.tile(np.linspace(120, 240, SIDE), (SIDE, 1)).astype(np.uint8)
    shaded = np.dstack([image] * 3)
    outline = shaded.copy()
    outline[200:] = 0
    density = edges(text(outline, 2))
    written, bordered, soft = density[2], density[6], density[11]
    assert written[1:13].min() > 0.02
    assert bordered.max() == soft.max() == 0
    assert density.max() <= 1


@pytest.mark.parametrize(
    "options", [{"grid_size": 0}, {"patch_px": 3}], ids=["no patches", "patches too small"]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(InvalidOptionError, match="at least"):
        Handcrafted(**options)


def decoded(path, seconds):
    decoder = decoders.create("pyav")
    times = decoder.index(path).pts_seconds
    indices = [int(np.searchsorted(times, times[0] + s, side="right")) - 1 for s in seconds]
    return next(iter(decoder.decode(path, indices, size_px=Handcrafted().input_px)))


def area_under_curve(unchanged, changed):
    """Returns how often an unchanged patch has a higher similarity than a changed one."""
    return (unchanged[:, None] > changed).float().mean().item()


@pytest.mark.clips
def test_patches_behind_a_passing_car_are_told_from_empty_road(clips):
    frames = decoded(clips / "car-detection.mp4", [1.5, 2.5, 6.0])
    features = Handcrafted().encode(frames).features.float()
    still = torch.cosine_similarity(features[0], features[1], dim=-1)
    passing = torch.cosine_similarity(features[1], features[2], dim=-1)
    bright = cv2.resize(frames.data[2].min(-1), (14, 14), interpolation=cv2.INTER_AREA)
    car = torch.from_numpy(bright).flatten() > 150
    assert car.sum() >= 8
    assert area_under_curve(still, passing[car]) > 0.99


@pytest.mark.clips
def test_an_answer_that_appears_on_a_screen_changes_its_patches_alone(clips):
    frames = decoded(clips / "screen-recording.mp4", [9.0, 10.0, 12.5])
    features = Handcrafted().encode(frames).features.float()
    still = torch.cosine_similarity(features[0], features[1], dim=-1)
    cleared = torch.cosine_similarity(features[1], features[2], dim=-1).reshape(14, 14)
    answer = cleared[4, 5:13]
    assert area_under_curve(still, answer) > 0.99


@pytest.mark.clips
def test_edges_stand_out_on_the_text_of_a_screen(clips):
    frames = decoded(clips / "screen-recording.mp4", [10.0])
    density = Handcrafted().encode(frames).signals.edge_density.reshape(14, 14)
    assert density[4, 5:13].min() > density.quantile(0.8)
