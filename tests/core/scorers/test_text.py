"""Subtitles against a question: by words in several languages, and by a model."""

# ruff: noqa: RUF001 - letters of several languages are the point

import pytest
import torch

from framesift.errors import InvalidOptionError, MissingSignalError, ModelError
from framesift.scorers import registry
from framesift.scorers.candidates import GivenCandidates
from framesift.scorers.text_search import text_matches
from framesift.testing import tiny_tower
from framesift.types.video import TimedText


def lines_of(*lines):
    return tuple(TimedText(start_seconds=a, end_seconds=b, text=text) for a, b, text in lines)


def candidates_of(*lines, count=20, step=1.0):
    times = torch.arange(count, dtype=torch.float64) * step
    return GivenCandidates(pts_seconds=times, given_texts=lines_of(*lines))


def scores_of(question, *lines, count=20, step=1.0, **options):
    scorer = registry.create("text", **options)
    return scorer.score(candidates_of(*lines, count=count, step=step), question)


SPEECH = [
    (0.0, 3.0, "Welcome back to the kitchen, today we bake bread."),
    (4.0, 6.0, "First of all, the oven has to be hot."),
    (8.0, 10.0, "Now pour the water into the flour."),
    (12.0, 14.0, "The dough rests for an hour in the bowl."),
    (16.0, 18.0, "And that is what the bread looks like."),
]


def test_the_frames_of_the_line_that_answers_come_first():
    values = scores_of("When does the dough rest?", *SPEECH).values
    assert values.argmax() == 12
    assert values[12] == values[13] > values[16] > values[17] == 0


def test_common_words_of_the_question_do_not_count():
    scores = scores_of("What is the dough for?", *SPEECH)
    assert scores.values[5] == scores.values[0] == 0
    assert scores.reasons[5] == "no word of the question is near it"
    assert scores.reasons[12] == "text near it has 'dough' of the question"


def test_a_question_of_common_words_alone_keeps_them():
    assert scores_of("What is that?", *SPEECH).values.argmax() == 16


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Where is the boxing glove?", "two red gloves hang there"),
        ("Wo sind die Handschuhe?", "der rote Boxhandschuh hängt dort"),
        ("où est le gant de boxe ?", "deux gants rouges"),
        ("¿Dónde está el guante rojo?", "los guantes cuelgan ahí"),
        ("где висит перчатка?", "две красные перчатки висят там"),
        ("kırmızı eldiven nerede?", "iki eldivenler orada asılı"),
        ("手套在哪里？", "天花板上挂着一只红色的拳击手套"),
        ("手袋はどこですか", "天井から赤い手袋がぶら下がっている"),
        ("장갑은 어디에 있나요?", "빨간 장갑이 천장에 매달려 있습니다"),
        ("ถุงมืออยู่ที่ไหน", "มีถุงมือสีแดงแขวนอยู่"),
        ("दस्ताने कहाँ हैं?", "वहाँ लाल दस्ताने लटके हैं"),
        ("أين القفاز الأحمر؟", "القفازات معلقة هناك"),
        ("cafe menu", "un CAFÉ s'il vous plaît"),
        ("ＧＬＯＶＥ", "a glove in wide letters"),
    ],
)
def test_words_are_found_in_many_languages(question, answer):
    others = [(0.0, 2.0, "zzz qqq"), (4.0, 6.0, "1 2 3"), (16.0, 18.0, "xxx yyy")]
    values = scores_of(question, *others, (10.0, 12.0, answer)).values
    assert values.argmax() in (10, 11)
    assert values[10] > 0
    assert values[0] == values[5] == values[17] == 0


def test_text_that_is_always_there_tells_no_frame_from_the_others():
    menu = (0.0, 20.0, "Does the flag in the picture appear in the film? Upload. Send. Help.")
    answer = (11.0, 15.0, "Yes, the flag is seen in the film.")
    values = scores_of("When does the flag appear?", menu, answer).values
    assert set(values.argsort(descending=True, stable=True)[:4].tolist()) == {11, 12, 13, 14}


