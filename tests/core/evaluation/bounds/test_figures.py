import json

import pytest

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.log import WHOLE, Answered, AnswerLog, AnswerRun
from framesift.evaluation.bounds import figures, plot, results
from framesift.evaluation.bounds.ways import FRAMES

RUN = AnswerRun(settings={}, versions={}, machine="any", commit="unknown")
KINDS = ("order", "color")


def answers(name, rights, *, keep=0.25, tokens=16, before=64, spec=None):
    """Returns two answers each about videos 0, 1, ...: `rights` are of one video after another."""
    return [
        Answered(
            video=f"v{place // 2}",
            question=str(place % 2),
            kind=KINDS[place % 2],
            strategy=name,
            spec=spec,
            keep=keep,
            tokens=tokens,
            tokens_before=before,
            expected="1",
            said="1",
            right=bool(right),
        )
        for place, right in enumerate(rights)
    ]


def row_of(rows, **facts):
    (found,) = (row for row in rows if all(row[name] == facts[name] for name in facts))
    return found


def test_a_row_has_the_real_tokens_beside_what_the_bound_allows():
    found = figures.collected(
        answers("pooled", [1, 1, 1, 0], keep=24.0, tokens=20)
        + answers("pooled", [1, 0], keep=24.0, tokens=16, before=16)[:0]
    )
    (row,) = (row for row in figures.rows(found, ["overall"]))
    assert (row["way"], row["bound"], row["share"], row["answers"], row["videos"]) == (
        "pooled",
        24.0,
        0.75,
        4,
        2,
    )
    assert (row["tokens"], row["most_tokens"], row["compression"]) == (20, 20, 3.2)
    assert (row["allowed_tokens"], row["bound_videos"]) == (24, 2)


def test_a_video_that_fits_is_not_counted_as_held_back():
    short = [
        answer.model_copy(update={"video": "short", "tokens": 16, "tokens_before": 16})
        for answer in answers("pooled", [1, 1], keep=24.0)
    ]
    found = figures.collected(answers("pooled", [1, 1], keep=24.0) + short)
    (row,) = figures.rows(found, ["overall"])
    assert (row["videos"], row["bound_videos"], row["allowed_tokens"]) == (2, 1, 20)


def test_groups_are_widest_first_and_hold_their_kinds():
    own = answers("pooled", [1, 0, 1, 0])
    names = figures.known_groups(own)
    assert names[0] == "overall"
    assert set(names) == {
        "overall",
        "several frames",
        "single frame",
        figures.MOVING,
        "order",
        "color",
    }
    rows = figures.rows(figures.collected(own), names)
    shares = {row["group"]: row["share"] for row in rows}
    assert shares[figures.MOVING] == shares["order"] == shares["several frames"] == 1
    assert shares["single frame"] == shares["color"] == 0
    assert shares["overall"] == 0.5


def test_runs_are_averaged_and_their_spread_stands_beside():
    found = figures.collected(
        answers("trained#1", [1, 1, 1, 1])
        + answers("trained#2", [1, 1, 1, 0])
        + answers(FRAMES, [1, 0, 0, 0])
    )
    row = row_of(figures.rows(found, ["overall"]), way="trained")
    assert (row["share"], row["runs"], row["spread"]) == (0.875, [1.0, 0.75], 0.25)
    gain = row_of(figures.gains(found, ["overall"], [FRAMES]), way="trained")
    assert (gain["against"], gain["gain"], gain["pairs"]) == (FRAMES, 0.625, 4)
    assert (gain["runs"], gain["spread"]) == ([0.75, 0.5], 0.25)
    assert gain["interval"][0] <= gain["gain"] <= gain["interval"][1]


def test_a_gain_is_of_the_questions_that_both_answered_under_one_bound():
    found = figures.collected(
        answers("pooled", [1, 1, 1, 1])
        + answers(FRAMES, [0, 0])
        + answers(FRAMES, [1, 1, 1, 1], keep=0.5)
    )
    (gain,) = figures.gains(found, ["overall"], [FRAMES])
    assert (gain["bound"], gain["gain"], gain["pairs"]) == (0.25, 1.0, 2)


