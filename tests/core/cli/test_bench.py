"""`framesift bench answers | compare | curves`, on the embedded tiny model and few videos."""

import json
import sys

import pytest

from framesift import cli
from framesift.evaluation.answers.log import AnswerLog
from framesift.evaluation.selection import ways


@pytest.fixture
def run(monkeypatch, capsys):
    """Runs the command line in this process; returns exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["framesift", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return stopped.value.code or 0, captured.out, captured.err

    return call


FEW = ("--split", "validation", "-s", "uniform", "-s", "temporal", "-k", "0.25", "-k", "0.1")


@pytest.mark.slow
def test_answers_are_logged_continued_compared_and_drawn(run, tmp_path):
    log, more = tmp_path / "answers.jsonl", tmp_path / "more.jsonl"
    code, out, _ = run("answers", "-o", log, "--videos", "1", *FEW)
    assert code == 0
    assert "at keep 0.25, share of the whole's right answers" in out
    first = log.read_text()
    assert {a.strategy for a in AnswerLog.read(log).answers} >= {"uniform", "temporal", "blind"}

    code, _, _ = run("answers", "-o", log, "--videos", "2", *FEW)
    assert code == 0
    assert log.read_text().startswith(first)
    assert len({a.video for a in AnswerLog.read(log).answers}) == 2

    more.write_text(first)
    code, out, _ = run("compare", more, log, "--json")
    assert code == 0
    ways = [row for row in json.loads(out) if row["what"] == "way"]
    assert ways
    assert all(row["difference"]["value"] == 0 for row in ways if row.get("difference"))

    code, out, _ = run("curves", log, "-o", tmp_path / "curves")
    assert code == 0
    page = tmp_path / "curves" / "curves.html"
    assert str(page) in out
    assert "<svg" in page.read_text()


@pytest.mark.slow
def test_ways_are_compared_under_bounds_and_the_log_goes_on(run, tmp_path):
    log = tmp_path / "answers.jsonl"
    few = ("--split", "validation", "--videos", "2", "-s", "mine=slow-fast", "-s", "temporal")
    given = ("answers", "-o", log, *few, "--against", "mine")
    code, out, _ = run(*given, "--max-visual-tokens", "0.25")
    assert code == 0
    assert "at most 25 % of the tokens" in out
    first = log.read_text()
    answers = AnswerLog.read(log).answers
    assert {a.spec for a in answers if a.strategy == "mine"} == {"slow-fast"}
    assert all(a.tokens <= a.tokens_before // 4 for a in answers if a.keep == 0.25)
    assert all(a.tokens % 64 == 0 for a in answers if a.strategy == "uniform frames")

    code, out, _ = run(*given, "--max-visual-tokens", "0.25,100")
    assert code == 0
    assert "at most 100 tokens" in out
    assert log.read_text().startswith(first)
    found = json.loads((tmp_path / "answers.bounds.json").read_text())
    assert {row["bound"] for row in found["rows"]} == {None, 0.25, 100.0}
    assert {row["against"] for row in found["gains"]} == {"uniform frames", "mine"}
    assert (tmp_path / "answers.bounds.png").stat().st_size
    code, out, _ = run("curves", log, "-o", tmp_path / "curves")
    assert code == 0


@pytest.mark.slow
def test_a_log_of_another_split_is_refused(run, tmp_path):
    log = tmp_path / "answers.jsonl"
    assert run("answers", "-o", log, "--videos", "1", "-s", "uniform", "-k", "0.1")[0] == 0
    code, _, err = run("answers", "-o", log, "--videos", "1", *FEW)
    assert code != 0
    assert "split='validation' and not 'test'" in err


@pytest.mark.parametrize("given", [("scissor",), ("--only", "scissor"), ("--quick",)])
def test_what_is_measured_in_a_checkout_is_refused_in_one_line_that_says_how(run, given):
    code, _, err = run(*given)
    assert code == 2
    assert f"no {given[0]!r}" in err
    assert "`make bench` in a checkout" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("given", [(), ("--help",)])
def test_without_a_command_there_is_help(run, given):
    _, out, err = run(*given)
    assert err == ""
    assert all(f"\n  {name} " in out for name in ("answers", "compare", "curves"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--questions", "real"), "pass --clips FOLDER"),
        (("-s", "no-such"), "no-such"),
        (("-k", "2"), "keep"),
        (("--videos", "0"), "videos=0 must be from 1"),
        (("--questions", "glimpses", "--videos", "0"), "videos=0 must be from 1"),
        (("--vlm", "no-such"), "no-such"),
        (("--max-visual-tokens", "1.5"), "max_visual_tokens='1.5' must be a share"),
        (("--max-visual-tokens", "0.5", "-k", "0.5"), "exclude each other"),
        (("--against", "uniform"), "--max-visual-tokens N"),
        (("--max-visual-tokens", "64", "-s", "fastv"), "within the LLM"),
        (("--max-visual-tokens", "64", "-s", "random", "--against", "mine"), "'mine' is not among"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_log(run, tmp_path, given, told):
    log = tmp_path / "answers.jsonl"
    code, _, err = run("answers", "-o", log, *given)
    assert code != 0
    assert told in err
    assert len(err.strip().splitlines()) == 1
    assert not log.exists()


def test_a_clip_with_another_checksum_is_refused(run, tmp_path):
    (tmp_path / "clips").mkdir()
    for name in ("bottle-detection.mp4", "car-detection.mp4"):
        (tmp_path / "clips" / name).write_bytes(b"not the clip")
    log = tmp_path / "answers.jsonl"
    code, _, err = run("answers", "-o", log, "--questions", "real", "--clips", tmp_path / "clips")
    assert code != 0
    assert "sha256" in err or "is missing" in err
    assert not log.exists()


@pytest.mark.slow
def test_ways_to_choose_frames_are_measured_and_told(run, tmp_path, monkeypatch):
    monkeypatch.setattr(ways, "LENGTHS", (16,))
    monkeypatch.setattr(
        ways,
        "default_ways",
        lambda trained: [
            ways.SelectionWay(name=ways.TRAINED, selector=f"nms:scorer=[{trained}]", lengths=(16,)),
            ways.SelectionWay(name=ways.UNIFORM, selector="uniform", lengths=(16,)),
        ],
    )
    folder = tmp_path / "selection"
    arguments = ("selection", "-o", folder, "--videos", "1", "--trained", "novelty")
    code, out, _ = run(*arguments)
    assert code == 0
    assert "local questions" in out
    assert "not measured" in out
    for name in ("selection.json", "selection.png", "choices.jsonl"):
        assert (folder / name).stat().st_size
    code, told, _ = run(*arguments, "--json")
    assert code == 0
    assert {row["way"] for row in json.loads(told)["rows"]} == {ways.TRAINED, ways.UNIFORM}


def test_questions_for_a_selector_are_written(run, tmp_path):
    path = tmp_path / "questions.jsonl"
    code, out, _ = run("selection-questions", "-o", path, "--videos", "2")
    assert code == 0
    assert "framesift label" in out
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(line["video"].startswith("synthetic://brief") for line in lines)
    assert len({line["video"] for line in lines}) == 2


@pytest.mark.parametrize("reader", ["=tiny", "mine=", "a:b=tiny"])
def test_a_reader_without_a_name_or_a_model_is_refused_in_one_line(run, tmp_path, reader):
    code, _, told = run("selection", "-o", tmp_path / "out", "--reader", reader)
    assert code
    assert "NAME=VLM" in told
    assert not (tmp_path / "out").exists()