def test_a_sentence_over_several_lines_counts_where_its_words_meet():
    far = [(0.0, 1.0, "the red car"), (15.0, 16.0, "the glove")]
    near = [(7.0, 8.0, "a red"), (8.0, 9.0, "boxing"), (9.0, 10.0, "glove")]
    assert scores_of("red glove", *far, *near).values.argmax() in (7, 8, 9)


def test_a_line_between_two_candidates_belongs_to_one():
    values = scores_of("glove", (14.0, 15.0, "glove"), count=4, step=10.0, reach_seconds=0).values
    assert values.tolist() == [0, values[1], 0, 0]
    assert values[1] > 0


def test_a_line_without_a_length_is_at_its_time():
    values = scores_of("glove", (7.0, 7.0, "glove"), reach_seconds=0).values
    assert (values > 0).nonzero().flatten().tolist() == [7]


def test_lines_outside_of_the_candidates_belong_to_none():
    times = torch.arange(100.0, 110.0, dtype=torch.float64)
    lines = lines_of((0.0, 2.0, "glove"), (300.0, 301.0, "glove"))
    found = registry.create("text").score(
        GivenCandidates(pts_seconds=times, given_texts=lines), "glove"
    )
    assert found.values.tolist() == [0] * 10


def test_reach_says_how_far_a_line_counts():
    near = scores_of("glove", (10.0, 11.0, "glove"), reach_seconds=2.0).values
    far = scores_of("glove", (10.0, 11.0, "glove"), reach_seconds=6.0).values
    assert (near > 0).nonzero().flatten().tolist() == [9, 10, 11]
    assert (far > 0).sum() == 11
    torch.testing.assert_close(near[9] / near[10], torch.tensor(0.5))


def test_one_candidate_has_every_line():
    found = scores_of("glove", (3.0, 4.0, "glove"), count=1)
    assert found.values[0] > 0


def test_some_places_have_the_scores_that_they_have_among_all():
    scorer, candidates = registry.create("text"), candidates_of(*SPEECH)
    whole = scorer.score(candidates, "dough")
    some = scorer.score(candidates, "dough", places=[3, 12, 15])
    assert torch.equal(some.values, whole.values[[3, 12, 15]])
    assert some.reasons == tuple(whole.reasons[place] for place in (3, 12, 15))


def test_nothing_of_the_question_in_any_line_is_zero_everywhere():
    scores = scores_of("helicopter", *SPEECH)
    assert scores.values.tolist() == [0] * 20


@pytest.mark.parametrize("question", ["?!", "🎈🎈"])
def test_a_question_without_a_word_finds_nothing(question):
    assert scores_of(question, *SPEECH).values.tolist() == [0] * 20


def test_lines_without_a_word_are_read_as_nothing():
    assert scores_of("glove", (0.0, 2.0, "♪♪♪")).values.tolist() == [0] * 20


@pytest.mark.parametrize("lines", [[], [(0.0, 1.0, "  ")]])
def test_a_video_without_subtitles_is_refused_in_one_line(lines):
    with pytest.raises(MissingSignalError, match="finds none; name another reader") as error:
        scores_of("glove", *lines)
    assert "\n" not in str(error.value)


def test_a_negative_reach_is_refused():
    with pytest.raises(InvalidOptionError, match="reach_seconds=-1"):
        registry.create("text", reach_seconds=-1.0)


