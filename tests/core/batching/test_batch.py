"""A batch on one machine: rows, files, what fails, and going on."""

import json
import os
import subprocess
import sys
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest

import framesift
from benchmarks.batch_kills import disturbed, made_library
from benchmarks.batch_poison import poison_package
from framesift.batching.store import row_name
from framesift.batching.work import done_of, work_on
from framesift.errors import InvalidOptionError, StorageError
from framesift.testing.videos import write_video

parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("pebble")
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    for number in range(4):
        write_video(folder / f"{number}.mp4", 50 + 25 * number)
    (folder / "damaged.mp4").write_bytes((folder / "0.mp4").read_bytes()[:2000])
    return folder


def here(work, items, store, workers):
    """An engine within this process, for what has nothing to do with processes."""
    for item in items:
        yield work_on(work, item, store)


def rows_of(out):
    return parquet.read_table(out / "data").to_pylist()


def contents(out):
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "batch.json"
    }


def test_each_video_is_a_row_whose_files_are_there(library, tmp_path):
    result = framesift.batch(library, tmp_path / "out", workers=2)
    assert (result.videos, result.done, result.failed, result.rows) == (5, 5, 1, 5)
    assert list(result.errors) == ["damaged.mp4"]
    rows = rows_of(tmp_path / "out")
    assert [row["id"] for row in rows] == ["0.mp4", "1.mp4", "2.mp4", "3.mp4", "damaged.mp4"]
    for row in rows[:4]:
        alone = framesift.VideoCompressor().compress(library / row["id"])
        assert (row["status"], row["tokens_in"]) == ("done", alone.report.tokens_in)
        assert (tmp_path / "out" / row["tokens"]).is_file()
    assert rows[4]["status"] == "failed"
    assert rows[4]["error"] == result.errors["damaged.mp4"]
    assert result.tokens_in == sum(row["tokens_in"] for row in rows[:4])


@pytest.mark.parametrize("task", ["keyframes", "segments", "ask"])
def test_tasks_give_what_the_calls_give(library, tmp_path, task):
    sift = framesift.VideoCompressor(vlm="tiny" if task == "ask" else None)
    out, given = tmp_path / "out", {"question": "What number flashes?", "count": 2}
    (tmp_path / "two.txt").write_text(f"{library / '1.mp4'}\n{library / '3.mp4'}\n")
    framesift.batch(tmp_path / "two.txt", out, task, compressor=sift, engine=here, **given)
    rows = [row for row in rows_of(out) if row["video"].endswith("3.mp4")]
    video = library / "3.mp4"
    if task == "keyframes":
        found = sift.keyframes(video, 2, max_side_px=768)
        (row,) = rows
        assert [frame["time_seconds"] for frame in row["keyframes"]] == [
            round(frame.pts_seconds, 6) for frame in found
        ]
        assert [(out / frame["picture"]).read_bytes() for frame in row["keyframes"]] == [
            frame.jpeg() for frame in found
        ]
    elif task == "segments":
        assert [(row["start_seconds"], row["end_seconds"]) for row in rows] == [
            (round(each.start_seconds, 6), round(each.end_seconds, 6))
            for each in sift.segments(video)
        ]
    else:
        assert [row["answer"] for row in rows] == [sift.ask(video, given["question"]).text]


def test_a_second_run_begins_the_rest_alone(library, tmp_path):
    out, done = tmp_path / "out", []
    first = framesift.batch(library, out, "keyframes", engine=here, limit=2)
    assert (first.done, first.left, first.rows) == (2, 3, 2)
    before = contents(out)
    second = framesift.batch(
        library, out, "keyframes", engine=here, on_done=lambda each, _: done.append(each.id)
    )
    assert (second.before, second.done) == (2, 3)
    assert sorted(done) == ["2.mp4", "3.mp4", "damaged.mp4"]
    after = contents(out)
    unchanged = [name for name in before if not name.startswith("data/")]
    assert all(after[name] == before[name] for name in unchanged)
    whole = framesift.batch(library, tmp_path / "other", "keyframes", engine=here)
    assert whole.rows == second.rows
    assert contents(tmp_path / "other") == after


