"""Decoding here and encoding there gives what doing both in one place gives."""

import pickle
from dataclasses import replace

import pytest
import torch

import framesift
from framesift.errors import InvalidOptionError
from framesift.types.compressed_files import token_tensors


def same(first, second):
    one, two = token_tensors(first), token_tensors(second)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    told = [
        made.report.model_copy(update={"seconds": {}, "selection": None})
        for made in (first, second)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strategy": "temporal", "gate": 4.0},
        {"max_frames": 5, "selector": "uniform"},
        {"vlm": "tiny", "fps": 2.0},
        {"vlm": "tiny", "resized_by": "decoder"},
    ],
)
def test_tokens_and_report_are_those_of_one_place(options, write_video, tmp_path):
    path = write_video(tmp_path / "talk.mp4", 1000)
    sift = framesift.VideoCompressor(**options)
    decoded = pickle.loads(pickle.dumps(sift.decode(path)))
    path.rename(tmp_path / "gone.mp4")
    made = sift.compress(decoded)
    (tmp_path / "gone.mp4").rename(path)
    same(made, sift.compress(path))


def test_a_picture_and_a_damaged_file_are_as_in_one_place(clips_of_damage):
    for path in clips_of_damage:
        warned, here = [], []
        sift = framesift.VideoCompressor(vlm="tiny")
        same(
            sift.compress(sift.decode(path), warn=warned.append),
            sift.compress(path, warn=here.append),
        )
        assert warned == here


@pytest.fixture
def clips_of_damage(write_video, tmp_path):
    from PIL import Image

    Image.new("RGB", (90, 60), "red").save(tmp_path / "picture.png")
    whole = write_video(tmp_path / "whole.mkv", 200).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    return tmp_path / "picture.png", tmp_path / "cut.mkv"


def test_other_options_are_refused(write_video, tmp_path):
    decoded = framesift.VideoCompressor().decode(write_video(tmp_path / "talk.mp4", 100))
    with pytest.raises(InvalidOptionError, match="sampled at fps=1, not 2"):
        framesift.VideoCompressor(fps=2).compress(decoded)
    other = replace(decoded, size_px=(32, 32))
    with pytest.raises(InvalidOptionError, match="decode and encode with the same options"):
        framesift.VideoCompressor().compress(other)
