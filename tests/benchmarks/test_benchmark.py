import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from benchmarks import __main__ as benchmark
from benchmarks import plots, process, videos
from benchmarks import sections as sections_folder
from benchmarks.effort import FULL, QUICK, Effort
from benchmarks.process import Measured, MeasurementError, in_fresh_process
from benchmarks.sections import (
    attention,
    coverage,
    keyframes,
    memory,
    planning,
    sampling,
)
from framesift.decoders import registry as decoders
from framesift.evaluation import provenance


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(videos, "CACHE", tmp_path_factory.mktemp("videos"))
        yield videos.numbered_clip(seconds=2, gop=60)


@pytest.fixture(scope="module")
def sections(clip, tmp_path_factory):
    return {
        "sampling": sampling.results({"GOP 60": clip}, clip_seconds=2, rounds=1),
        "keyframes": keyframes.results({"clip": clip}, rounds=1),
        "planning": planning.results(clip, frames=[2], rounds=1, names=["uniform"]),
        "memory": memory.results(clip, clip, seconds=(2, 2), rounds=1, names=["sampling"]),
    }


def numbers_in(path):
    decoder = decoders.create("pyav")
    everything = range(decoder.index(path).info.frame_count)
    windows = decoder.decode(path, everything, size_px=(90, 120))
    return [number for window in windows for number in videos.read_numbers(window.data)]


def test_every_frame_of_the_test_video_shows_its_number(clip):
    assert numbers_in(clip) == list(range(60))


