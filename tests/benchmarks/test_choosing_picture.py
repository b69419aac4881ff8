"""The picture of the decision page shows the kept results."""

from pathlib import Path

from benchmarks.choosing import KEEPS, figure, panels

RESULTS = Path(__file__).parents[2] / "examples/results"


def test_each_panel_draws_the_measured_shares():
    drawn = figure(RESULTS)
    for axis, (title, shares) in zip(drawn.axes, panels(RESULTS).items(), strict=True):
        assert axis.get_title(loc="left").lower() == title.lower()
        (line,) = [line for line in axis.lines if line.get_marker() == "o"]
        rows = [keep for keep in KEEPS if ("temporal", keep) in shares]
        assert list(line.get_ydata()) == [100 * shares["temporal", keep][0] for keep in rows]
