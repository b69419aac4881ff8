"""Tool calls in text are parsed strictly; what is none stays an answer."""

import json

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import AIMessageChunk

from langchain_framesift._tool_calls import chosen, instructions, may_be_call, parse, spoken

CALL = '{"tool_calls": [{"name": "add", "arguments": {"a": 1}}]}'
TOOLS = [{"function": {"name": name, "parameters": {}}} for name in ("add", "multiply")]


@pytest.mark.parametrize("text", [CALL, f" {CALL}\n", f"```json\n{CALL}\n```", f"```\n{CALL}```"])
def test_one_object_is_a_call(text):
    said = parse(text, must_call=False)
    (call,) = said.calls
    assert (call["name"], call["args"], said.text, said.invalid) == ("add", {"a": 1}, "", ())


def test_what_a_call_is_spoken_as_is_parsed_back():
    calls = parse(CALL, must_call=False).calls
    assert json.loads(spoken(calls)) == json.loads(CALL)


@pytest.mark.parametrize("text", ["4", "", "{not a call}", '{"answer": 4}', f"I say {CALL}"])
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
        (f"{CALL} and more", None, "this is not"),
        ('{"tool_calls": []}', None, "at least one"),
        ('{"tool_calls": {"name": "add"}}', None, "at least one"),
        ('{"tool_calls": [{"arguments": {}}]}', None, '"name"'),
        ('{"tool_calls": [{"name": "add"}]}', "add", "JSON object"),
        ('{"tool_calls": [{"name": "add", "arguments": "1"}]}', "add", "JSON object"),
        ('{"tool_calls": [{"name": "add", "arguments": {"a": NaN}}]}', None, "NaN"),
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


def test_only_text_that_may_become_a_call_waits():
    waiting = ["", " ", "{", CALL[:20], "`", "```js"]
    assert all(may_be_call(text) for text in waiting)
    assert not any(may_be_call(text) for text in ["4", "I say {", "`code`"])


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


def test_a_model_is_told_the_shape_and_the_schemas():
    told = instructions([tool["function"] for tool in TOOLS], must_call=True)
    assert "You must call a tool now." in told
    assert [json.loads(line)["name"] for line in told.splitlines()[-2:]] == ["add", "multiply"]
