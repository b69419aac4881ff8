"""Long videos in stretches: the same rows and files as in one go, whoever makes which part when."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

import framesift
from framesift.batching.items import Item
from framesift.batching.steps import Steps
from framesift.batching.store import store_of
from framesift.batching.stretches import Missing, work_on_part
from framesift.batching.work import Work, work_on
from framesift.compression import stretches
from framesift.decoders import registry as decoders
from framesift.disk.tensors import TensorFile, tensors_in
from framesift.testing.videos import write_video

pytest.importorskip("pyarrow.parquet")
GROUPS = {"size": (32, 64), "codec_options": {"g": "8", "bf": "0"}}
GAP = [Fraction(n, 25) + (4 if n > 50 else 0) for n in range(120)]


@pytest.fixture(autouse=True)
def short_stretches(request, monkeypatch):
    """Makes a few seconds a long video: stretches of 32 frames from 49 frames on."""
    if request.node.get_closest_marker("slow"):  # its workers are other processes
        return
    for name, frames in [("LONG_FRAMES", 48), ("STRETCH_FRAMES", 32), ("WHOLE_WINDOWS", 16)]:
        monkeypatch.setattr(stretches, name, frames)
    monkeypatch.setattr(stretches, "MOST_AGAIN", 4)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    write_video(folder / "odd.mp4", 117, **GROUPS)
    write_video(folder / "one-more.mp4", 129, **GROUPS)
    write_video(folder / "gap.mp4", len(GAP), times=GAP, **GROUPS)
    whole = bytearray(write_video(folder / "damaged.mp4", 140, **GROUPS).read_bytes())
    for part in (0.24, 0.45, 0.47, 0.49):  # a part of the pictures, around a border
        place = int(len(whole) * part)
        whole[place : place + 400] = bytes(400)
    (folder / "damaged.mp4").write_bytes(whole)
    return folder


def at_once(work, items, store, workers):
    """An engine of this process, which encodes each video in one go."""
    for item in items:
        yield work_on(work, item, store)


class InSteps:
    """An engine of this process, which makes stretches one by one, the last one first."""

    def __init__(self, most=None):
        self.most, self.made = most, []

    def __call__(self, work, items, store, workers):
        steps = Steps(items)
        while step := steps.next():
            how = work_on_part(work, step.item, store, step.name)
            if isinstance(how, Missing):
                how = replace(how, names=how.names[::-1])
            if step.name is not None:
                self.made.append(step.name)
                if len(self.made) == self.most:
                    raise KeyboardInterrupt
            if done := steps.ended(step, how):
                yield done


def contents(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("compress", {}),
        ("compress", {"strategy": "uniform"}),
        ("compress", {"strategy": "dycoke", "encoder": "handcrafted:grid_size=6"}),
        ("compress", {"gate": 8.0}),
        ("compress", {"gate": 8.0, "still": "dropped"}),
        ("compress", {"max_frames": 20}),
        ("compress", {"vlm": "tiny"}),
        ("keyframes", {}),
        ("keyframes", {"selector": "uniform"}),
        ("keyframes", {"selector": "dpp"}),
        ("segments", {}),
        ("ask", {"vlm": "tiny"}),
    ],
    ids=str,
)
def test_stretches_give_what_the_whole_video_gives(clips, tmp_path, task, options):
    sift = framesift.VideoCompressor(fps=25, **options)
    names = ["gap.mp4", "damaged.mp4"]
    if not options:
        names += ["odd.mp4", "one-more.mp4", "one-more.mp4#t=0.5,4.2"]
    (tmp_path / "list.txt").write_text("".join(f"{clips / name}\n" for name in names))
    given = {"compressor": sift, "question": "What flashes?", "count": 3, "seconds_each": 1}
    engine = InSteps()
    for folder, how in [("whole", at_once), ("parts", engine)]:
        result = framesift.batch(
            tmp_path / "list.txt", tmp_path / folder, task, engine=how, **given
        )
        assert (result.rows >= len(names), result.failed) == (True, 0)
    looks_at_all = options.get("selector") != "uniform"
    assert len({name.split("/")[1] for name in engine.made}) == (len(names) if looks_at_all else 0)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert not (tmp_path / "parts" / "stretches").exists()


def test_a_run_that_was_ended_makes_only_the_stretches_that_are_left(clips, tmp_path):
    given = {"compressor": framesift.VideoCompressor(fps=25)}
    (tmp_path / "list.txt").write_text(f"{clips / 'one-more.mp4'}\n")
    first, second = InSteps(most=2), InSteps()
    with pytest.raises(KeyboardInterrupt):
        framesift.batch(tmp_path / "list.txt", tmp_path / "out", engine=first, **given)
    framesift.batch(tmp_path / "list.txt", tmp_path / "out", engine=second, **given)
    assert (len(first.made), len(second.made)) == (2, 3)
    assert not set(first.made) & set(second.made)
    framesift.batch(tmp_path / "list.txt", tmp_path / "whole", engine=at_once, **given)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_stretch_that_fails_is_the_row_of_its_video(clips, tmp_path, monkeypatch):
    def broken(self, number):
        raise ValueError("no such thing")

    monkeypatch.setattr(stretches.Stretches, "windows", broken)
    result = framesift.batch(
        [clips / "odd.mp4", clips / "gap.mp4"],
        tmp_path / "out",
        compressor=framesift.VideoCompressor(fps=25),
        engine=InSteps(),
    )
    assert (result.done, result.failed) == (2, 2)
    assert set(result.errors.values()) == {"no such thing"}


def test_another_file_of_the_same_name_gets_stretches_of_its_own(clips, tmp_path):
    work, store = Work(task="compress", options={"fps": 25}), store_of(tmp_path / "out")
    names = []
    for source in ("one-more.mp4", "gap.mp4"):
        (tmp_path / "a.mp4").write_bytes((clips / source).read_bytes())
        names.append(work_on_part(work, Item(id="a", video=str(tmp_path / "a.mp4")), store).names)
    assert not set(names[0]) & set(names[1])


def test_stretches_begin_where_little_is_decoded_twice(tmp_path):
    decoder = decoders.create("pyav")
    every = range(200)

    def starts(**how):
        path = write_video(tmp_path / "a.mp4", 200, size=(32, 64), **how)
        parts = stretches.stretched(decoder.index(path), every, 1)
        assert [place for part in parts for place in part] == list(every)
        return [part[0] for part in parts]

    assert starts(codec_options={"g": "8", "bf": "0"}) == [0, 32, 64, 96, 128, 160, 192]
    assert starts(codec_options={"g": "48", "bf": "0", "sc_threshold": "0"}) == [
        0,
        48,
        96,
        144,
        192,
    ]
    assert starts(codec_options={"g": "999", "bf": "0", "sc_threshold": "0"}) == [0]
    assert len(stretches.stretched(decoder.index(tmp_path / "a.mp4"), range(48), 1)) == 1


@pytest.mark.slow
def test_workers_share_a_long_video_and_a_kill_costs_no_finished_stretch(tmp_path):
    pytest.importorskip("pebble")
    video, out = tmp_path / "long.mp4", tmp_path / "out"
    write_video(video, 3900, size=(32, 64), codec_options={"g": "50"})
    given = ["--fps", "25", "--strategy", "uniform", "--workers", "2"]
    command = [sys.executable, "-m", "framesift", "batch", str(video), "--out", str(out), *given]
    run = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (made := {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}):
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not list((out / "rows").rglob("*.json"))
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    seen = {}
    while run.poll() is None:
        for path in (out / "stretches").rglob("*.safetensors"):
            with suppress(FileNotFoundError):
                seen[path] = path.stat().st_mtime_ns
        time.sleep(0.05)
    assert run.returncode == 0
    assert len(seen) == 4
    assert {path: seen[path] for path in made} == made
    whole = framesift.VideoCompressor(fps=25, strategy="uniform", text=("subtitles",))
    framesift.batch(video, tmp_path / "whole", compressor=whole, engine=at_once)
    assert contents(out) == contents(tmp_path / "whole")


def test_a_file_of_tensors_is_kept_piece_by_piece_and_read_where_it_lies(tmp_path):
    tokens = torch.arange(300_000.0).view(-1, 3)
    file = TensorFile({"tokens": tokens})
    for place in (str(tmp_path), f"mock://{tmp_path.name}"):
        store = store_of(place)
        name = store.keep(file, ".safetensors")
        assert name == store.keep(b"".join(file.pieces()), ".safetensors")
        assert store.read(name) == b"".join(file.pieces())
        assert torch.equal(tensors_in(store.mapped(name))[0]["tokens"], tokens)
        assert store.mapped("files/none") is None
