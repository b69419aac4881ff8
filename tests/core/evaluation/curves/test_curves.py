"""Figures and the page about a log of answers, on logs whose every number is known."""

import re
from html.parser import HTMLParser
from itertools import combinations, pairwise

import pytest
from PIL import Image

from framesift.errors import InvalidOptionError
from framesift.evaluation.answers.log import BLIND, ONE_FRAME, WHOLE, Answered, AnswerLog, AnswerRun
from framesift.evaluation.curves.axes import LOOK, spread
from framesift.evaluation.curves.figures import Timed, answers_figure, front, front_figure
from framesift.evaluation.curves.lines import Point
from framesift.evaluation.curves.numbers import Numbers
from framesift.evaluation.curves.page import caveats, write_curves
from framesift.evaluation.curves.plots import table_lines

matplotlib = pytest.importorskip("matplotlib")
pytest.importorskip("matplotlib.figure")

TOKENS = 400
HOSTILE = "<script>alert(1)</script> $x_1$"


def answers(strategy, keep, right, *, videos=4, used=None, seconds=None):
    """Returns two answers about each video, of two kinds, of which the first `right` are right."""
    share = keep if used is None else used
    return [
        Answered(
            video=f"video {number // 2}",
            question=str(number % 2),
            kind=("color", "number")[number % 2],
            strategy=strategy,
            keep=keep,
            tokens=round(TOKENS * share),
            tokens_before=TOKENS,
            expected="red",
            said="red" if number < right else "",
            right=number < right,
            first_token_seconds=seconds,
        )
        for number in range(2 * videos)
    ]


def log_of(*parts):
    run = AnswerRun(
        settings={"questions": "synthetic", "vlm": "tiny"},
        versions={"python": "3.11.7"},
        machine="two cores",
        commit="abc1234",
    )
    return AnswerLog(run=run, answers=[answer for part in parts for answer in part])


@pytest.fixture(scope="module")
def log():
    return log_of(
        answers(WHOLE, 1.0, 8, seconds=2.0),
        answers(ONE_FRAME, 1.0, 3, used=0.125, seconds=0.5),
        answers(BLIND, 0.0, 1),
        answers("commonest answer", 0.0, 2),
        answers("temporal", 0.1, 6, seconds=1.0),
        answers("temporal", 0.5, 7, seconds=1.5),
        answers("uniform", 0.1, 4, seconds=0.9),
        answers("uniform", 0.5, 8, seconds=1.6),
        answers(HOSTILE, 0.1, 5, seconds=1.1),
    )


@pytest.fixture(scope="module")
def written(log, tmp_path_factory):
    return write_curves(tmp_path_factory.mktemp("curves"), log)


@pytest.fixture(scope="module")
def page(written):
    return next(path for path in written if path.suffix == ".html").read_text()


def texts_of(figure, axis):
    """Returns each text in or beside axes with the rectangle that it fills when it is drawn."""
    figure.canvas.draw()
    # An annotation's own rectangle would hold the line to what it names.
    extent = pytest.importorskip("matplotlib.text").Text.get_window_extent
    return [(text.get_text(), extent(text)) for text in axis.texts if text.get_text()]


def drawn(draw, *given, **options):
    agg = pytest.importorskip("matplotlib.backends.backend_agg")
    with matplotlib.rc_context(LOOK):
        figure = draw(*given, **options)
        agg.FigureCanvasAgg(figure)
        return figure, texts_of(figure, figure.axes[0])


def test_names_that_are_apart_stay_where_they_are():
    assert spread([0.1, 0.5, 0.9], gap=0.2) == pytest.approx([0.1, 0.5, 0.9])


@pytest.mark.parametrize("places", [[0.5] * 5, [0.0] * 5, [1.0] * 5, [0.2, 0.21, 0.21, 0.9, 0.99]])
def test_names_that_are_close_move_apart_and_stay_inside(places):
    moved = spread(places, gap=0.15)
    assert all(after - before >= 0.15 - 1e-9 for before, after in pairwise(moved))
    assert moved[0] >= -1e-9
    assert moved[-1] <= 1 + 1e-9


