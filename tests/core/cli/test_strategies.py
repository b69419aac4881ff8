import json

from click.testing import CliRunner

from framesift.cli.commands import app


def test_the_listing_says_where_strategies_work_what_they_give_and_cost():
    runner = CliRunner()
    rows = json.loads(runner.invoke(app, ["strategies", "--json"]).output)["strategies"]
    facts = {row["name"]: row for row in rows}
    assert facts["fastv"]["applies_to"] == "inside the LLM"
    assert (facts["evs"]["output"], facts["tome"]["output"]) == ("kept", "merged")
    assert facts["protect-edges"]["output"] == "as within"
    assert facts["chain"]["output"] == "as its stages"
    assert facts["temporal"]["cost"] == "O(T N D)"
    lines = runner.invoke(app, ["strategies"]).output.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("evs "))
    assert lines[place + 1].strip() == "tokens before the LLM, kept, O(T N D)"


def test_help_states_the_ranges_of_options():
    text = " ".join(CliRunner().invoke(app, ["ask", "--help"]).output.split())
    assert "Fraction of the tokens kept: a number above 0 and at most 1. [default: 0.25]" in text
    assert "Longest answer: a whole number of at least 1." in text


def test_the_listing_says_what_each_option_allows_and_means():
    lines = [line.strip() for line in CliRunner().invoke(app, ["strategies"]).output.splitlines()]
    range_line = "a number from 0 to 1 (share of the budget reserved for the patches with the most"
    assert f"share=0.5  {range_line} edges)" in lines
    assert any(
        line.startswith("threshold=None  a number from -1 to 1, or None (") for line in lines
    )
