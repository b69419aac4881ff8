"""Both ways of resizing large frames are compared on the same frames of the same file."""

from dataclasses import replace

import pytest

from benchmarks.sections import large_frames
from framesift.testing import TINY_VLMS
from framesift.testing.videos import write_video
from framesift.vlms.load import load_vlm

pytest.importorskip("transformers")


@pytest.mark.parametrize(("size", "same"), [((904, 1808), False), ((96, 64), True)])
@pytest.mark.slow
def test_only_large_frames_differ(size, same, tmp_path):
    clip = write_video(tmp_path / "v.mp4", 8, fps=1, size=size)
    tiny = TINY_VLMS["internvl"]
    (tmp_path / "model").mkdir()
    tiny.build(tmp_path / "model")
    vlm = replace(load_vlm(tmp_path / "model", device="cpu"), **tiny.options)
    row = large_frames.compared(vlm, clip, rounds=2)
    assert row["tokens"] == 4 * 4
    assert (row["cosine_worst"] == 1) == same
    assert (row["logits_differ"] == 0) == same
    assert [len(row["rounds"][way]) for way in ("model", "decoder")] == [2, 2]
