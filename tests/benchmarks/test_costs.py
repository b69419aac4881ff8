"""What compression buys: every stage at every share, each set against the right peer."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from narrow_models import narrow

pytest.importorskip("transformers")

from benchmarks import answer_costs, plots
from benchmarks.answer_costs import QUESTIONS
from benchmarks.effort import Effort
from benchmarks.peak_memory import StagePeaks
from benchmarks.process import Laps, Measured
from benchmarks.real_models import WHOLE
from benchmarks.sections import costs
from benchmarks.table import table_lines
from framesift.answering.generation import Generation

NAME = "llava-onevision-0.5b"
KEEPS = (1.0, 0.25, 0.1)
TOKENS = {1.0: 393, 0.25: 99, 0.1: 40}
"""Of two frames of 196, and the newline that ends a video."""
ANSWER = Generation(max_new_tokens=4)
STAGES = ("compress", "prefill", "decode per token", "time to first token", "at once")


def here(work, **options):
    laps = Laps()
    facts = work(laps, **options)
    return Measured(seconds=laps.seconds, start_bytes=1, peak_bytes=2, facts=facts)


@pytest.fixture(scope="module")
def section():
    """The section about a narrow model, measured in this process."""
    real = WHOLE[NAME]
    small = replace(real, config=lambda ids: narrow(real.config(ids)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WHOLE, NAME, small)
        patch.setattr(torch.cuda, "is_available", lambda: False)
        patch.setattr(costs, "in_fresh_process", here)
        for module in (answer_costs, costs):
            patch.setattr(module, "ANSWER", ANSWER)
        return costs.measure(Effort(cost_rounds=2, cost_keeps=KEEPS, cost_seconds=2), None)


def rows_of(section, stage, peer):
    rows = [
        row for row in section["rows"] if row["stage"] == stage and row["peer"].startswith(peer)
    ]
    return {row["keep"]: row for row in rows}


@pytest.mark.slow
def test_every_share_shows_the_model_its_own_tokens_of_one_encoding(section):
    assert (section["frames"], section["visual_tokens"]) == (2, 392)
    assert {share["keep"]: share["visual_tokens"] for share in section["shares"]} == TOKENS
    whole, *fewer = section["shares"]
    text = whole["prompt_tokens"] - TOKENS[1.0]
    assert 0 < text < 100
    for share in (whole, *fewer):
        assert share["prompt_tokens"] - share["visual_tokens"] == text
        assert share["answer_tokens"] <= ANSWER.max_new_tokens
        assert 0 < share["second_read_tokens"] < text
        assert share["batch"][0] == len(QUESTIONS)
        assert share["batch"][1] >= share["prompt_tokens"] + share["answer_tokens"]
    assert whole["kv_cache_bytes"] > 2 * fewer[0]["kv_cache_bytes"]


@pytest.mark.parametrize("stage", STAGES[1:])
def test_the_whole_video_is_the_peer_of_every_share(section, stage):
    rows = rows_of(section, stage, "the same at keep 1")
    assert tuple(rows) == KEEPS
    assert rows[1.0]["times_peer"] == 1
    for row in rows.values():
        assert row["peer_seconds"] == rows[1.0]["seconds"]
        assert row["times_peer"] == pytest.approx(row["seconds"] / row["peer_seconds"], rel=0.01)
        assert len(row["runs_seconds"]) == 2


def test_decoding_and_encoding_count_in_the_time_to_the_first_token(section):
    (decode,) = rows_of(section, "decode", "time to first token at keep 1").values()
    (encode,) = rows_of(section, "encode", "time to first token at keep 1").values()
    first = rows_of(section, "time to first token", "the same")
    prefill, compress = (
        rows_of(section, "prefill", "the same"),
        rows_of(section, "compress", "encode"),
    )
    for keep in KEEPS:
        parts = zip(prefill[keep]["runs_seconds"], compress[keep]["runs_seconds"], strict=True)
        whole = [decode["seconds"] + encode["seconds"] + sum(part) for part in parts]
        assert first[keep]["runs_seconds"] == pytest.approx(whole, abs=1e-5)
        assert compress[keep]["peer_seconds"] == encode["seconds"]
    assert encode["peer_seconds"] == first[1.0]["seconds"]


def test_a_second_question_is_set_against_the_first_and_a_batch_against_its_rows(section):
    second = rows_of(section, "second question", "first question")
    first = rows_of(section, "time to first token", "the same")
    for keep, row in second.items():
        assert row["peer"] == f"first question at keep {keep:g}"
        assert row["peer_seconds"] > first[keep]["seconds"]
    assert tuple(rows_of(section, "at once", "one by one")) == KEEPS
    second_rows = {row["stage"]: row for row in second.values()}
    assert second_rows.keys() == {"second question"}


def test_it_says_whether_what_is_asked_is_met(section):
    prefill = rows_of(section, "prefill", "the same")[0.25]["times_peer"]
    second = [row["times_peer"] for row in rows_of(section, "second question", "").values()]
    assert section["met"] == {"prefill": prefill <= 1 / 3, "second question": max(second) <= 0.1}
    rows = [
        {"stage": "prefill", "keep": 0.25, "times_peer": 0.33},
        {"stage": "second question", "keep": 1.0, "times_peer": 0.02},
        {"stage": "second question", "keep": 0.1, "times_peer": 0.11},
    ]
    assert costs._met(rows) == {"prefill": True, "second question": False}


def test_memory_is_resident_memory_of_each_stage(section):
    rows = [row for row in section["rows"] if row["stage"] in ("decode", "encode", *STAGES)]
    held = [row for row in rows if row["stage"] != "time to first token"]
    assert all(row["peak_bytes"] > 1e7 for row in held)
    assert not any("peak_bytes" in row for row in rows if row not in held)


def test_the_faster_dtype_of_this_machine_is_taken(section):
    seconds = section["dtype_seconds"]
    assert seconds.keys() == {"float32", "bfloat16"}
    assert seconds[section["dtype"]] == min(seconds.values())
    assert f"random weights in {section['dtype']} on cpu" in section["question"]


def test_it_has_a_line_per_row_and_a_panel(section, tmp_path):
    results = {
        "sections": {"costs": section},
        "machine": {"cpu": "a", "cores": 2},
        "made": "today",
    }
    text = "\n".join(table_lines(results))
    assert text.count("\n  ") == len(section["rows"]) + 1
    assert "prefill, keep 0.25" in text
    assert "second question, keep 0.1" in text
    plots.write_figure(tmp_path / "a.png", results)
    assert (tmp_path / "a.png").is_file()


def test_a_stage_within_another_keeps_its_memory_to_itself(monkeypatch):
    # Resident memory as a test sets it: the system gives and takes pages whenever it likes.
    memory = SimpleNamespace(rss=100)
    process = SimpleNamespace(memory_info=lambda: memory)
    psutil = SimpleNamespace(Process=lambda: process)
    monkeypatch.setattr("benchmarks.peak_memory.require", lambda *_, **__: psutil)
    with StagePeaks("cpu") as peaks, peaks.stage("outer"), peaks.stage("inner"):
        memory.rss = 500
        deadline = time.monotonic() + 60
        while peaks.bytes["inner"] < memory.rss:
            assert time.monotonic() < deadline, "the watcher never saw what is held"
            time.sleep(0.005)
        memory.rss = 200
    assert peaks.bytes == {"outer": 200, "inner": 500}
