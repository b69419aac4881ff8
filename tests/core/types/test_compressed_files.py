"""A folder of results holds one result, whole, whatever happens to its writers and its files."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from framesift import VideoCompressor, save_keyframe
from framesift.disk.writing import write_atomically
from framesift.errors import (
    FramesiftError,
    InvalidOptionError,
    InvalidTokensError,
    ModelError,
    StorageError,
)
from framesift.export.engines import ImageEmbeds
from framesift.types import compressed_files
from framesift.types.compressed_files import REPORT, TOKENS, load

CLIP = "synthetic://mixed?seconds=4&width=160&height=90"


@pytest.fixture(scope="module")
def video():
    return VideoCompressor(keep=0.25).compress(CLIP)


@pytest.fixture(scope="module")
def other():
    return VideoCompressor(keep=0.5, strategy="uniform").compress(CLIP)


@pytest.fixture(scope="module")
def segmented():
    return VideoCompressor(keep=0.25, strategy="slow-fast").compress(CLIP)


def same(one, two):
    return (
        one.report == two.report
        and torch.equal(one.tokens, two.tokens)
        and torch.equal(one.plan.src, two.plan.src)
    )


def test_a_path_may_be_text(video, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [str(path) for path in video.save("out")] == [
        f"out/{TOKENS}",
        f"out/{REPORT}",
    ]
    assert same(load("out"), video)
    assert same(load(tmp_path / "out"), video)
    frame = VideoCompressor().keyframes(CLIP, 1)[0]
    assert save_keyframe(frame, "frames").is_file()
    assert ImageEmbeds(
        embeds=video.tokens, counts=torch.tensor([196]), pts_seconds=torch.zeros(1).double()
    ).save("embeds.safetensors") == Path("embeds.safetensors")
    assert torch.equal(ImageEmbeds.load("embeds.safetensors").embeds, video.tokens)


@pytest.mark.parametrize("path", ["", "a\0b", 5, None, b"out", ["out"]])
def test_what_is_no_path_is_refused_in_one_line(video, path):
    for call in (lambda: video.save(path), lambda: load(path)):
        with pytest.raises(InvalidOptionError, match=r"folder=.* must be the path") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_second_result_takes_the_place_of_the_first(video, other, tmp_path):
    video.save(tmp_path)
    other.save(tmp_path)
    assert same(load(tmp_path), other)
    assert sorted(path.name for path in tmp_path.iterdir()) == [REPORT, TOKENS]


@pytest.mark.parametrize("step", range(3))
def test_a_writer_that_dies_between_two_steps_leaves_one_result(
    video, other, tmp_path, monkeypatch, step
):
    """Steps: tokens beside the old ones, the report, tokens in their place."""
    video.save(tmp_path)

    class DiedError(BaseException):
        pass

    done = []

    def dying(path, content):
        if len(done) == step:
            raise DiedError
        done.append(path)
        return write_atomically(path, content)

    monkeypatch.setattr(compressed_files, "write_atomically", dying)
    if step == 2:
        monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(DiedError))
        monkeypatch.setattr(compressed_files, "write_atomically", _copied)
    with pytest.raises(DiedError):
        other.save(tmp_path)
    monkeypatch.undo()
    assert same(load(tmp_path), other if step == 2 else video)
    video.save(tmp_path)
    assert same(load(tmp_path), video)
    assert sorted(path.name for path in tmp_path.iterdir()) == [REPORT, TOKENS]


def _copied(path, content):
    path.write_bytes(content if isinstance(content, bytes) else b"".join(content))
    return path


def test_a_folder_of_an_older_version_is_loaded(video, tmp_path):
    video.save(tmp_path)
    (tmp_path / REPORT).write_text(video.report.model_dump_json())
    assert same(load(tmp_path), video)


def test_report_and_tokens_of_two_runs_are_refused(video, other, tmp_path):
    video.save(tmp_path / "one")
    other.save(tmp_path / "two")
    (tmp_path / "one" / TOKENS).replace(tmp_path / "two" / TOKENS)
    with pytest.raises(InvalidTokensError, match="other tokens than those that its report"):
        load(tmp_path / "two")


WRITER = """
import os, signal, sys, torch
from framesift import load
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    child = os.fork()
    if child:
        print(child, flush=True)
        continue
    videos = [load(folder) for folder in sys.argv[2:]]
    while os.getppid() != 1:
        for video in videos:
            video.save(sys.argv[1])