def test_a_part_that_fails_in_its_own_way_is_a_row(library, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ValueError("no such thing")

    monkeypatch.setattr("framesift.batching.work.opened", broken)
    result = framesift.batch(library, tmp_path / "out", "keyframes", engine=here)
    assert (result.done, result.failed) == (5, 5)
    assert {row["error_kind"] for row in rows_of(tmp_path / "out")} == {"ValueError"}


def test_an_object_store_gets_the_same_files(library, tmp_path, monkeypatch):
    import pyarrow.fs

    # One that holds its files in this process; each URI would else open one of its own.
    system, root = pyarrow.fs.FileSystem.from_uri("mock:///bucket/out")
    one = SimpleNamespace(from_uri=lambda _: (system, root))
    monkeypatch.setattr("pyarrow.fs.FileSystem", one)
    first = framesift.batch(library, "mock:///bucket/out", "keyframes", engine=here, limit=2)
    second = framesift.batch(library, "mock:///bucket/out", "keyframes", engine=here)
    assert (first.done, second.before, second.done, second.rows) == (2, 2, 3, 5)
    framesift.batch(library, f"file://{tmp_path}/out", "keyframes", engine=here)
    for name, content in contents(tmp_path / "out").items():
        assert system.open_input_stream(f"{root}/{name}").read() == content


def test_failed_videos_are_begun_anew_when_asked(library, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    (clips / "a.mp4").write_bytes(b"nothing")
    out = tmp_path / "out"
    assert framesift.batch(clips, out, "keyframes", engine=here).failed == 1
    (clips / "a.mp4").write_bytes((library / "0.mp4").read_bytes())
    assert framesift.batch(clips, out, "keyframes", engine=here).done == 0
    again = framesift.batch(clips, out, "keyframes", engine=here, retry_failed=True)
    assert (again.done, again.failed) == (1, 0)
    assert [row["status"] for row in rows_of(out)] == ["done"]


def test_a_dry_run_writes_nothing(library, tmp_path):
    result = framesift.batch(library, tmp_path / "out", dry_run=True)
    assert (result.videos, result.left) == (5, 5)
    assert not (tmp_path / "out").exists()


def test_another_batch_is_refused_with_what_differs(library, tmp_path):
    framesift.batch(library, tmp_path / "out", "keyframes", engine=here, limit=1)
    for given, line in [
        ({"task": "compress"}, "task='keyframes', not 'compress'"),
        ({"task": "keyframes", "count": 3}, "count=8, not 3"),
        (
            {"task": "keyframes", "compressor": framesift.VideoCompressor(fps=2)},
            "fps=1.0, not 2.0",
        ),
    ]:
        with pytest.raises(InvalidOptionError) as caught:
            framesift.batch(library, tmp_path / "out", **given)
        assert line in str(caught.value)


def test_the_same_id_of_another_video_is_refused(library, tmp_path):
    path = tmp_path / "list.jsonl"
    for name in ("0.mp4", "1.mp4"):
        path.write_text(json.dumps({"video": str(library / name), "id": "one"}))
        if name == "0.mp4":
            framesift.batch(path, tmp_path / "out", "keyframes", engine=here)
    with pytest.raises(InvalidOptionError, match="has a result of 'one' by another video"):
        framesift.batch(path, tmp_path / "out", "keyframes", engine=here)


def test_wrong_options_of_a_row_are_refused_before_any_work(library, tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text(json.dumps({"video": str(library / "0.mp4"), "keep": 2}))
    with pytest.raises(InvalidOptionError, match=r"video '.*0.mp4': keep=2"):
        framesift.batch(path, tmp_path / "out")
    path.write_text(json.dumps({"video": str(library / "0.mp4")}))
    with pytest.raises(InvalidOptionError, match="has no question"):
        framesift.batch(
            path, tmp_path / "out", "ask", compressor=framesift.VideoCompressor(vlm="tiny")
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("task", ["ask", "label"])
def test_a_task_of_a_model_needs_one(library, tmp_path, task):
    with pytest.raises(InvalidOptionError, match=f"task '{task}' is done by a model; give one"):
        framesift.batch(library, tmp_path / "out", task, question="Who?")


def test_kinds_of_what_a_row_asks_are_named(library, tmp_path):
    path, sift = tmp_path / "list.jsonl", framesift.VideoCompressor(vlm="tiny")
    for own, line in [
        ({"question": 5}, "question=5 must be a text"),
        ({"question": "Who?", "choices": "yes"}, "choices='yes' must be a list of texts"),
        ({"question": "Who?", "answer": "Ann", "choices": ["Bo"]}, "is not one of its choices"),
        ({"question": "Who?"}, "has no answer, and judge='answer' and temporal='evidence' need"),
    ]:
        path.write_text(json.dumps({"video": str(library / "0.mp4"), "id": "a", **own}))
        with pytest.raises(InvalidOptionError) as caught:
            framesift.batch(path, tmp_path / "out", "label", compressor=sift)
        assert str(caught.value).startswith("video 'a': ")
        assert line in str(caught.value)


def test_labels_are_those_of_the_labeler(library, tmp_path):
    from framesift.training.frame_selector.label_file import FrameQuestion
    from framesift.training.frame_selector.labeling import labels_of
    from framesift.training.frame_selector.local_labels import LocalLabeler

    asked = [
        {"id": "one", "question": "Which number?", "answer": "7", "choices": ["7", "8"]},
        {"id": "two", "question": "Which colour?", "answer": "red"},
    ]
    video, path = str(library / "2.mp4"), tmp_path / "list.jsonl"
    path.write_text("\n".join(json.dumps({"video": video, "fps": 2, **row}) for row in asked))
    sift = framesift.VideoCompressor(vlm="tiny")
    result = framesift.batch(
        path, tmp_path / "out", "label", compressor=sift, engine=here, include_choices=True
    )
    assert (result.done, result.failed) == (2, 0)
    labeler = LocalLabeler(sift.answering_vlm, "answer", "evidence", include_choices=True)
    settings = {**labeler.settings, "normalize": "none"}
    for row, given in zip(rows_of(tmp_path / "out"), asked, strict=True):
        question = FrameQuestion(video=video, fps=2, **given)
        with labeler.open(video, 2) as rater:
            wanted = labels_of(rater, question, settings)
        for name in ("times_seconds", "spatial", "temporal", "labels", "judge", "model", "answer"):
            assert row[name] == getattr(wanted, name), name
        assert row["choices"] == given.get("choices")
        assert len(row["labels"]) == 8


def test_weights_that_were_loaded_to_check_options_leave_the_room_to_the_workers(library, tmp_path):
    sift = framesift.VideoCompressor(vlm="tiny:attention=eager")
    weights = weakref.ref(sift.answering_vlm.hf)
    there = []

    def looking(*given):
        there.append(weights() is not None)
        return here(*given)

    asked = {"compressor": sift, "question": "What is shown?", "limit": 1}
    framesift.batch(library, tmp_path / "out", "ask", engine=looking, **asked)
    assert there == [False]
    assert (
        sift.ask(library / "0.mp4", "What is shown?").text == rows_of(tmp_path / "out")[0]["answer"]
    )


def test_several_questions_about_one_video_want_ids(library, tmp_path):
    path, sift = tmp_path / "list.jsonl", framesift.VideoCompressor(vlm="tiny")
    rows = [{"video": str(library / "0.mp4"), "question": each} for each in ("Who?", "When?")]
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InvalidOptionError, match="give rows about one video ids of their own"):
        framesift.batch(path, tmp_path / "out", "ask", compressor=sift)
    path.write_text("\n".join(json.dumps({**row, "id": row["question"]}) for row in rows))
    framesift.batch(path, tmp_path / "out", "ask", compressor=sift, engine=here)
    assert [row["question"] for row in rows_of(tmp_path / "out")] == ["Who?", "When?"]


def test_a_full_disk_ends_the_run_and_the_next_goes_on(library, tmp_path):
    resource = pytest.importorskip("resource")
    out, before = tmp_path / "out", resource.getrlimit(resource.RLIMIT_FSIZE)
    framesift.batch(library, tmp_path / "whole", engine=here)
    whole = contents(tmp_path / "whole")
    sizes = sorted(len(content) for name, content in whole.items() if "safetensors" in name)
    assert sizes[0] < sizes[-1]
    # No file may be as long as the longest.
    resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[-1] - 1, before[1]))
    try:
        with pytest.raises(StorageError) as caught:
            framesift.batch(library, out, engine=here)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "what is finished stays, and the same run goes on" in str(caught.value)
    assert "\n" not in str(caught.value)
    left = contents(out)
    assert left.items() <= whole.items() or any(name.startswith("data/") for name in left)
    assert framesift.batch(library, out, engine=here).before > 0
    assert contents(out) == whole


def test_what_killed_writers_left_is_removed(library, tmp_path):
    out = tmp_path / "out"
    framesift.batch(library, out, "keyframes", engine=here, limit=1)
    left = next((out / "rows").glob("*")) / ".a.json.1.1.part"
    left.write_bytes(b"half")
    framesift.batch(library, out, "keyframes", engine=here)
    assert not left.exists()


def test_names_that_are_not_utf_8_are_rows(library, tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    name = os.fsdecode(b"caf\xe9.mp4")
    try:
        (clips / name).write_bytes((library / "0.mp4").read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    result = framesift.batch(clips, tmp_path / "out", "keyframes", engine=here)
    assert (result.done, result.failed) == (1, 0)
    assert rows_of(tmp_path / "out")[0]["status"] == "done"
    assert framesift.batch(clips, tmp_path / "out", "keyframes", engine=here).before == 1


def test_a_row_tells_how_it_ended(library, tmp_path):
    done = []
    framesift.batch(
        library, tmp_path / "out", engine=here, on_done=lambda each, _: done.append(each)
    )
    for each in done:
        saved = json.loads((tmp_path / "out" / row_name(each.id)).read_bytes())
        assert done_of(each.id, saved) == each
    assert sum(each.tokens_in for each in done) > 0


def test_two_runs_on_one_folder_exclude_each_other(library, tmp_path):
    from framesift.disk.writing import writing_to

    with writing_to(tmp_path / "out"), pytest.raises(StorageError, match="another process"):
        framesift.batch(library, tmp_path / "out")


@pytest.mark.slow
def test_poison_is_a_row_and_stops_nobody(tmp_path):
    package, clips = poison_package(tmp_path / "package"), tmp_path / "clips"
    clips.mkdir()
    for number, seconds in enumerate([2, 3, 2, 4, 6, 5, 2]):
        write_video(clips / f"{number}.mp4", 25 * seconds)
    command = [sys.executable, "-m", "framesift", "batch", str(clips)]
    options = ["--strategy", "poison", "--workers", "2", "--timeout", "20", "--max-memory", "3G"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package), *sys.path])},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 3, done.stderr
    rows = {row["id"]: row for row in rows_of(tmp_path / "out")}
    kinds = {name: row["error_kind"] for name, row in rows.items() if row["status"] == "failed"}
    assert kinds == {"1.mp4": "WorkerEnded", "3.mp4": "TimeLimitError", "5.mp4": "ModelError"}
    assert "memory" in rows["5.mp4"]["error"]
    assert "SIGABRT" in rows["1.mp4"]["error"]
    assert len(rows) == 7
    assert not lives(int((package / "child").read_text()))


