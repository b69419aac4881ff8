"""The network for slow-fast tokens that comes with the package does what its card says."""

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from framesift import strategies
from framesift.evaluation.answers.answering import Way, answer_all
from framesift.evaluation.answers.log import AnswerLog, AnswerRun
from framesift.evaluation.answers.question_sets import synthetic
from framesift.nn.time_perceiver_files import read_filling_card
from framesift.vlms.tiny import Tiny

FOLDER = Path(strategies.__file__).parent / "time_perceiver_weights"
SAME_CELLS = "slow-fast:key_stride=2,time_stride=2,include_key=False"


@pytest.mark.slow
def test_its_tokens_say_more_than_means_and_than_whole_frames_in_videos_not_trained_on(tmp_path):
    specs = ("slow-fast:filling=tiny", SAME_CELLS, "uniform")
    chosen = [Way(name=spec, strategy=spec, keep=0.125) for spec in specs]
    run = AnswerRun(settings={}, versions={}, machine="", commit="")
    log = AnswerLog.opened(tmp_path / "answers.jsonl", run)
    list(answer_all(Tiny(), synthetic("validation", 12), chosen, log, tmp_path / "answers.jsonl"))
    right = {spec: [each.right for each in log.answers if each.strategy == spec] for spec in specs}
    trained, pooled, uniform = (sum(right[spec]) / len(right[spec]) for spec in specs)
    assert trained > 0.85
    assert trained > pooled + 0.03
    assert trained > uniform + 0.2


def test_it_is_small_in_half_precision_and_says_what_it_was_trained_for():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 4e6
    card = read_filling_card(str(FOLDER))
    assert card.trained_for.vlm == "tiny"
    assert card.trained_for.fingerprint == Tiny().weights
    assert card.trained_on == "synthetic://"


def test_its_files_name_no_place_of_a_machine():
    for path in FOLDER.glob("*.[jm][sd]*"):
        assert not re.search(r"/(home|work|root|tmp|Users)/", path.read_text()), path.name


def test_its_card_tells_the_figures_of_the_results():
    results = FOLDER.parents[3] / "examples" / "results" / "slow-fast.json"
    if not results.is_file():
        pytest.skip("not in a checkout")
    card = (FOLDER / "README.md").read_text()
    rows = json.loads(results.read_text())["rows"]
    told = [row for row in rows if row["way"] == "trained" and (row["bound"] or 1) <= 0.25]
    assert len(told) > 10
    for row in told:
        if row["group"] in ("overall", "single frame", "motion, change, order"):
            low, high = (round(100 * end) for end in row["interval"])
            assert f"{100 * row['share']:.1f} ({low} to {high})" in card