def test_names_move_as_little_as_possible():
    assert spread([0.5, 0.5], gap=0.2) == pytest.approx([0.4, 0.6])


def test_more_names_than_there_is_room_for_share_it():
    assert spread([0.5] * 5, gap=0.4) == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_no_names_have_no_places():
    assert spread([], gap=0.1) == []


def test_the_front_has_no_way_that_another_one_beats():
    def way(name, seconds, share):
        return Timed(name=name, keep=0.5, seconds=seconds, share=share)

    ways = [
        way("slow and best", 3, 0.9),
        way("beaten", 2, 0.5),
        way("fast", 1, 0.6),
        way("as fast and worse", 1, 0.4),
        way("slower and no better", 4, 0.9),
    ]
    assert [found.name for found in front(ways)] == ["fast", "slow and best"]


@pytest.mark.parametrize("shares", [[0.5] * 25, [0.03 * number for number in range(25)]])
def test_no_name_of_a_line_stands_on_another(shares):
    lines = {
        f"strategy-{number}": [
            Point(keep=1.0, share=0.9, interval=(0.8, 1.0)),
            Point(keep=0.05, share=share, interval=None),
        ]
        for number, share in enumerate(shares)
    }
    levels = {WHOLE: 0.9, ONE_FRAME: 0.22, "commonest answer": 0.21, BLIND: 0.2}
    figure, texts = drawn(answers_figure, lines, levels, best="strategy-3")
    assert {*lines} < {name for name, _ in texts}
    assert len(texts) >= len(lines) + len(levels)
    for (one, box), (other, other_box) in combinations(texts, 2):
        assert not box.overlaps(other_box), f"{one!r} stands on {other!r}"
    for name, box in texts:
        assert box.x1 <= figure.bbox.x1, f"{name!r} leaves the figure"


def test_a_long_list_of_ways_fits_beside_the_times():
    ways = [
        Timed(name=f"strategy-{n}", keep=0.25, seconds=1 + n / 30, share=n / 30) for n in range(30)
    ]
    figure, texts = drawn(front_figure, ways, whole=WHOLE, best=None)
    assert len([name for name, _ in texts if "strategy-" in name]) == 30
    for (one, box), (other, other_box) in combinations(texts, 2):
        assert not box.overlaps(other_box), f"{one!r} stands on {other!r}"
    for name, box in texts:
        assert box.x1 <= figure.bbox.x1, f"{name!r} leaves the figure"
        assert box.y0 >= 0, f"{name!r} leaves the figure"


def test_a_strategys_line_begins_at_all_tokens(log):
    line = Numbers(log).lines["temporal"]
    assert [(point.keep, point.share) for point in line] == [(1.0, 1.0), (0.5, 7 / 8), (0.1, 6 / 8)]


def test_a_line_is_drawn_over_the_tokens_that_were_used():
    numbers = Numbers(log_of(answers("pllava", 0.25, 4, used=0.2)))
    assert [point.keep for point in numbers.lines["pllava"]] == [0.2]


def test_what_has_no_budget_is_a_level(log):
    numbers = Numbers(log)
    levels = [share.strategy for share in numbers.levels]
    assert levels == [WHOLE, ONE_FRAME, "commonest answer", BLIND]
    assert set(numbers.ranked) == {"temporal", "uniform", HOSTILE}


def test_strategies_are_ranked_at_the_keep_nearest_to_a_quarter(log):
    numbers = Numbers(log)
    assert numbers.quarter == 0.1
    assert numbers.ranked == ["temporal", HOSTILE, "uniform"]


def test_the_crossing_is_drawn_where_it_was_computed(log):
    numbers = Numbers(log)
    assert numbers.crossing.at is not None
    levels = {share.strategy: share.share for share in numbers.levels}
    figure, _ = drawn(answers_figure, numbers.lines, levels, crossing=numbers.crossing)
    at = 100 * numbers.crossing.at
    upright = [line for line in figure.axes[0].lines if list(line.get_xdata()) == [at, at]]
    ring = [line for line in figure.axes[0].lines if list(line.get_xdata()) == [at]]
    assert len(upright) == len(ring) == 1


