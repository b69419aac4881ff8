import json
from itertools import islice, pairwise

import numpy as np
import pytest
from click.testing import CliRunner

from framesift.cli.commands import app
from framesift.errors import InvalidOptionError
from framesift.evaluation.reading.figures import gains, rows
from framesift.evaluation.reading.measure import ReadCount, recorded, whole_videos
from framesift.evaluation.reading.pages import KINDS, SIZE_PX, WORDS, Page
from framesift.evaluation.reading.painting import Painted
from framesift.evaluation.reading.plot import write_plot
from framesift.evaluation.reading.reading import ShownWords
from framesift.evaluation.reading.recognition import PlacedWord, WordReader, plain
from framesift.evaluation.reading.ways import SEEDS, reading_ways

BLANK = 127


class OneWordReader:
    """Stands for the OCR: each frame has the words that were given, crops are read by level."""

    def __init__(self, words):
        self.given, self.crops = words, 0

    def words(self, picture):
        return self.given[int(picture[0, 0, 0])]

    def read(self, crops):
        self.crops += len(crops)
        return [f"level{int(crop.max())}" for crop in crops]


def word(text, x0, before=""):
    return PlacedWord(text=text, before=before, box_px=(x0, 0, x0 + 4, 2))


def frames(count):
    """Returns frames of 2 x 8 pixels, each of them of one level: its number."""
    return (
        np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(8, 2).repeat(3, 3)
    )


def left(pictures, *, whole=(), parts=()):
    """Returns painted frames in which the cells of `whole` are the same and of `parts` are left."""
    same = np.zeros((len(pictures), 1, 4), bool)
    some = same.copy()
    for frame, cell in whole:
        same[frame, 0, cell] = some[frame, 0, cell] = True
    for frame, cell in parts:
        some[frame, 0, cell] = True
    return Painted(pictures=pictures, is_left=some, is_same=same)


def test_a_word_counts_once_however_long_it_stands():
    reader = OneWordReader({0: [word("level0", 0)], 1: [word("level0", 4), word("level1", 0, "a")]})
    words = ShownWords(reader, frames(2), (1, 4))
    assert len(words) == 2
    assert words.read(left(frames(2), whole=[(0, 0), (0, 1)])) == 1
    assert reader.crops == 0  # what did not change is read


def test_of_many_words_some_are_taken_that_lie_evenly():
    reader = OneWordReader({0: [word(f"level{n}", 0, str(n)) for n in range(9)]})
    words = ShownWords(reader, frames(1), (1, 4), most=3)
    assert len(words) == 3
    assert words.read(left(frames(1), parts=[(0, 0)])) == 1  # those of levels 0, 3 and 6
    assert len(ShownWords(OneWordReader({0: []}), frames(1), (1, 4))) == 0


def test_what_is_left_in_part_is_read_and_what_is_gone_is_not_looked_for():
    reader = OneWordReader({0: [word("level0", 0)], 1: [word("level7", 0)]})
    words = ShownWords(reader, frames(2), (1, 4))
    assert words.read(left(frames(2))) == 0
    assert reader.crops == 0
    assert words.read(left(frames(2), parts=[(0, 0), (1, 0)])) == 1
    assert reader.crops == 2  # two words, of which the second is not what is read


def test_a_word_is_read_in_the_frame_that_changed_it_least():
    reader = OneWordReader({n: [word("level3", 0)] for n in range(4)})
    words, now = ShownWords(reader, frames(4), (1, 4)), frames(4)
    now[2] = 30
    assert words.read(left(now, parts=[(2, 0), (3, 0)])) == 1
    assert words.read(left(now, parts=[(2, 0)])) == 0
    assert reader.crops == 2


@pytest.mark.parametrize(("text", "bare"), [("Why?", "why"), ("_a-1_", "a1"), ("…", "")])
def test_words_are_compared_by_letters_and_digits(text, bare):
    assert plain(text) == bare


