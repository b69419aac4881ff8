"""A model behind an address: asked again where that may help, and a line of its own else."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from chat_server import chat_server, failed, said
from framesift.errors import EndpointError, InvalidOptionError, ModelError, ReplyError
from framesift.fetching import endpoint as module
from framesift.fetching.endpoint import Endpoint
from framesift.fetching.side_by_side import paused, side_by_side

REQUEST = {"model": "m", "messages": [{"role": "user", "content": "What?"}]}
KEY = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Lets waits pass at once, and keeps how long they would have been."""
    waited = []
    monkeypatch.setattr(module, "paused", waited.append)
    return waited


def words(reply):
    text = reply["choices"][0]["message"]["content"]
    if not text:
        raise ReplyError("the reply holds no text")
    return text


def in_turn(*answers):
    """Returns what answers each request with the next of some answers, the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def test_a_reply_is_read_and_counted():
    with chat_server(in_turn(said("A cat.", usage=(120, 30)))) as server:
        endpoint = Endpoint(server.url)
        assert endpoint.ask(REQUEST, words) == "A cat."
        assert server.asked == [REQUEST]
        assert server.headers[0][0] == "/v1/chat/completions"
        assert "Authorization" not in server.headers[0][1]
    assert (endpoint.spent.calls, endpoint.spent.cost(2.0, 10.0)) == (1, 0.00054)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(status, waits):
    with chat_server(in_turn(failed(status, "busy"), failed(status), said("yes"))) as server:
        assert Endpoint(server.url).ask(REQUEST, words) == "yes"
        assert len(server.asked) == 3
    assert len(waits) == 2


def test_the_server_says_how_long_to_wait(waits):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=40), usegmt=True)
    answers = (
        failed(429, Retry_After="7"),
        failed(429, Retry_After=later),
        failed(429, Retry_After="99999999"),
        failed(429, Retry_After="soon"),
        said("yes"),
    )
    with chat_server(in_turn(*answers)) as server:
        assert Endpoint(server.url).ask(REQUEST, words) == "yes"
    assert waits[0] == 7
    assert 37 < waits[1] <= 40
    assert waits[2] == module.MOST_WAIT_SECONDS
    assert waits[3] < 20


def test_tries_end_in_a_line_that_says_why():
    with chat_server(in_turn(failed(429, "slow down"))) as server:
        with pytest.raises(EndpointError, match=r"asked 3 times.*429 \('slow down'\)") as caught:
            Endpoint(server.url, attempts=3).ask(REQUEST, words)
        assert len(server.asked) == 3
    assert not isinstance(caught.value, ReplyError)
    assert isinstance(caught.value, ModelError)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        said(""),
        (200, {}, b"<html>Welcome</html>"),
        (200, {}, b""),
        (200, {}, b"[1, 2]"),
        (200, {}, b"[" * 100_000),
    ],
    ids=["no words", "a page", "nothing", "no object", "nested too deeply"],
)
def test_other_replies_than_asked_for_are_tried_again_and_have_an_error_of_their_own(answer):
    with chat_server(in_turn(answer)) as server:
        with pytest.raises(ReplyError, match="asked 2 times"):
            Endpoint(server.url, attempts=2).ask(REQUEST, words)
        assert len(server.asked) == 2
    with chat_server(in_turn(answer, said("yes"))) as server:
        assert Endpoint(server.url, attempts=2).ask(REQUEST, words) == "yes"


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_stays_wrong_is_not_tried_again(status):
    with chat_server(in_turn(failed(status, "no such model"))) as server:
        with pytest.raises(EndpointError, match=f"status {status} .'no such model'"):
            Endpoint(server.url).ask(REQUEST, words)
        assert len(server.asked) == 1


def test_a_server_that_hangs_is_given_up():
    over = threading.Event()

    def hang(request):
        over.wait(60)
        return said("late")

    with chat_server(hang) as server:
        start = time.monotonic()
        try:
            with pytest.raises(EndpointError, match=r"asked 2 times.*0\.2"):
                Endpoint(server.url, attempts=2, timeout_seconds=0.2).ask(REQUEST, words)
            assert time.monotonic() - start < 30
        finally:
            over.set()


def test_a_wait_without_end_is_no_more_than_sockets_take():
    with chat_server(in_turn(said("A cat."))) as server:
        assert Endpoint(server.url, timeout_seconds=1e30).ask(REQUEST, words) == "A cat."


def test_a_server_that_is_not_there_is_given_up():
    with chat_server(in_turn(said("yes"))) as server:
        url = server.url
    with pytest.raises(EndpointError, match="asked once"):
        Endpoint(url, attempts=1).ask(REQUEST, words)


def test_redirects_are_not_followed():
    with chat_server(in_turn(said("elsewhere"))) as other:
        moved = 307, {"Location": f"{other.url}/chat/completions"}, b""
        with chat_server(in_turn(moved)) as server, pytest.raises(EndpointError):
            Endpoint(server.url, attempts=1).ask(REQUEST, words)
        assert other.asked == []


def test_a_reply_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    with chat_server(in_turn(said("a" * 2000))) as server:
        with pytest.raises(EndpointError, match="more than the 1000 bytes"):
            Endpoint(server.url).ask(REQUEST, words)
        assert len(server.asked) == 1


def test_metadata_services_are_never_asked():
    with pytest.raises(EndpointError, match="never asked"):
        Endpoint("http://169.254.169.254/v1").ask(REQUEST, words)


@pytest.mark.parametrize(
    "url", ["", " ", None, "localhost:8000", "ftp://host/v1", "http://", "http://me:pw@host/v1"]
)
def test_what_is_no_address_is_refused_at_once(url):
    with pytest.raises(InvalidOptionError, match="is not an address") as caught:
        Endpoint(url)
    assert "pw" not in str(caught.value)


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(monkeypatch, caplog):
    monkeypatch.setenv("MY_KEY", f"{KEY}\n")
    caplog.set_level(logging.DEBUG)
    refusal = failed(401, f"Incorrect API key provided: {KEY}.")
    with chat_server(in_turn(failed(500, KEY), refusal)) as server:
        with pytest.raises(EndpointError) as caught:
            Endpoint(server.url, key_variable="MY_KEY").ask(REQUEST, words)
        assert [headers["Authorization"] for _, headers in server.headers] == [f"Bearer {KEY}"] * 2
    assert "key in MY_KEY" in str(caught.value)
    chained = caught.value
    while chained is not None:
        assert KEY not in str(chained)
        chained = chained.__cause__
    assert KEY not in caplog.text


def test_a_key_that_a_reply_holds_up_is_neither_read_nor_kept(monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    replies = Kept()
    with chat_server(in_turn(said(f"With {KEY} you asked."), said(f"{KEY}"))) as server:
        endpoint = Endpoint(server.url, key_variable="MY_KEY", replies=replies, attempts=1)
        assert endpoint.ask(REQUEST, words) == "With ... you asked."
        assert KEY not in str(replies)

        def none(reply):
            raise ReplyError(f"no list in {words(reply)!r}")

        with pytest.raises(ReplyError, match=r"no list in '\.\.\.'") as caught:
            endpoint.ask({**REQUEST, "model": "other"}, none)
    assert KEY not in str(caught.value)


def test_halves_of_letters_in_a_reply_become_marks_that_can_be_written():
    with chat_server(in_turn(said("A \ud800 cat."))) as server:
        assert Endpoint(server.url).ask(REQUEST, words) == "A ? cat."


def test_a_placeholder_for_a_key_leaves_words_as_they_are(monkeypatch):
    monkeypatch.setenv("MY_KEY", "x")
    with chat_server(in_turn(said("A box."))) as server:
        assert Endpoint(server.url, key_variable="MY_KEY").ask(REQUEST, words) == "A box."


def test_a_key_that_is_none_is_refused_without_showing_it(monkeypatch):
    monkeypatch.setenv("MY_KEY", f"{KEY}\nX-Other: 1")
    with pytest.raises(InvalidOptionError, match="MY_KEY") as caught:
        Endpoint("http://127.0.0.1/v1", key_variable="MY_KEY")
    assert KEY not in str(caught.value)


class Kept(dict):
    add = dict.__setitem__


def test_what_was_paid_for_is_not_asked_again():
    replies = Kept()
    with chat_server(in_turn(said("yes"))) as server:
        for _ in range(2):
            endpoint = Endpoint(server.url, replies=replies)
            assert endpoint.ask(REQUEST, words) == "yes"
        assert (len(server.asked), endpoint.spent.calls) == (1, 0)
        endpoint.ask({**REQUEST, "model": "other"}, words)
        assert len(server.asked) == 2
    assert list(replies.values()) == ["yes", "yes"]


def test_after_an_error_of_one_request_the_others_are_not_sent_again(monkeypatch):
    monkeypatch.setattr(module, "paused", paused)
    begun = threading.Barrier(2, timeout=10)

    def answer(request):
        begun.wait()
        return failed(400, "no") if request["model"] == "m" else failed(503, Retry_After="60")

    with chat_server(answer) as server:
        endpoint, requests = Endpoint(server.url), [REQUEST, {**REQUEST, "model": "other"}]
        with pytest.raises(EndpointError, match="status 400"):
            list(side_by_side(lambda one: endpoint.ask(one, words), requests, 2, "judge"))
        assert len(server.asked) == 2
        assert not any("worker" in thread.name for thread in threading.enumerate())


def test_a_query_stays_behind_the_path_and_its_secrets_out_of_messages():
    with chat_server(in_turn(failed(404))) as server:
        with pytest.raises(EndpointError) as caught:
            Endpoint(f"{server.url}/?version=1&key=abc").ask(REQUEST, words)
        assert server.headers[0][0] == "/v1/chat/completions?version=1&key=abc"
    assert "key=..." in str(caught.value)
