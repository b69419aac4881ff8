"""Damaged files of every kind: one line for the user, in bounded memory and time, nothing left."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from framesift.testing.field_coded import write_fields

READER = Path(__file__).with_name("damaged_files.py")
VIDEOS: dict[str, dict] = {
    "a.mp4": {"audio_seconds": 1.5},
    "fragments.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "a.mkv": {"audio_seconds": 1.5},
    "a.webm": {"codec": "libvpx-vp9", "codec_options": {"cpu-used": "8"}},
    "a.ts": {"audio_seconds": 1.5},
    "hevc.ts": {"codec": "libx265", "codec_options": {"x265-params": "log-level=none"}},
    "a.avi": {},
    "a.flv": {},
    "a.h264": {},
    "interlaced.ts": {"codec_options": {"x264-params": "interlaced=1"}},
}
MOST_MIB = 400
MOST_SECONDS = 20


@pytest.fixture(scope="module")
def good_files(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("good")
    for name, how in VIDEOS.items():
        write_video(folder / name, 30, size=(32, 64), **how)
    write_fields(folder / "fields.ts", range(12))
    write_fields(folder / "fields.mp4", range(12))
    pictures = [Image.effect_noise((48, 32), 40 + 10 * n).convert("RGB") for n in range(4)]
    for name in ("a.gif", "a.png", "a.webp", "a.tif"):
        pictures[0].save(folder / name, save_all=True, append_images=pictures[1:], duration=70)
    for name in ("still.jpg", "still.png", "still.avif", "still.bmp", "still.webp"):
        pictures[0].save(folder / name)
    return folder


def damage_and_read(folder: Path, seed: int, count: int, temporary: Path) -> dict:
    command = [sys.executable, str(READER), str(folder), str(seed), str(count)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TMPDIR": str(temporary),
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=3000)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def check(found: dict, folder: Path, temporary: Path, files_before: set[Path]) -> None:
    assert found["raw"] == []
    assert found["outcomes"]["frames"] > 0
    assert found["outcomes"]["CorruptVideoError"] > 0
    assert found["peak_mib"] < MOST_MIB
    assert found["slowest"][1] < MOST_SECONDS
    assert set(folder.iterdir()) == files_before
    assert list(temporary.iterdir()) == []


def test_a_few_damages_of_each_kind_of_file(good_files, tmp_path):
    before = set(good_files.iterdir())
    check(damage_and_read(good_files, 0, 8, tmp_path), good_files, tmp_path, before)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_damages_of_each_kind_of_file(good_files, tmp_path, seed):
    before = set(good_files.iterdir())
    check(damage_and_read(good_files, seed, 100, tmp_path), good_files, tmp_path, before)
