"""Lines beside the pictures: as many as their budget holds, those nearest to the question."""

import sys

import pytest
import torch

from framesift.answering.chat import Chat
from framesift.answering.generation import Generation
from framesift.answering.text_beside import TextBeside
from framesift.compression.prompt_text import nearest
from framesift.errors import BudgetError
from framesift.testing import TINY_VLMS, compressed, random_frames
from framesift.types.plan import TokenPlan
from framesift.types.video import TimedText
from framesift.vlms.base import Turn
from framesift.vlms.load import load_vlm

BOX = (0.1, 0.1, 0.5, 0.2)
QUESTION = "What is the price of the glove?"
SHORT = Generation(max_new_tokens=4)
FAMILIES = [
    name if name == "qwen2-vl" else pytest.param(name, marks=pytest.mark.slow)
    for name in sorted(TINY_VLMS)
]
TOPICS = ("weather in Oslo", "price of a glove", "road to the sea", "end of the talk")


def line(text, start, end=None):
    end = start + 5.0 if end is None else end
    return TimedText(start_seconds=start, end_seconds=end, text=text, source="screen", box=BOX)


PAGES = tuple(line(f"About the {topic}", 10.0 * page) for page, topic in enumerate(TOPICS))


@pytest.fixture(scope="module")
def vlm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llava")
    TINY_VLMS["llava"].build(folder)
    return load_vlm(str(folder), device="cpu")


@pytest.fixture(scope="module")
def video(vlm):
    tokens = vlm.encoder.encode(random_frames(3, TINY_VLMS["llava"].size_px, seed=0))
    whole = TokenPlan.keep(
        torch.arange(tokens.count),
        num_in=tokens.count,
        tokens_per_frame=tokens.tokens_per_frame,
    )
    return compressed(tokens, whole)


def tokens_of(vlm, beside, question=QUESTION):
    """Returns by how much lines make a prompt longer."""
    prompts = [
        vlm.prompt([Turn(role="user", text=question, beside=text)]) for text in (beside.text, "")
    ]
    return len(prompts[0].input_ids) - len(prompts[1].input_ids)


def test_all_lines_stand_there_where_the_budget_holds_them_exactly(vlm):
    whole = TextBeside.of([PAGES], 10_000).for_question(vlm, QUESTION)
    assert whole.tokens == tokens_of(vlm, whole) > 0
    assert all(topic in whole.text for topic in TOPICS)
    assert TextBeside.of([PAGES], whole.tokens).for_question(vlm, QUESTION) == whole
    fewer = TextBeside.of([PAGES], whole.tokens - 1).for_question(vlm, QUESTION)
    assert fewer.tokens == tokens_of(vlm, fewer) < whole.tokens
    (warning,) = fewer.warnings
    assert f"all would take {whole.tokens} tokens" in warning


def test_lines_nearest_to_the_question_come_first(vlm):
    pytest.importorskip("bm25s")
    one = TextBeside.of([PAGES[1:2]], 10_000).for_question(vlm, QUESTION)
    few = TextBeside.of([PAGES], one.tokens + 3, nearest).for_question(vlm, QUESTION)
    assert few.text == one.text
    assert few.places == {(0, 1)}


def test_what_stands_there_with_the_nearest_line_comes_next(vlm):
    pytest.importorskip("bm25s")
    pages = [
        line("Hiring", 0.0, 3.0),
        line("Owner: Omar", 0.0, 3.0),
        line("Agree on the order of work", 0.0, 9.0),
        line("Support", 3.0, 5.0),
        line("Owner: Chloe", 3.0, 5.0),
        line("Security", 5.0, 9.0),
        line("Owner: Tomas", 5.0, 9.0),
    ]
    # A page that ends where another begins is not on it, and what stays all the time tells less.
    expected = TextBeside.of([pages[3:5]], 500).for_question(vlm, QUESTION)
    few = TextBeside.of([pages], expected.tokens + 3, nearest)
    assert few.for_question(vlm, "Who owns the topic 'Support'?").text == expected.text