def test_the_index_is_made_once_for_all_questions(monkeypatch):
    import bm25s

    scorer, candidates = registry.create("text"), candidates_of(*SPEECH, (19.0, 19.5, "once"))
    first = scorer.score(candidates, "dough").values
    monkeypatch.setattr(bm25s, "BM25", None)
    assert scorer.score(candidates, "oven").values.argmax() == 4
    assert torch.equal(scorer.score(candidates, "dough").values, first)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A text encoder with random weights whose words are whole words."""
    transformers = pytest.importorskip("transformers")
    import tokenizers

    folder = tmp_path_factory.mktemp("encoder")
    said = " ".join(text for _, _, text in SPEECH).lower().replace(",", " ").replace(".", " ")
    known = {word: place for place, word in enumerate(["[PAD]", "[UNK]", *sorted({*said.split()})])}
    reader = tokenizers.Tokenizer(tokenizers.models.WordLevel(known, unk_token="[UNK]"))
    reader.normalizer = tokenizers.normalizers.Lowercase()
    reader.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(known),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=24,
        initializer_range=0.3,
    )
    transformers.BertModel(config).save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=reader, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    return folder


@torch.no_grad()
def mean_states(folder, text):
    transformers = pytest.importorskip("transformers")
    model = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    ids = tokenizer(text, return_tensors="pt").input_ids
    return model(input_ids=ids).last_hidden_state[0].mean(0)


def test_a_model_compares_the_mean_states_of_lines_and_question(encoder):
    question = "the dough in the bowl"
    scores = scores_of(question, *SPEECH, model=str(encoder), device="cpu", reach_seconds=0)
    for start, end, text in SPEECH:
        near = torch.cosine_similarity(
            mean_states(encoder, text), mean_states(encoder, question), dim=0
        )
        rare = torch.log1p(torch.tensor(20 / (end - start))) / torch.log1p(torch.tensor(20.0))
        found = scores.values[int(start) + 1]
        torch.testing.assert_close(found, near.clamp_min(0) * rare, rtol=0, atol=1e-5)
    assert scores.values[11] == 0
    assert scores.reasons[11] == "text near it is 0.00 like the question"


def test_the_same_words_are_nearest_by_a_model(encoder):
    for start, _, text in SPEECH[1:]:
        scores = scores_of(text, *SPEECH, model=str(encoder), device="cpu")
        assert scores.values.argmax() == start


def test_a_search_by_a_model_finds_the_passage_and_nothing_where_nothing_is_like_it(encoder):
    lines = lines_of(*((10 * start, 10 * end, text) for start, end, text in SPEECH))
    for line in lines:
        best, *_ = text_matches(lines, line.text, 3, model=str(encoder), device="cpu")
        assert (best.start_seconds, best.end_seconds) == (line.start_seconds, line.end_seconds)
        assert best.reason == "the text is 1.00 like the query"
    assert text_matches(lines, "What is shown?", 3, model=str(encoder), device="cpu") == []


def test_lines_that_stand_again_are_near_the_frames_of_each_stretch():
    line = TimedText(
        start_seconds=2.0, end_seconds=4.0, text="glove", again_seconds=((10.0, 12.0),)
    )
    times = torch.arange(20, dtype=torch.float64)
    found = registry.create("text", reach_seconds=0).score(
        GivenCandidates(pts_seconds=times, given_texts=(line,)), "glove"
    )
    assert found.values.nonzero().flatten().tolist() == [2, 3, 10, 11]


def test_lines_are_embedded_once_for_all_questions(encoder, monkeypatch):
    transformers, texts = pytest.importorskip("transformers"), []
    forward = transformers.BertModel.forward

    def counted(self, *args, **options):
        texts.append(len(options["input_ids"]))
        return forward(self, *args, **options)

    candidates = candidates_of(*SPEECH, (19.0, 19.5, "bread"))
    scorer = registry.create("text", model=str(encoder), device="cpu")
    monkeypatch.setattr(transformers.BertModel, "forward", counted)
    for question in ("dough", "oven", "bread"):
        scorer.score(candidates, question)
    assert sorted(texts) == [1, 1, 1, 6]


def test_a_long_line_is_cut_to_what_the_model_reads(encoder):
    long = (0.0, 2.0, "bread " * 200)
    assert torch.isfinite(scores_of("bread", long, model=str(encoder), device="cpu").values).all()


def test_a_model_that_embeds_no_text_is_refused(tmp_path):
    tower = tiny_tower(tmp_path)
    with pytest.raises(ModelError, match="embeds no text; pass a text encoder") as error:
        scores_of("bread", *SPEECH, model=str(tower))
    assert "\n" not in str(error.value)


def test_a_model_that_is_nowhere_is_refused(monkeypatch):
    with pytest.raises(ModelError, match="no-such-folder") as error:
        scores_of("bread", *SPEECH, model="/tmp/no-such-folder-at-all")
    assert "\n" not in str(error.value)