def curve(name, *shares):
    """Returns answers to 20 questions at twice the compression each, by the share that is right."""
    own = []
    for step, share in enumerate(shares, start=1):
        rights = [place < 20 * share for place in range(20)]
        own += answers(name, rights, keep=2.0**-step, tokens=64 // 2**step)
    return own


def test_a_cliff_is_where_a_tenth_of_what_all_tokens_bring_is_lost():
    log = AnswerLog(
        run=RUN,
        answers=answers(WHOLE, [1] * 20, keep=1.0, tokens=64)
        + curve("steep", 1.0, 0.8, 0.5)
        + curve("flat", 1.0, 1.0, 0.95),
    )
    found = results.results(log)
    steep = row_of(found["cliffs"], way="steep", group="overall")
    assert steep["until"] == pytest.approx(2 * 2**0.5, abs=0.01)
    assert steep["interval"][0] <= steep["until"] <= steep["interval"][1]
    flat = row_of(found["cliffs"], way="flat", group="overall")
    assert (flat["until"], flat["measured_to"]) == (None, 8.0)


def test_a_way_that_falls_off_at_once_is_placed_between_all_tokens_and_the_first_point():
    log = AnswerLog(
        run=RUN, answers=answers(WHOLE, [1] * 20, keep=1.0, tokens=64) + curve("poor", 0.5)
    )
    row = row_of(results.results(log)["cliffs"], way="poor", group="overall")
    assert row["until"] == pytest.approx(2**0.2, abs=0.01)


def test_lines_tell_bound_tokens_gain_and_cliff():
    log = AnswerLog(
        run=RUN,
        answers=answers(WHOLE, [1] * 8, keep=1.0, tokens=64)
        + answers(FRAMES, [1, 0] * 4, keep=24.0)
        + answers("mine", [1, 1, 1, 1, 1, 1, 1, 0], keep=24.0, tokens=24, spec="random"),
    )
    found = results.results(log, ["mine"])
    assert json.loads(results.as_json(found)) == found
    assert found["specs"] == {"mine": "random"}
    told = "\n".join(results.result_lines(found))
    for words in (
        "at most 24 tokens\n",
        "mine - uniform frames  +37.5 (+12.5 to +50.0)*  +0.0 (+0.0 to +0.0)",
        "all tokens 100.0 % (64)",
        "overall: uniform frames holds 90% of what all tokens bring until 1.3x",
    ):
        assert words in told


def test_what_cannot_be_compared_is_refused():
    log = AnswerLog(run=RUN, answers=answers(WHOLE, [1], keep=1.0))
    with pytest.raises(InvalidOptionError, match="no answers under a bound"):
        results.results(log)
    log = AnswerLog(run=RUN, answers=answers("mine", [1]))
    with pytest.raises(InvalidOptionError, match=r"'other' .* name one of 'mine'"):
        results.results(log, ["other"])


def test_the_plot_has_a_panel_for_each_wide_group_and_equal_results_give_equal_bytes(
    tmp_path, monkeypatch
):
    matplotlib = pytest.importorskip("matplotlib.axes")
    titles = []
    titled = matplotlib.Axes.set_title
    monkeypatch.setattr(
        matplotlib.Axes,
        "set_title",
        lambda axis, text, **look: titles.append(text) or titled(axis, text, **look),
    )
    whole = answers(WHOLE, [1] * 20, keep=1.0, tokens=64)
    runs = curve("mine#1", 1.0, 0.7, 0.5) + curve("mine#2", 0.9, 0.8, 0.4)
    log = AnswerLog(run=RUN, answers=whole + curve(FRAMES, 1.0, 0.8) + runs)
    one, two = (
        plot.write_plot(tmp_path / f"{name}.png", results.results(log)).read_bytes()
        for name in ("one", "two")
    )
    assert one == two
    assert titles[:3] == [
        "overall (20 questions)",
        f"{figures.MOVING} (10 questions)",
        "single frame (10 questions)",
    ]


def test_one_bound_of_one_video_is_drawn_too(tmp_path):
    pytest.importorskip("matplotlib")
    log = AnswerLog(run=RUN, answers=answers("mine", [1, 0], keep=0.25))
    found = results.results(log)
    assert found["cliffs"] == []
    assert plot.write_plot(tmp_path / "plot.png", found).stat().st_size
    assert any("50.0 %" in line for line in results.result_lines(found))