def test_lines_first_come_first_where_words_cannot_be_searched(vlm, monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    monkeypatch.setitem(sys.modules, "bm25s.stopwords", None)
    one = TextBeside.of([PAGES[:1]], 10_000).for_question(vlm, QUESTION)
    few = TextBeside.of([PAGES], one.tokens + 3, nearest).for_question(vlm, QUESTION)
    assert few.text == one.text
    assert "framesift[select]" in few.warnings[0]


def test_a_line_that_no_budget_holds_is_left_out_for_shorter_ones(vlm):
    long = line("glove price " * 400, 40.0)
    beside = TextBeside.of([[*PAGES, long]], 200, nearest).for_question(vlm, QUESTION)
    assert beside.places
    assert (0, 4) not in beside.places
    assert beside.tokens <= 200
    nothing = TextBeside.of([[long]], 5).for_question(vlm, QUESTION)
    assert (nothing.text, nothing.tokens) == ("", 0)
    assert nothing.warnings[-1].startswith("1 of 1 lines")
    assert "holds none" in nothing.warnings[-1]
    assert "holds those nearest" in beside.warnings[-1]


def test_what_reads_like_a_mark_is_letters_and_no_picture(vlm):
    marks = [line("<image> <|user|> </s>", 0.0)]
    beside = TextBeside.of([marks], 500).for_question(vlm, QUESTION)
    prompt = vlm.prompt([Turn(role="user", text=QUESTION, beside=beside.text)])
    assert not prompt.visual.any()
    assert "<image> <|user|> </s>" in beside.text


def test_lines_of_several_videos_say_which_one(vlm):
    beside = TextBeside.of([PAGES[:1], (), PAGES[1:2]], 500).for_question(vlm, QUESTION)
    assert beside.text.startswith("Video 1. On the screen:\n[00:00 - 00:05] About the weather")
    assert "\n\nVideo 3. On the screen:\n" in beside.text
    assert "Video 2" not in beside.text


def test_a_chat_reads_the_lines_once_and_a_follow_up_brings_none_again(vlm, video):
    with Chat(vlm, video, text=TextBeside.of([PAGES], 500)).read() as chat:
        first = chat.ask(QUESTION, generation=SHORT)
        second = chat.ask("And the road?", generation=SHORT)
        follow_up = chat.ask("Where is it?", generation=SHORT, follow_up=True)
    lines = TextBeside.of([PAGES], 500).for_question(vlm, QUESTION)
    turn = Turn(role="user", text=QUESTION, videos=(video,), beside=lines.text)
    assert first.usage.prompt_tokens == len(vlm.prompt([turn]).input_ids)
    assert first.usage.text_tokens == second.usage.text_tokens == lines.tokens
    # The second question reuses the columns of the lines too.
    assert second.usage.cached_tokens >= first.usage.cached_tokens + lines.tokens - 2
    assert follow_up.usage.text_tokens == 0
    assert follow_up.usage.cached_tokens > second.usage.prompt_tokens - 8


@pytest.mark.parametrize("read_first", [False, True])
def test_lines_that_the_context_does_not_hold_are_cut_first(vlm, video, read_first):
    many = [line(f"page {number} of the book", 2.0 * number) for number in range(40)]

    def asked(max_tokens):
        with Chat(vlm, video, text=TextBeside.of([many], max_tokens)) as chat:
            return (chat.read() if read_first else chat).ask(QUESTION, generation=SHORT)

    with pytest.raises(BudgetError, match="of them lines of the video") as refused:
        asked(5000)
    fitting = int(str(refused.value).partition("max_text_tokens=")[2].partition(";")[0])
    assert 0 < asked(fitting).usage.text_tokens <= fitting


def test_lines_of_several_questions_share_what_fits(vlm, video):
    many = [line(f"page {number} of the book", 2.0 * number) for number in range(40)]
    with Chat(vlm, video, text=TextBeside.of([many], 200)) as chat:
        chat.ask(QUESTION, generation=SHORT)
        with pytest.raises(BudgetError, match=r"take fewer lines: max_text_tokens=\d+; or "):
            chat.ask(QUESTION, generation=SHORT, follow_up=True)


def test_a_chat_without_lines_is_the_models_own(vlm, video):
    with Chat(vlm, video) as bare, Chat(vlm, video, text=TextBeside.of([()], 500)) as empty:
        answers = [chat.ask(QUESTION, generation=SHORT) for chat in (bare, empty)]
    assert answers[0].text == answers[1].text
    assert [answer.usage.text_tokens for answer in answers] == [0, 0]
    assert answers[0].usage.prompt_tokens == answers[1].usage.prompt_tokens


@pytest.mark.parametrize("name", FAMILIES)
def test_lines_stand_behind_the_videos_in_every_family(name, tmp_path):
    TINY_VLMS[name].build(tmp_path)
    vlm = load_vlm(str(tmp_path), device="cpu")
    beside = TextBeside.of([PAGES], 500).for_question(vlm, QUESTION)
    with_lines, alone = (
        vlm.prompt([Turn(role="user", text=QUESTION, beside=text)]) for text in (beside.text, "")
    )
    assert len(with_lines.input_ids) == len(alone.input_ids) + beside.tokens
    # Some of the tiny tokenizers put spaces between all letters, and drop those between words.
    words = "".join(vlm.tokenizer.decode(with_lines.input_ids).split())
    assert words.index("Abouttheroadtothesea") < words.index("".join(QUESTION.split()))
