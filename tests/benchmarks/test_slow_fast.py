"""Slow-fast tokens of real size: what condensing adds, and how soon the first token comes."""

from dataclasses import replace

import pytest
import torch

from narrow_models import narrow

pytest.importorskip("transformers")

from benchmarks import plots
from benchmarks.effort import Effort
from benchmarks.process import Laps, Measured
from benchmarks.real_models import CLAPPER
from benchmarks.sections import slow_fast
from benchmarks.table import table_lines

NUMBERS = {"<image>": 3}
FRAMES_96_TOKENS = 75_264


def here(work, **options):
    laps = Laps()
    facts = work(laps, **options)
    return Measured(seconds=laps.seconds, start_bytes=1, peak_bytes=2, facts=facts)


@pytest.fixture(scope="module")
def section():
    """The section about narrow models of the same grids, measured in this process."""
    made = slow_fast.perceiver
    with pytest.MonkeyPatch.context() as patch:
        for name, real in CLAPPER.items():
            small = replace(real, config=lambda ids, real=real: narrow(real.config(ids)))
            patch.setitem(CLAPPER, name, small)
        patch.setattr(slow_fast, "perceiver", lambda depth: made(depth, width=32, head_dim=16))
        patch.setattr(slow_fast, "in_fresh_process", here)
        return slow_fast.measure(Effort(slow_fast_frames=8, cost_rounds=2), None)


def test_the_described_model_has_784_tokens_a_frame_and_a_tower_of_so400m():
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        config = CLAPPER["7b"].config(NUMBERS)
        model = AutoModelForImageTextToText.from_config(config)
    assert (config.vision_config.image_size // config.vision_config.patch_size) ** 2 == 784
    tower = sum(weight.numel() for weight in model.base_model.vision_tower.parameters())
    assert tower == pytest.approx(0.397e9, rel=0.02)
    assert sum(weight.numel() for weight in model.parameters()) == pytest.approx(8.03e9, rel=0.01)
    assert config.text_config.max_position_embeddings > FRAMES_96_TOKENS


def test_depths_are_set_against_encoding_the_same_frames(section):
    rows = [row for row in section["rows"] if row["stage"] == "condensing"]
    assert [row["name"] for row in rows] == [f"TimePerceiver of depth {n}" for n in (2, 6)]
    for row in rows:
        assert len(row["runs_seconds"]) == 2  # segments
        assert row["times_peer"] > 0
    assert len({row["peer_seconds"] for row in rows}) == 1


def test_ways_to_show_a_video_are_set_against_all_of_its_tokens(section):
    rows = {row["name"]: row for row in section["rows"] if row["stage"] == "prefill"}
    tokens = {name: row["visual_tokens"] for name, row in rows.items()}
    assert tokens == {
        "prefill, slow-fast": 490,
        "prefill, whole frames within the same bound": 490,
        "prefill, all tokens": 6272,
    }
    assert rows["prefill, all tokens"]["times_peer"] == 1
    for row in rows.values():
        assert len(row["runs_seconds"]) == 2
        assert row["first_token_seconds"] > row["seconds"] > 0
        text = row["prompt_tokens"] - row["visual_tokens"]
        assert 0 < text < 100


def test_it_says_whether_what_is_asked_is_met():
    rows = [{"times_peer": 0.03}, {"times_peer": 0.1}]
    reading = [{"name": "prefill, slow-fast", "times_peer": 0.08, "times_prompt": 0.079}]
    assert slow_fast.met(rows, reading) == {"condensing": True, "prefill": True}
    rows[0]["times_peer"] = 0.031
    reading[0]["times_prompt"] = 0.05
    assert slow_fast.met(rows, reading) == {"condensing": False, "prefill": False}


def test_it_has_a_line_per_row_and_a_panel(section, tmp_path):
    machine = {"cpu": "a", "cores": 2}
    results = {"sections": {"slow_fast": section}, "machine": machine, "made": "today"}
    text = "\n".join(table_lines(results))
    assert text.count("\n  ") == len(section["rows"]) + 1
    plots.write_figure(tmp_path / "a.png", results)
    assert (tmp_path / "a.png").is_file()


@pytest.mark.parametrize(("frames", "tokens"), [(4, 245), (32, 1960), (96, 5880)])
def test_the_bound_is_that_of_whole_segments(frames, tokens):
    assert slow_fast.bound(frames) == tokens


def test_a_device_that_lacks_memory_reads_half_as_many_tokens(monkeypatch):
    from framesift.errors import ModelError

    def short_of_memory(vlm, sift, seen):
        if sift.max_tokens > 30_000:
            raise ModelError("no memory")
        return {"visual_tokens": sift.max_tokens}

    monkeypatch.setattr(slow_fast, "_first_token", short_of_memory)
    from framesift.vlms.load import load_vlm

    given, tokens = slow_fast._most_that_fits(load_vlm("tiny"), None, FRAMES_96_TOKENS)
    assert given["visual_tokens"] == tokens == FRAMES_96_TOKENS // 4


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_first_token_of_96_frames_comes_sooner_in_proportion_to_their_tokens(tmp_path):
    slow_fast.write_run(Laps(), name="7b", folder=str(tmp_path))
    given = slow_fast.first_token_run(
        Laps(), folder=str(tmp_path), frames=96, device="cuda", dtype="bfloat16", rounds=2
    )
    rows = {row["name"]: row for row in slow_fast.prefill_rows(given["runs"])}
    whole, short = rows["prefill, all tokens"], rows["prefill, slow-fast"]
    print(
        "\n".join(
            table_lines({"sections": {"slow_fast": {"question": "", "rows": [*rows.values()]}}})
        )
    )
    assert given["frames"] == 96
    assert short["visual_tokens"] == 5880
    assert whole["visual_tokens"] <= FRAMES_96_TOKENS
    assert short["times_peer"] <= slow_fast.NOT_VISUAL * short["times_prompt"]


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_condensing_adds_at_most_three_per_cent_on_a_gpu():
    seconds = slow_fast.segments_run(Laps(), segments=24, device="cuda", dtype="float16")
    rows = list(slow_fast.encoding_rows(seconds))
    print([(row["name"], row["times_peer"]) for row in rows])
    assert rows[0]["times_peer"] <= slow_fast.MOST_ADDED
