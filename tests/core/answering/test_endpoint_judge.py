"""A judge behind an address: its probabilities where it tells them, else its words."""

import pytest

from chat_server import chat_server, failed, said
from framesift.answering.endpoint_judge import EndpointJudge
from framesift.errors import EndpointError, ReplyError
from framesift.fetching.endpoint import Endpoint

PICTURE = b"\xff\xd8 a picture"


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr("framesift.fetching.endpoint.paused", lambda seconds: None)


def judge(server, **options):
    return EndpointJudge(Endpoint(server.url, attempts=3), "m", **options)


def sure(word=" True", **shares):
    tokens = [("It is.", {"It is.": 1.0}), ("\nEvaluation", {}), (":", {})]
    return said(
        f"It is.\nEvaluation:{word}",
        [*tokens, (word, {name.replace("_", " "): share for name, share in shares.items()})],
    )


def test_the_share_of_true_is_read_off_the_probabilities_at_the_last_word():
    with chat_server(lambda request: sure(_True=0.6, _False=0.2, Maybe=0.2)) as server:
        verdict = judge(server).truth(PICTURE, "Who?")
        assert verdict.is_probability
        assert verdict.value == pytest.approx(0.75)
        (asked,) = server.asked
    assert (asked["logprobs"], asked["temperature"]) == (True, 0)
    picture, text = asked["messages"][1]["content"]
    assert picture["image_url"]["url"].startswith("data:image/jpeg;base64,/9g")
    assert text["text"] == "Question: Who?"


def test_the_spelling_with_the_mass_counts():
    shares = {"_True": 0.1, "_False": 0.7, "True": 0.05, "False": 0.001}
    with chat_server(lambda request: sure(" False", **shares)) as server:
        assert judge(server).truth(PICTURE, "Who?").value == pytest.approx(0.125)


@pytest.mark.parametrize(("word", "value"), [("True", 1.0), ("False", 0.0)])
def test_without_probabilities_the_word_counts(word, value):
    with chat_server(lambda request: said(f"So.\nEvaluation: {word}")) as server:
        verdict = judge(server).truth(PICTURE, "Who?")
    assert (verdict.value, verdict.is_probability) == (value, False)


def test_a_missing_last_line_is_asked_for_once_more():
    def answer(request):
        last = request["messages"][-1]
        if last["role"] == "user" and isinstance(last["content"], str):
            assert request["messages"][-2]["content"] == "I cannot say."
            return sure(_True=0.3, _False=0.3)
        return said("I cannot say.")

    with chat_server(answer) as server:
        assert judge(server).truth(PICTURE, "Who?").value == pytest.approx(0.5)
        assert len(server.asked) == 2


def test_prose_alone_ends_in_an_error_of_its_own():
    with chat_server(lambda request: said("I cannot say.")) as server:
        with pytest.raises(ReplyError, match=r"asked 3 times.*no evaluation: 'I cannot say.'"):
            judge(server).truth(PICTURE, "Who?")
        assert len(server.asked) == 4


def test_settings_that_a_server_refuses_are_left_out_from_then_on():
    def answer(request):
        for name in ("logprobs", "temperature"):
            if name in request:
                return failed(400, f"Unsupported parameter: '{name}'")
        return said("Evaluation: True")

    with chat_server(answer) as server:
        one = judge(server)
        assert one.truth(PICTURE, "Who?").value == 1.0
        assert one.truth(PICTURE, "Where?").value == 1.0
        assert len(server.asked) == 4
    with chat_server(lambda request: failed(400, "no such model")) as server:
        with pytest.raises(EndpointError, match="no such model"):
            judge(server).truth(PICTURE, "Who?")
        assert len(server.asked) == 1


def test_the_answers_are_shown_only_where_they_are_given():
    with chat_server(lambda request: said("Evaluation: True")) as server:
        judge(server).truth(PICTURE, "Who?", ("Ada", "Bo"))
        text = server.asked[0]["messages"][1]["content"][1]["text"]
    assert text == "Question: Who?\nChoices: Ada | Bo"


def test_a_text_model_chooses_by_captions():
    with chat_server(lambda request: said("[2, 0, 9]")) as server:
        one = judge(server, text_model="small")
        assert one.choose(["a", "b", "c"], "Who?") == ([0, 2], 1)
        assert server.asked[0]["model"] == "small"
        assert one.called == "m + small"
        assert one.caption(PICTURE) == "[2, 0, 9]"
        assert server.asked[1]["model"] == "m"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("The second one.", "no JSON list"), ("[7, 8]", "none of the frames 0 to 2"), ("", "no text")],
)
def test_what_names_no_frame_is_tried_again_and_then_refused(text, reason):
    with chat_server(lambda request: said(text)) as server:
        with pytest.raises(ReplyError, match=reason):
            judge(server).choose(["a", "b", "c"], "Who?")
        assert len(server.asked) == 3


def test_an_empty_list_names_no_frame():
    with chat_server(lambda request: said("[]")) as server:
        assert judge(server).choose(["a", "b"], "Who?") == ([], 0)


def test_odd_probabilities_are_left_alone():
    odd = (
        [],
        [("Evaluation: True", {})],
        [("\nEvaluation: ", {}), ("Tr", {"Tr": 0.9, "F": 0.1}), ("ue", {})],
        [("Other words", {})],
    )
    values = []
    for tokens in odd:
        with chat_server(lambda request, tokens=tokens: said("Evaluation: True", tokens)) as server:
            values.append(judge(server).truth(PICTURE, "Who?"))
    assert [one.value for one in values] == [1.0, 1.0, pytest.approx(0.9), 1.0]
    assert [one.is_probability for one in values] == [False, False, True, False]
