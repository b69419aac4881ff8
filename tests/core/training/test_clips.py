import json
import random
from collections import Counter
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.question_sets import FIRST_SEEDS
from framesift.sources.base import open_video
from framesift.sources.synthetic import parse_uri
from framesift.synthetic.film import SceneSettings
from framesift.synthetic.scenes import SCENES, make_scene
from framesift.training import clips as clips_module
from framesift.training.clips import (
    SHARES,
    SIDE_PX,
    clip_address,
    make_shards,
    read_shards,
    squashed,
)

SEEDS = (6, 3)
"""An event scene of nine seconds, and a quiz of fourteen."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """A shard of each of two clips, drawn by a process of its own."""
    return make_shards(tmp_path_factory.mktemp("clips"), SEEDS, processes=1, per_shard=1)


def pictures_at(uri, times):
    """Returns the frames of a clip shown at some times, read without framesift's decoders."""
    with open_video(uri) as video, av.open(str(video.path)) as container:
        frames = [(f.time, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    return [[pixels for seconds, pixels in frames if seconds <= at + 1e-6][-1] for at in times]


def test_an_address_is_the_same_each_time_and_can_be_opened(no_backdrops):
    for seed in range(30):
        uri, fps = clip_address(seed)
        assert clip_address(seed) == (uri, fps)
        video = open_video(uri, text_only=True)
        assert video.truth["questions"]
        assert video.truth["seed"] == seed


def test_addresses_are_of_every_scene_size_and_length():
    parsed = [(*parse_uri(uri), fps) for uri, fps in map(clip_address, range(600))]
    names = Counter(name for name, _, _ in parsed)
    assert set(names) == set(SHARES) <= set(SCENES)
    for name, share in SHARES.items():
        assert names[name] == pytest.approx(600 * share, abs=40)
    assert sum(SHARES.values()) == pytest.approx(1)
    assert {(s.width, s.height) for _, s, _ in parsed} == set(clips_module.SIZES_PX)
    assert len({s.seconds for _, s, _ in parsed}) > 8
    for _, settings, fps in parsed:
        assert fps <= settings.fps
        assert 8 <= fps * settings.seconds <= 64
        assert settings.noise is None


@pytest.mark.slow
def test_shards_hold_what_was_drawn(shards):
    assert [path.name for path in shards] == ["0000006", "0000003"]
    found = list(read_shards(shards))
    for seed, shard in zip(SEEDS, found, strict=True):
        (clip,) = shard.clips
        uri, fps = clip_address(seed)
        name, settings = parse_uri(uri)
        assert clip.uri == uri
        assert clip.truth == json.loads(json.dumps(make_scene(name, settings).truth))
        assert clip.times_seconds == pytest.approx(np.arange(settings.seconds * fps) / fps)
        assert shard.frames.shape == (len(clip.times_seconds), SIDE_PX, SIDE_PX, 3)
        assert shard.frames.dtype == np.uint8
        for frame, picture in zip(shard.frames, pictures_at(uri, clip.times_seconds), strict=True):
            expected = Image.fromarray(picture).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC)
            assert np.abs(frame.astype(int) - np.asarray(expected)).max() <= 2


class Here:
    """A pool of no processes, which notes what it is given."""

    def __init__(self, given):
        self.given = given

    def __enter__(self):
        return self

    def __exit__(self, *stopped):
        pass

    def imap_unordered(self, function, jobs):
        for job in jobs:
            self.given.append(job[0].name)
            yield function(job)


@pytest.fixture
def drawn(monkeypatch):
    """Names of the shards that are drawn, in this process, each clip as one grey frame."""
    given = []

    context = SimpleNamespace(Pool=lambda processes: Here(given))
    monkeypatch.setattr(clips_module.multiprocessing, "get_context", lambda kind: context)
    frame = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    monkeypatch.setattr(clips_module, "_read_back", lambda uri, fps: ([frame], (0.0,), {}))
    return given


def test_clips_of_one_shard_follow_one_another(tmp_path, drawn, monkeypatch):
    clips = {
        f"clip {seed}": ([np.full((SIDE_PX, SIDE_PX, 3), seed, np.uint8)] * seed, seed)
        for seed in (1, 2, 3)
    }

    def read_back(uri, fps):
        frames, seed = clips[uri]
        return frames, tuple(float(t) for t in range(seed)), {"seed": seed}

    monkeypatch.setattr(clips_module, "clip_address", lambda seed: (f"clip {seed}", 1.0))
    monkeypatch.setattr(clips_module, "_read_back", read_back)
    (shard,) = read_shards(make_shards(tmp_path, (2, 3, 1), processes=1))
    assert isinstance(shard.frames, np.memmap)
    for clip in shard.clips:
        frames = shard.frames[clip.start : clip.start + len(clip.times_seconds)]
        assert len(frames) == clip.truth["seed"]
        assert np.all(frames == clip.truth["seed"])


def test_a_shard_that_is_there_is_not_drawn_again(tmp_path, drawn):
    first = make_shards(tmp_path, range(4), processes=1, per_shard=2)
    assert drawn == ["0000000", "0000002"]
    again = make_shards(tmp_path, range(5), processes=1, per_shard=2)
    assert drawn == ["0000000", "0000002", "0000004-1"]
    assert again[:2] == first
    assert [len(shard.clips) for shard in read_shards(again)] == [2, 2, 1]


def test_runs_of_different_numbers_of_clips_share_a_folder(tmp_path, drawn):
    for count in (1, 4, 3, 2, 4):
        shards = make_shards(tmp_path, range(count), processes=1, per_shard=4)
        assert sum(len(shard.clips) for shard in read_shards(shards)) == count
    assert drawn == ["0000000-1", "0000000", "0000000-3", "0000000-2"]


def test_clips_that_models_are_measured_with_are_not_drawn(tmp_path, drawn):
    first = FIRST_SEEDS["validation"]
    with pytest.raises(InvalidOptionError, match=r"3 clips .* draw at most 2$"):
        make_shards(tmp_path, range(first - 2, first + 1), processes=1)
    assert not list(tmp_path.iterdir())
    make_shards(tmp_path, range(first - 2, first), processes=1)
    assert drawn == ["0999998-2"]


@pytest.mark.parametrize("name", ["clips.json", "frames.npy"])
def test_a_shard_with_a_damaged_file_is_drawn_again(name, tmp_path, drawn):
    (path,) = make_shards(tmp_path, range(2), processes=1, per_shard=2)
    damaged = path / name
    damaged.write_bytes(damaged.read_bytes()[:-9])
    (again,) = read_shards(make_shards(tmp_path, range(2), processes=1, per_shard=2))
    assert drawn == ["0000000", "0000000"]
    assert len(again.clips) == 2


def test_frames_that_another_run_has_mapped_stay_as_they_are(tmp_path, drawn):
    seeds = range(2)
    (before,) = read_shards(make_shards(tmp_path, seeds, processes=1, per_shard=2))
    seen = before.frames.copy()
    (tmp_path / "0000000" / "clips.json").unlink()
    file = (tmp_path / "0000000" / "frames.npy").stat().st_ino
    make_shards(tmp_path, seeds, processes=1, per_shard=2)
    assert (tmp_path / "0000000" / "frames.npy").stat().st_ino != file
    assert np.array_equal(before.frames, seen)


def test_a_shard_that_was_broken_off_is_drawn_again(tmp_path, drawn):
    (path,) = make_shards(tmp_path, range(2), processes=1, per_shard=2)
    (path / "clips.json").unlink()
    make_shards(tmp_path, range(2), processes=1, per_shard=2)
    assert drawn == ["0000000", "0000000"]


def test_frames_are_squashed_as_the_image_processor_does(processor):
    images = processor.image_processor
    rng = random.Random(0)
    for _ in range(2):
        width, height = rng.choice(clips_module.SIZES_PX)
        settings = SceneSettings(seed=rng.randrange(99), width=width, height=height)
        frame = make_scene("quiz", settings).draw(rng.uniform(0, 8))
        pixels = np.asarray(images(images=[frame], return_tensors="np")["pixel_values"][0])
        mean, std = (np.array(v)[:, None, None] for v in (images.image_mean, images.image_std))
        seen = np.rint((pixels * std + mean) * 255).transpose(1, 2, 0)
        np.testing.assert_array_equal(squashed(frame), seen)