def test_every_figure_is_a_png_and_an_svg_beside_one_page_and_the_numbers(written):
    names = ["answers", "time", "kinds"]
    files = [f"curves-{name}.{kind}" for name in names for kind in ("png", "svg")]
    assert [path.name for path in written] == [*files, "curves.html", "curves.json"]
    for path in written:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert min(image.size) > 300


def test_figures_without_numbers_are_left_out(tmp_path):
    untimed = log_of(answers("uniform", 0.25, 4))
    names = [path.name for path in write_curves(tmp_path, untimed)]
    assert "curves-answers.svg" in names
    assert "curves-time.svg" not in names


def test_equal_logs_give_equal_bytes(log, written, tmp_path):
    again = write_curves(tmp_path, log)
    for one, other in zip(written, again, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_figures_say_nothing_about_when_they_were_drawn(written):
    for path in written:
        if path.suffix == ".svg":
            assert "dc:date" not in path.read_text()


class Page(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.labels = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("href", "src", "xlink:href") if name in given]
        if tag == "svg":
            self.labels.append((given.get("role"), given.get("aria-label")))


def test_the_page_needs_nothing_else(page):
    found = Page(page)
    assert not {"script", "link", "img", "iframe"} & {*found.tags}
    assert all(link.startswith("#") for link in found.links)
    assert {link[1:] for link in found.links} <= {*found.ids}
    assert "default-src 'none'" in page


def test_ids_of_the_page_are_unique(page):
    ids = Page(page).ids
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", page))
    assert used
    assert used <= {*ids}


def test_each_figure_is_described_in_words(page):
    labels = Page(page).labels
    assert len(labels) == 3
    assert all(role == "img" and words for role, words in labels)
    assert Page(page).tags.count("figcaption") == 3


def test_what_a_log_says_is_text_and_not_markup(page):
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_1$" in page


def test_the_page_has_the_numbers_with_their_intervals(log, page):
    rows = {(s.strategy, s.keep): s for s in Numbers(log).shortened}
    low, high = rows["temporal", 0.5].interval
    assert f"87.5 <small>{100 * low:.1f} to {100 * high:.1f}</small>" in page


def test_the_page_says_what_was_run_and_how_far_it_goes(page):
    for words in ("two cores", "abc1234", "3.11.7", "tiny model", "synthetic"):
        assert words in page
    assert "28 answers had no words" in page


def test_another_model_has_no_caveat_of_the_tiny_one(log):
    assert len(list(caveats(log.run))) == 2
    settings = {"questions": "mine.jsonl", "vlm": "llava"}
    assert not list(caveats(log.run.model_copy(update={"settings": settings})))


def test_a_single_video_is_drawn_without_intervals():
    single = log_of(*(answers(name, 0.25, 1, videos=1) for name in ("temporal", "random")))
    figure, _ = drawn(answers_figure, Numbers(single).lines, {})
    assert not figure.axes[0].collections
    assert table_lines(single)[1].split() == ["temporal", "50.0"]


def test_the_table_for_a_terminal_has_a_share_with_half_its_interval(log):
    lines = table_lines(log)
    assert lines[0].split() == ["10", "%", "50", "%"]
    share = next(s for s in Numbers(log).shortened if (s.strategy, s.keep) == ("temporal", 0.5))
    low, high = share.interval
    row = next(line for line in lines if line.startswith("temporal "))
    assert row.endswith(f"87.5 ±{50 * (high - low):4.1f}")
    assert next(line for line in lines if line.startswith(HOSTILE)).split()[-1] == "-"
    assert next(line for line in lines if line.startswith("blind ")).split()[1] == "12.5"


@pytest.mark.parametrize("parts", [[], [answers(WHOLE, 1.0, 4)]])
def test_a_log_without_strategies_is_refused_in_one_line(parts, tmp_path):
    with pytest.raises(InvalidOptionError, match=r"none of a strategy.*draw the log of") as error:
        write_curves(tmp_path, log_of(*parts))
    assert "\n" not in str(error.value)
    assert not [*tmp_path.iterdir()]