def test_a_repeated_video_starts_over_without_a_gap(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(videos, "CACHE", tmp_path)
    long = videos.repeated(clip, times=3)
    assert numbers_in(long) == 3 * list(range(60))
    times = decoders.create("pyav").index(long).pts_seconds
    assert np.diff(times) == pytest.approx(1 / 30, abs=1e-4)


@pytest.mark.slow
def test_sampling_sets_every_sampler_against_the_fastest_exact_peer(sections):
    section = sections["sampling"]
    rows = {row["name"]: row for row in section["rows"]}
    assert {"framesift pyav", "framesift opencv", "PyAV forward"} <= rows.keys()
    assert rows.keys() | section["skipped"].keys() >= {"decord", "torchcodec"}
    assert all(row["exact"] for row in rows.values())
    assert rows[rows["framesift pyav"]["peer"]]["speed_vs_peer"] == 1.0
    assert section["met"].keys() == {"framesift pyav", "framesift opencv"}


@pytest.mark.slow
def test_keyframes_are_full_size(sections):
    ours = sections["keyframes"]["rows"][0]
    assert (ours["pictures"], ours["size_px"]) == (2, [1280, 720])
    assert ("peer" in ours) != (keyframes.PEER in sections["keyframes"]["skipped"])


@pytest.mark.slow
def test_planning_reports_the_peer_and_the_share_of_decoding(sections):
    section = sections["planning"]
    assert section["failed"] == {}
    assert [(row["name"], row["frames"]) for row in section["rows"]] == [("uniform", 2)]
    assert 0 < section["shares_of_decode"][0]["share_of_decode"] < 1


@pytest.mark.slow
def test_memory_of_a_video_against_itself_does_not_grow(sections):
    (row,) = sections["memory"]["rows"]
    assert row["peak_growth"] == pytest.approx(1, abs=0.1)
    assert row["runs"][0]["start_bytes"] < row["peak_bytes"]


@pytest.fixture
def attended(monkeypatch):
    """The section about attention, of a small tower in this process."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    monkeypatch.setattr(
        attention,
        "SIZES",
        {
            "CLIP, CLS": ("CLIPVision", {**sizes, "image_size": 64, "patch_size": 16}),
            "SigLIP, received": ("SiglipVision", {**sizes, "image_size": 64, "patch_size": 16}),
        },
    )

    def here(work, **options):
        laps = process.Laps()
        facts = work(laps, **options)
        return Measured(seconds=laps.seconds, start_bytes=1, peak_bytes=3, facts=facts)

    pytest.importorskip("transformers")
    monkeypatch.setattr(attention, "in_fresh_process", here)
    return attention.measure(Effort(planning_rounds=2), None)


def test_attention_is_set_against_the_tower_alone(attended, tmp_path):
    names = ["time", "memory", "memory of eager attention"]
    assert [row["name"].partition(": ")[2] for row in attended["rows"]] == names * 2
    times = [row for row in attended["rows"] if "times_peer" in row]
    assert [row["tokens"] for row in times] == [17, 16]
    assert all(len(row["runs_seconds"]) == 2 and row["times_peer"] > 0 for row in times)
    assert all(row["peak_growth"] == 1 for row in attended["rows"] if row not in times)
    assert len(attended["met"]) == 4
    plots.write_figure(
        tmp_path / "a.png",
        {
            "sections": {"attention": attended},
            "machine": {"cpu": "a", "cores": 2},
            "made": "today",
        },
    )
    assert (tmp_path / "a.png").is_file()


def test_a_failing_peer_is_skipped_by_name_and_a_failure_of_ours_is_raised():
    def broken():
        return in_fresh_process(memory.sampling_run, video="absent.mp4")

    def sound():
        return Measured(seconds={}, start_bytes=1, peak_bytes=2, facts={})

    contestants = {"ours": sound, "peer": broken}
    runs, skipped = process.interleaved(contestants, rounds=2, peers=["peer"])
    assert (len(runs["ours"]), list(runs)) == (2, ["ours"])
    assert skipped == {"peer": "failed with framesift.errors.SourceError"}
    with pytest.raises(MeasurementError):
        process.interleaved(contestants, rounds=1, peers=[])


@pytest.mark.slow
def test_the_command_writes_json_figure_and_table(sections, tmp_path, monkeypatch):
    measured = {name: lambda *_, section=section: section for name, section in sections.items()}
    monkeypatch.setattr(benchmark, "SECTIONS", measured)
    done = CliRunner().invoke(benchmark.main, ["--out", str(tmp_path), "--quick"])
    assert done.exit_code == 0, done.output
    results = json.loads((tmp_path / "benchmark.json").read_text())
    assert results.keys() == {"made", "machine", "versions", "commit", "quick", "sections"}
    assert results["quick"] is True
    with Image.open(tmp_path / "benchmark.png") as figure:
        assert min(figure.size) > 800
    assert "framesift pyav" in done.output


@pytest.mark.slow
def test_a_partial_run_leaves_the_full_results_alone(sections, tmp_path, monkeypatch):
    monkeypatch.setitem(benchmark.SECTIONS, "memory", lambda *_: sections["memory"])
    CliRunner().invoke(benchmark.main, ["--out", str(tmp_path), "--only", "memory"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "benchmark-memory.json",
        "benchmark-memory.png",
    ]


@pytest.mark.parametrize(("changes", "again"), [("", []), (provenance.CHANGED, ["one"])])
def test_a_run_that_was_broken_off_goes_on_if_the_code_is_known_to_be_the_same(
    changes, again, tmp_path, monkeypatch
):
    monkeypatch.setattr(benchmark, "commit", lambda: f"abc{changes}")
    begun = []

    def section(name, breaks=()):
        def measure(effort, clips):
            begun.append(name)
            if len(begun) in breaks:
                raise KeyboardInterrupt
            return {"question": name, "rows": []}

        return measure

    parts = {name: section(name, breaks=(2,)) for name in ("one", "two")}
    unfinished = tmp_path / benchmark.UNFINISHED
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(parts, QUICK, None, unfinished=unfinished)
    assert unfinished.is_file()
    results = benchmark.run(parts, QUICK, None, unfinished=unfinished)
    assert begun == ["one", "two", *again, "two"]
    assert list(results["sections"]) == ["one", "two"]
    assert not unfinished.exists()


def test_sections_of_another_effort_are_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark, "commit", lambda: "abc")
    begun = []

    def broken(effort, clips):
        begun.append(effort)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return {"question": "?", "rows": []}

    parts = {"one": broken, "two": broken}
    unfinished = tmp_path / benchmark.UNFINISHED
    with pytest.raises(KeyboardInterrupt):
        benchmark.run(parts, QUICK, None, unfinished=unfinished)
    benchmark.run(parts, FULL, None, unfinished=unfinished)
    assert begun == [QUICK, QUICK, FULL, FULL]


def test_an_unknown_section_is_refused(tmp_path):
    done = CliRunner().invoke(benchmark.main, ["--out", str(tmp_path), "--only", "speed"])
    assert done.exit_code == 2
    assert "is not a section" in done.output


def test_every_section_has_a_panel():
    assert plots.PANELS.keys() == benchmark.SECTIONS.keys()


def test_every_file_of_a_section_is_measured():
    names = {path.stem for path in Path(sections_folder.__file__).parent.glob("[!_]*.py")}
    assert names == benchmark.SECTIONS.keys()


@pytest.mark.parametrize("name", ["sections.memory", "process"])
def test_a_process_whose_memory_is_measured_begins_small(name):
    module = f"benchmarks.{name}"
    large = "{'av', 'cv2', 'numpy', 'torch'}"
    code = f"import sys, {module}; print(sorted({large} & set(sys.modules)))"
    places = {"PYTHONPATH": os.pathsep.join(sys.path)}
    printed = subprocess.check_output([sys.executable, "-c", code], env=os.environ | places)
    assert printed.strip() == b"[]"


def test_coverage_counts_the_events_that_have_a_keyframe(monkeypatch):
    monkeypatch.setattr(coverage, "SCENES", {"number": 8})
    rows = coverage.measure(Effort(coverage_videos=1), None)["rows"]
    assert [row["name"] for row in rows] == ["keyframes", "uniform", "scene"]
    assert {row["events"] for row in rows} == {1}
    assert rows[0]["found"] == 1
    assert all(low <= row["share"] <= high for row in rows for low, high in [row["interval"]])


def test_the_wilson_interval_is_the_known_one():
    low, high = coverage.wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
