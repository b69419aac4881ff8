"""Tool calls in text are parsed strictly; what is none stays an answer."""

import json

import pytest

from framesift.answering.tool_calls import (
    BrokenToolCall,
    ParsedAnswer,
    ToolCall,
    call_text,
    instructions,
    may_be_call,
    parse,
)

CALL = '{"tool_calls": [{"name": "add", "arguments": {"a": 1}}]}'
ADD = ToolCall(name="add", arguments={"a": 1})


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f" {CALL}\n",
        f"```json\n{CALL}\n```",
        f"```\n{CALL}```",
        f"```json{CALL}```",
        f"```json\n{CALL}",
    ],
)
@pytest.mark.parametrize("must_call", [False, True])
def test_one_object_is_a_call(text, must_call):
    assert parse(text, must_call=must_call) == ParsedAnswer(text="", calls=(ADD,))


def test_the_text_of_a_call_is_parsed_back():
    other = ToolCall(name="größe", arguments={"tief": [1, None, {"é": "}"}]})
    assert call_text([ADD]) == CALL
    assert parse(call_text([ADD, other])).calls == (ADD, other)


@pytest.mark.parametrize(
    "text", ["4", "", "{not a call}", '{"answer": 4}', f"I say {CALL}", f"```py\n{CALL}```"]
)
def test_other_text_is_an_answer_unless_a_call_is_due(text):
    assert parse(text) == ParsedAnswer(text=text)
    due = parse(text, must_call=True)
    (broken,) = due.calls
    assert due.text == text
    assert isinstance(broken, BrokenToolCall)
    assert broken.reason


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        (CALL[:-1], None, "this is not"),
        (f"{CALL} and more", None, "this is not"),
        ('{"tool_calls": []}', None, "at least one"),
        ('{"tool_calls": {"name": "add"}}', None, "at least one"),
        ('{"tool_calls": ["add"]}', None, '"name"'),
        ('{"tool_calls": [{"arguments": {}}]}', None, '"name"'),
        ('{"tool_calls": [{"name": "", "arguments": {}}]}', None, '"name"'),
        ('{"tool_calls": [{"name": "add"}]}', "add", "JSON object"),
        ('{"tool_calls": [{"name": "add", "arguments": "1"}]}', "add", "JSON object"),
        ('{"tool_calls": [{"name": "add", "arguments": {"a": NaN}}]}', None, "NaN"),
        ('{"tool_calls": ' + "[" * 100_000, None, "recursion"),
    ],
)
def test_a_broken_call_has_its_reason(text, name, reason):
    said = parse(text)
    (broken,) = said.calls
    assert isinstance(broken, BrokenToolCall)
    assert broken.name == name
    assert reason in broken.reason
    assert said.text == text


def test_good_calls_beside_a_broken_one_are_kept_in_their_order():
    text = '{"tool_calls": [{"name": 7}, {"name": "add", "arguments": {"a": 1}}]}'
    broken, whole = parse(text).calls
    assert broken.arguments == '{"name": 7}'
    assert whole == ADD


def test_only_text_that_may_become_a_call_waits():
    waiting = ["", " ", "{", CALL[:20], "`", "```js"]
    assert all(may_be_call(text) for text in waiting)
    assert not any(may_be_call(text) for text in ["4", "I say {", "`code`"])


@pytest.mark.parametrize(
    ("must_call", "when"), [(True, "You must call a tool now."), (False, "answer in plain text.")]
)
def test_a_model_is_told_the_shape_and_the_schemas(must_call, when):
    functions = [{"name": name, "parameters": {}} for name in ("add", "größer")]
    written = instructions(functions, must_call=must_call)
    assert when in written
    assert [json.loads(line) for line in written.splitlines()[-2:]] == functions
    assert "größer" in written
