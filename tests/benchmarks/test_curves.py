"""Figures of sections beside those of a log of answers."""

import json

import pytest
from click.testing import CliRunner

from answers_made_by_hand import answered, log
from benchmarks import curves

pytest.importorskip("matplotlib")
SECTIONS = {
    "evidence": {
        "question": "share of evidence",
        "rows": [
            {"video": kind, "name": f"{name} {amount}", "share": share, "interval": [0.1, 0.9]}
            for kind, name, amount, share in (
                ("tokens", "temporal", "0.10", 0.4),
                ("tokens", "temporal", "0.50", 0.8),
                ("tokens", "random", "0.10", 0.2),
                ("keyframes", "oracle", "4", 0.9),
                ("keyframes", "uniform", "4", 0.5),
                ("keyframes", "uniform", "8", 0.7),
            )
        ],
    },
    "catalogue": {
        "question": "planning",
        "encoding": {"frames": 4, "seconds": 2.0},
        "growth": {
            "temporal": {
                "rows": [{"frames": 32, "seconds": 0.01}, {"frames": 64, "seconds": 0.02}],
                "powers": [1.0],
            }
        },
    },
}


NAMES = ["evidence", "keyframes", "growth"]


@pytest.fixture(scope="module")
def answers():
    places = [("video", "a", True), ("video", "b", False), ("other", "a", True)]
    return log(answered(*place, keep=keep) for place in places for keep in (0.1, 0.5))


def test_figures_of_sections_come_behind_those_of_answers_on_one_page(answers, tmp_path):
    written = curves.write(tmp_path, answers, SECTIONS)
    files = [f"curves-{name}.{kind}" for name in NAMES for kind in ("png", "svg")]
    assert [path.name for path in written][-8:] == [*files, "curves.html", "curves.json"]
    page = written[-2].read_text()
    assert [page.count(f'<figure id="curves-{name}">') for name in NAMES] == [1, 1, 1]
    assert page.count("<figcaption>") == page.count('<svg role="img"')
    assert "40.0 <small>10.0 to 90.0</small>" in page
    assert "Planning by temporal against frames" in page


def test_equal_sections_give_equal_bytes(answers, tmp_path):
    one, other = (curves.write(tmp_path / name, answers, SECTIONS) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_section_may_hold_keyframes_alone():
    rows = [row for row in SECTIONS["evidence"]["rows"] if row["video"] == "keyframes"]
    sections = {"evidence": {"question": "share of evidence", "rows": rows}}
    assert [picture.stem for picture in curves.pictures_of(sections)] == ["curves-keyframes"]


def test_the_command_reads_a_log_and_results(answers, tmp_path):
    path = tmp_path / "answers.jsonl"
    answers.opened(path, answers.run).add(path, answers.answers)
    results = tmp_path / "benchmark.json"
    results.write_text(json.dumps({"sections": SECTIONS}))
    given = [str(path), "--results", str(results), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(curves.main, given)
    assert done.exit_code == 0, done.output
    assert "curves-evidence.svg" in done.output