"""


@pytest.fixture
def rewriting(video, other, tmp_path):
    """Starts a process that rewrites `tmp_path/out` with two results in turn; gives its number."""
    sources = [tmp_path / "video", tmp_path / "other"]
    for folder, result in zip(sources, (video, other), strict=True):
        result.save(folder)
    video.save(tmp_path / "out")
    command = [sys.executable, "-c", WRITER, str(tmp_path / "out"), *map(str, sources)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        started = []

        def start():
            process.stdin.write("go\n")
            process.stdin.flush()
            started.append(int(process.stdout.readline()))
            return started[-1]

        yield start
        process.stdin.close()
        for child in started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    "kills", [pytest.param(8, id="few"), pytest.param(40, id="many", marks=pytest.mark.slow)]
)
def test_a_killed_writer_leaves_one_whole_result(rewriting, video, other, tmp_path, kills):
    chance = random.Random(kills)
    folder = tmp_path / "out"
    for _ in range(kills):
        child = rewriting()
        time.sleep(chance.uniform(0.02, 0.2))
        os.kill(child, signal.SIGKILL)
        found = load(folder)
        assert same(found, video) or same(found, other)
    video.save(folder)
    assert same(load(folder), video)
    assert sorted(path.name for path in folder.iterdir() if path.name[0] != ".") == [REPORT, TOKENS]


def test_two_writers_and_a_reader_see_one_result_at_a_time(rewriting, video, other, tmp_path):
    writers = [rewriting(), rewriting()]
    start, seen = time.monotonic(), set()
    while time.monotonic() < start + 1 or (len(seen) < 2 and time.monotonic() < start + 30):
        found = load(tmp_path / "out")
        assert same(found, video) or same(found, other)
        seen.add(found.report.strategy)
    for child in writers:
        os.kill(child, signal.SIGKILL)
    found = load(tmp_path / "out")
    assert same(found, video) or same(found, other)
    assert len(seen) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_is_one_line_and_leaves_what_was_there(video, tmp_path, monkeypatch):
    video.save(tmp_path)

    def full(path, mode="r", *args, **options):
        return open("/dev/full" if "w" in mode else path, mode, *args, **options)  # noqa: PTH123

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StorageError, match="No space left on device") as caught:
        video.save(tmp_path)
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert same(load(tmp_path), video)
    assert sorted(path.name for path in tmp_path.iterdir()) == [REPORT, TOKENS]


def test_each_result_sweeps_its_folder(video, tmp_path):
    video.save(tmp_path)
    dead = tmp_path / f".{TOKENS}.1.2.part"
    dead.write_bytes(b"half")
    os.utime(dead, (0, 0))
    video.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [REPORT, TOKENS]


def test_a_picture_that_is_not_whole_is_written_again(tmp_path):
    frame = VideoCompressor().keyframes(CLIP, 1)[0]
    path = save_keyframe(frame, tmp_path)
    content = path.read_bytes()
    for damaged in (b"", content[:-9], bytes(len(content))):
        path.write_bytes(damaged)
        assert save_keyframe(frame, tmp_path).read_bytes() == content


def test_what_is_no_result_is_told(tmp_path, video):
    (tmp_path / "file").write_text("text")
    for place in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(StorageError, match=r"holds no file 'report\.json'"):
            load(place)
    os.mkfifo(tmp_path / REPORT)
    with pytest.raises(StorageError, match=r"holds no file 'report\.json'"):
        load(tmp_path)
    video.save(tmp_path / "out")
    (tmp_path / "out" / TOKENS).unlink()
    with pytest.raises(StorageError, match=r"holds no file 'tokens\.safetensors'"):
        load(tmp_path / "out")


REPORTS = {
    "grid of zero": {"grid": [0, 0]},
    "grid below zero": {"grid": [-7, -28]},
    "another grid": {"grid": [7, 28]},
    "a huge grid": {"grid": [10**9, 10**9], "tokens_in": 4 * 10**18},
    "huge counts": {"tokens_in": 10**30, "tokens_out": 10**30},
    "a huge plan": {"tokens_out": 10**12},
    "no tokens": {"tokens_in": 0, "tokens_out": 0},
    "another count of frames": {"frames_in": 3},
    "other frames": {"tokens_per_frame_kept": [1, 2, 3, 4, 5]},
    "text for a number": {"tokens_in": "many"},
    "not a number": {"fps": float("nan")},
    "unknown": {"left": 1},
    "keep": {"keep": -1},
    "frames out": {"frames_out": 77},
}


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "older"])
@pytest.mark.parametrize("changes", REPORTS.values(), ids=REPORTS.keys())
def test_a_report_that_does_not_fit_is_refused(video, tmp_path, changes, signed):
    video.save(tmp_path)
    path = tmp_path / REPORT
    report = {**json.loads(path.read_text()), **changes}
    if not signed:
        del report["tokens_sha256"]
    path.write_text(json.dumps(report))
    with pytest.raises(InvalidTokensError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def _segments(report, **changes):
    first, *rest = report["segments"]
    return {"segments": [{**first, **changes}, *rest]}


SEGMENTS = {
    "more tokens": lambda r: _segments(r, key_tokens=197),
    "fewer segments": lambda r: {"segments": r["segments"][1:]},
    "another order": lambda r: {"segments": r["segments"][::-1] * 3},
    "before the video": lambda r: _segments(r, start_seconds=-5.0),
    "behind the video": lambda r: _segments(r, end_seconds=1e9),
    "more frames": lambda r: _segments(r, frames=10**9),
    "a key frame elsewhere": lambda r: _segments(r, key_seconds=3.0),
    "no number": lambda r: _segments(r, frames="four"),
}


def test_segments_are_kept(segmented, tmp_path):
    segmented.save(tmp_path)
    found = load(tmp_path)
    assert found.report.segments == segmented.report.segments
    assert len(found.report.segments) >= 1


@pytest.mark.parametrize("change", SEGMENTS.values(), ids=SEGMENTS.keys())
def test_segments_that_do_not_fit_are_refused(segmented, tmp_path, change):
    segmented.save(tmp_path)
    path = tmp_path / REPORT
    report = json.loads(path.read_text())
    path.write_text(json.dumps({**report, **change(report)}))
    with pytest.raises(InvalidTokensError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"7", b"{}", b"[" * 100_000, b"\xff\xfe", b'{"uri": 5}', b"\0" * 99],
)
def test_a_report_of_any_shape_is_refused(video, tmp_path, content):
    video.save(tmp_path)
    (tmp_path / REPORT).write_bytes(content)
    with pytest.raises(InvalidTokensError, match="is not a report"):
        load(tmp_path)


def _first(value, number):
    value = value.clone()
    value.view(-1)[0] = number
    return value


TENSORS = {
    "missing tokens": {"tokens": None},
    "missing plan": {"plan.dst": None},
    "missing times": {"pts_seconds": None},
    "nan": {"tokens": lambda v: _first(v, float("nan"))},
    "infinite time": {"pts_seconds": lambda v: _first(v, float("inf"))},
    "far time": {"pts_seconds": lambda v: _first(v, 1e9)},
    "integers": {"tokens": lambda v: v.long()},
    "half times": {"pts_seconds": lambda v: v.half()},
    "flat": {"tokens": lambda v: v.flatten()},
    "empty": {"tokens": lambda v: v[:, :0]},
    "fewer": {"tokens": lambda v: v[1:]},
    "fewer positions": {"positions": lambda v: v[:, :2]},
    "negative positions": {"positions": lambda v: v - 100},
    "source below zero": {"plan.src": lambda v: _first(v, -1)},
    "source too high": {"plan.src": lambda v: _first(v, 10**9)},
    "huge source": {"plan.src": lambda v: _first(v, 2**63 - 1)},
    "row below zero": {"plan.dst": lambda v: _first(v, -5)},
    "row too high": {"plan.dst": lambda v: _first(v, 2**62)},
    "weight": {"plan.weight": lambda v: _first(v, -1.0)},
    "weights of nothing": {"plan.weight": lambda v: v * 0},
    "fewer entries": {"plan.weight": lambda v: v[1:]},
    "frames backwards": {"frame_seconds": lambda v: v.flip(0)},
    "layers": {"layers": lambda v: torch.ones(3, 2, 5), "from": "tokens"},
    "scalar": {"frame_seconds": lambda v: v[0]},
}


@pytest.mark.parametrize("changes", TENSORS.values(), ids=TENSORS.keys())
def test_tensors_that_do_not_fit_are_refused(video, tmp_path, changes):
    video.save(tmp_path)
    (tmp_path / REPORT).write_text(video.report.model_dump_json())
    tensors = load_file(tmp_path / TOKENS)
    source = changes.get("from")
    for name, change in changes.items():
        if name == "from":
            continue
        if change is None:
            del tensors[name]
        else:
            tensors[name] = change(tensors[source or name]).contiguous()
    save_file(tensors, tmp_path / TOKENS)
    with pytest.raises(InvalidTokensError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [{"counts": None}, {"more": torch.ones(2)}, {"counts": torch.tensor([9**9])}, {"embeds": None}],
)
def test_image_embeddings_of_a_stranger_are_refused(tmp_path, changes):
    path = tmp_path / "embeds.safetensors"
    right = {"embeds": torch.ones(4, 2), "counts": torch.tensor([4]), "pts_seconds": torch.zeros(1)}
    ImageEmbeds(**right).save(path)
    tensors = {k: v for k, v in {**load_file(path), **changes}.items() if v is not None}
    save_file(tensors, path)
    for given in (path, str(path)):
        with pytest.raises(ModelError, match=r"'embeds.safetensors' does not hold image embed"):
            ImageEmbeds.load(given)
    path.write_bytes(b"\xff" * 99)
    with pytest.raises(ModelError, match="does not hold image embed"):
        ImageEmbeds.load(path)
    for missing in (tmp_path, tmp_path / "none"):
        with pytest.raises(StorageError):
            ImageEmbeds.load(missing)


def test_damaged_bytes_are_refused_or_read_as_they_are(video, tmp_path):
    video.save(tmp_path)
    (tmp_path / REPORT).write_text(video.report.model_dump_json())
    content = (tmp_path / TOKENS).read_bytes()
    chance = random.Random(0)
    header = int.from_bytes(content[:8], "little")
    for _ in range(150):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(8 + header)] = chance.randrange(256)
        cut = chance.choice([len(damaged), chance.randrange(len(damaged))])
        (tmp_path / TOKENS).write_bytes(damaged[:cut])
        try:
            load(tmp_path)
        except FramesiftError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_header_that_lies_costs_no_memory(video, tmp_path):
    video.save(tmp_path)
    (tmp_path / REPORT).write_text(video.report.model_dump_json())
    shape = {"dtype": "F32", "shape": [2**40, 2**20], "data_offsets": [0, 8]}
    header = json.dumps({"tokens": shape}).encode()
    for claimed in (len(header), 2**62, 2**64 - 1):
        content = claimed.to_bytes(8, "little") + header + bytes(8)
        (tmp_path / TOKENS).write_bytes(content)
        with pytest.raises(InvalidTokensError):
            load(tmp_path)
