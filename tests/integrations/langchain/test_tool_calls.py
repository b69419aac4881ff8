"""Tool calls in text become those of LangChain; what is none stays an answer."""

import json

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import AIMessageChunk

from langchain_framesift._tool_calls import call_text, chosen, parse

CALL = '{"tool_calls": [{"name": "add", "arguments": {"a": 1}}]}'
TOOLS = [{"function": {"name": name, "parameters": {}}} for name in ("add", "multiply")]


def test_one_object_is_a_call():
    said = parse(f"```json\n{CALL}\n```", must_call=False)
    (call,) = said.calls
    assert (call["name"], call["args"], said.text, said.invalid) == ("add", {"a": 1}, "", ())
    (again,) = parse(CALL, must_call=False).calls
    assert again["id"] != call["id"]


def test_what_a_call_is_spoken_as_is_parsed_back():
    calls = parse(CALL, must_call=False).calls
    assert json.loads(call_text(calls)) == json.loads(CALL)


@pytest.mark.parametrize("text", ["4", f"I say {CALL}"])
def test_other_text_is_an_answer_unless_a_call_is_due(text):
    said = parse(text, must_call=False)
    assert (said.text, said.calls, said.invalid) == (text, (), ())
    due = parse(text, must_call=True)
    assert due.calls == ()
    assert len(due.invalid) == 1
    assert due.invalid[0]["error"]


@pytest.mark.parametrize(
    ("text", "name", "error"),
    [
        (CALL[:-1], None, "this is not"),
        ('{"tool_calls": [{"arguments": {}}]}', None, '"name"'),
        ('{"tool_calls": [{"name": "add"}]}', "add", "JSON object"),
    ],
)
def test_a_broken_call_is_invalid_with_its_reason(text, name, error):
    said = parse(text, must_call=False)
    assert said.calls == ()
    (broken,) = said.invalid
    assert broken["name"] == name
    assert error in broken["error"]
    assert said.text == text


def test_a_stream_does_not_mend_a_broken_call():
    said = parse(CALL[:-1], must_call=False)
    last = AIMessageChunk(content="", tool_call_chunks=said.chunks(), chunk_position="last")
    whole = AIMessageChunk(content=said.text) + last
    assert whole.tool_calls == []
    assert len(whole.invalid_tool_calls) == 1


def test_good_calls_beside_a_broken_one_are_kept():
    text = '{"tool_calls": [{"name": "add", "arguments": {}}, {"name": 7}]}'
    said = parse(text, must_call=False)
    assert [call["name"] for call in said.calls] == ["add"]
    assert len(said.invalid) == 1


def test_a_choice_names_what_may_and_what_must_be_called():
    names = [tool["function"]["name"] for tool in TOOLS]

    def picked(choice):
        functions, must_call = chosen(TOOLS, choice)
        return [function["name"] for function in functions], must_call

    assert picked(None) == picked("auto") == (names, False)
    assert picked("any") == picked("required") == picked(True) == (names, True)
    assert picked("none") == ([], False)
    assert picked("add") == (["add"], True)
    assert picked({"type": "function", "function": {"name": "add"}}) == (["add"], True)
    with pytest.raises(ValueError, match="choose one of: add, multiply"):
        chosen(TOOLS, "divide")