def lives(process):
    """Whether a process is there, and not ended without anybody having asked for its code."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


@pytest.mark.slow
@needs_proc
def test_kills_at_any_moment_lose_and_repeat_nothing(tmp_path):
    library = made_library(tmp_path / "library", None, 24)
    told = disturbed(library, tmp_path, kills=6, options=("--workers", "2"))
    assert told["equal_to_the_byte"]


@pytest.mark.slow
@needs_proc
def test_a_bound_of_memory_below_what_a_worker_takes_is_refused(library, tmp_path):
    with pytest.raises(InvalidOptionError, match="--max-memory 64M is less than the"):
        framesift.batch(library, tmp_path / "out", workers=1, memory_bytes=2**26)


@pytest.mark.parametrize("name", ["data/a.mp4", "rows/notes.csv", "stretches/a/b.txt"])
def test_files_of_somebody_else_are_not_touched(library, tmp_path, name):
    theirs = tmp_path / "out" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes((library / "0.mp4").read_bytes())
    for dry_run in (True, False):
        with pytest.raises(InvalidOptionError, match="is not of a batch; give another folder"):
            framesift.batch(library, tmp_path / "out", engine=here, dry_run=dry_run)
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [theirs]


def test_only_parts_of_the_dataset_are_removed_from_its_folder(library, tmp_path):
    out = tmp_path / "out"
    framesift.batch(library, out, "keyframes", engine=here, limit=1)
    for name in ("part-00007.parquet", "part-7.parquet", "labels.csv"):
        (out / "data" / name).write_bytes(b"old")
    framesift.batch(library, out, "keyframes", engine=here, limit=1)
    left = sorted(path.name for path in (out / "data").iterdir())
    assert left == ["labels.csv", "part-00000.parquet", "part-7.parquet"]


def test_failed_videos_that_a_limit_leaves_out_keep_their_errors(library, tmp_path):
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (clips / name).write_bytes(b"nothing")
    framesift.batch(clips, out, engine=here)
    (clips / "a.mp4").write_bytes((library / "0.mp4").read_bytes())
    result = framesift.batch(clips, out, engine=here, retry_failed=True, limit=1)
    assert (result.done, result.left, result.rows) == (1, 2, 3)
    assert [row["status"] for row in rows_of(out)] == ["done", "failed", "failed"]


def test_a_run_begun_elsewhere_knows_its_videos(library, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.chdir(library.parent)
    assert framesift.batch(library.name, out, "keyframes", engine=here).done == 5
    monkeypatch.chdir(tmp_path)
    assert framesift.batch(library, out, "keyframes", engine=here).before == 5
    other = tmp_path / library.name
    other.mkdir()
    write_video(other / "0.mp4", 30)
    with pytest.raises(InvalidOptionError, match=r"has a result of '0\.mp4' by another"):
        framesift.batch(library.name, out, "keyframes", engine=here)


@pytest.mark.parametrize(
    "given",
    [
        {"limit": -1},
        {"timeout_seconds": -1},
        {"timeout_seconds": float("nan")},
        {"memory_bytes": "4G"},
        {"seconds_each": float("nan")},
        {"max_side_px": 0},
        {"include_choices": "no"},
    ],
)
def test_wrong_arguments_are_refused_before_any_work(library, tmp_path, given):
    (name,) = given
    with pytest.raises(InvalidOptionError, match=f"{name}=.* must be"):
        framesift.batch(library, tmp_path / "out", engine=here, **given)
    assert not (tmp_path / "out").exists()


def test_a_script_without_a_guard_works(library, tmp_path):
    script, out = tmp_path / "script.py", tmp_path / "out"
    script.write_text(
        "import framesift\n"
        f"result = framesift.batch({str(library / '0.mp4')!r}, {str(out)!r}, workers=1)\n"
        "print(result.done, result.failed)\n"
    )
    made = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (made.stdout, made.returncode) == ("1 0\n", 0), made.stderr