def test_pages_are_of_every_kind_and_the_same_twice():
    assert [Page(number=number).kind for number in range(4)] == list(KINDS)
    first, again = (list(islice(Page(number=1).frames(), 3)) for _ in range(2))
    assert first[0].shape == (*SIZE_PX[::-1], 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert all((a != b).any() for a, b in pairwise(first))
    assert len(set(WORDS)) == len(WORDS)


def count(video, way, read, spec=None, keep=0.1, words=10):
    return ReadCount(
        video=video, group="pages", kind="chat", looking="", way=way, spec=spec or way, keep=keep,
        tokens=5, tokens_before=50, words=words, read=read,
    )  # fmt: skip


def test_shares_are_of_all_words_and_seeds_of_one_way_count_together():
    lines = [count("a", "uniform", 4), count("b", "uniform", 20, words=30)]
    lines += [count(v, "random", r, f"random:seed={s}") for s, v, r in [(0, "a", 2), (1, "a", 6)]]
    uniform, random = rows(lines)
    assert (uniform["share"], uniform["words"], uniform["videos"]) == (0.6, 40, 2)
    assert uniform["interval"] == [0.4, 0.6667]
    assert (random["share"], random["runs"], random["words"]) == (0.4, 2, 10)
    (more,) = gains(lines, "uniform")
    assert (more["way"], more["more"], more["interval"]) == ("random", 0.0, None)


def test_a_video_in_which_a_run_was_broken_off_does_not_count():
    lines = [count(v, w, 1) for v, w in [("a", "uniform"), ("a", "tome"), ("b", "tome")]]
    lines.append(count("b", "uniform", 1, keep=0.5))
    assert whole_videos(lines, {("uniform", 0.1), ("tome", 0.1)}) == lines[:2]
    assert whole_videos(lines, {("tome", 0.1)}) == lines[1:3]


def test_the_plot_is_a_picture_of_both_groups(tmp_path):
    lines = [
        count(v, w, r, keep=k)
        for v in "ab"
        for w in ("uniform", "tome")
        for r, k in [(3, 0.1), (5, 0.5)]
    ]
    lines += [line.model_copy(update={"group": "recordings"}) for line in lines]
    path = write_plot(tmp_path / "reading.png", rows(lines))
    assert path.read_bytes().startswith(b"\x89PNG")


def test_ways_are_all_that_the_signals_serve_and_random_has_seeds():
    ways, left_out = reading_ways({"edge_density"})
    specs = {way.name: way.specs for way in ways}
    assert {"uniform", "temporal", "protect-text", "protect-edges:strategy=uniform"} <= set(specs)
    assert len(specs["random"]) == SEEDS
    assert {"attention", "question", "fastv", "protect-text:strategy=attention"} <= set(left_out)
    assert "for each question" in reading_ways({"question_similarity"}, ["question"])[1]["question"]


def test_a_folder_without_videos_is_one_line(tmp_path):
    with pytest.raises(InvalidOptionError, match="no folder with videos"):
        list(recorded([tmp_path]))


@pytest.mark.slow
def test_the_command_measures_goes_on_and_tells_text_from_the_rest(tmp_path):
    pytest.importorskip("rapidocr")
    given = ["bench", "reading", "-o", str(tmp_path), "--pages", "1", "--frames", "3", "-k", "0.1"]
    ways = ["-s", "protect-text:share=1", "-s", "random"]
    run = CliRunner().invoke(app, [*given, *ways])
    assert run.exit_code == 0, run.output
    first = (tmp_path / "reading.jsonl").read_text()
    results = json.loads((tmp_path / "reading.json").read_text())
    shares = {row["way"]: row["share"] for row in results["rows"]}
    assert shares["protect-text:share=1"] > shares["random"] + 0.1
    more = CliRunner().invoke(app, [*given, *ways, "-s", "uniform", "--json"])
    assert more.exit_code == 0, more.output
    assert (tmp_path / "reading.jsonl").read_text().startswith(first)


@pytest.mark.slow
def test_words_of_a_page_are_found_where_they_stand():
    pytest.importorskip("rapidocr")
    reader, page = WordReader(), next(Page(number=2).frames())
    words = reader.words(page)
    assert len(words) > 30
    assert sum(word.text in WORDS for word in words) / len(words) > 0.95
    again = WordReader().read([word.crop(page) for word in words])
    same = [text == word.text for text, word in zip(again, words, strict=True)]
    assert sum(same) / len(same) > 0.95


@pytest.mark.slow
def test_pictures_without_words_have_none_and_nothing_is_written(capfd):
    pytest.importorskip("rapidocr")
    reader = WordReader()
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    for picture in (np.full((200, 300, 3), 127, np.uint8), noise):
        assert reader.words(picture) == []
    assert capfd.readouterr() == ("", "")
