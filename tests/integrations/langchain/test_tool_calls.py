"""Tool calls in text become those of LangChain; what is none stays an answer."""

import json

import pytest

pytest.importorskip("langchain_core")

from langchain_core.messages import ToolMessage

CALL = '{"tool_calls": [{"name": "add", "arguments": {"a": 1}}]}'
NAMES = ["add", "multiply"]
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "", "parameters": {}}}
    for name in NAMES
]


@pytest.fixture
def message_of(dictated_chat):
    """Returns what a chat model with tools makes of the text that its LLM says."""

    def message_of(text, *, tool_choice=None):
        chat, _ = dictated_chat(text)
        return chat.bind_tools(TOOLS, tool_choice=tool_choice).invoke("What is the sum?")

    return message_of


def test_one_object_is_a_call(message_of):
    message = message_of(f"```json\n{CALL}\n```")
    (call,) = message.tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 1})
    assert (message.text, message.invalid_tool_calls) == ("", [])
    (again,) = message_of(CALL).tool_calls
    assert again["id"] != call["id"]


def test_a_call_is_shown_to_the_llm_as_it_said_it(dictated_chat):
    chat, shown = dictated_chat(CALL, "1")
    chat = chat.bind_tools(TOOLS)
    message = chat.invoke("What is the sum?")
    result = ToolMessage("1", tool_call_id=message.tool_calls[0]["id"])
    chat.invoke([("user", "What is the sum?"), message, result])
    assert json.loads(shown[-1][-2].text) == json.loads(CALL)


@pytest.mark.parametrize("text", ["4", f"I say {CALL}"])
def test_other_text_is_an_answer_unless_a_call_is_due(message_of, text):
    free = message_of(text)
    assert (free.text, free.tool_calls, free.invalid_tool_calls) == (text, [], [])
    due = message_of(text, tool_choice="any")
    assert due.tool_calls == []
    assert len(due.invalid_tool_calls) == 1
    assert due.invalid_tool_calls[0]["error"]


@pytest.mark.parametrize(
    ("text", "name", "error"),
    [
        (CALL[:-1], None, "this is not"),
        ('{"tool_calls": [{"arguments": {}}]}', None, '"name"'),
        ('{"tool_calls": [{"name": "add"}]}', "add", "JSON object"),
    ],
)
def test_a_broken_call_is_invalid_with_its_reason(message_of, text, name, error):
    message = message_of(text)
    assert message.tool_calls == []
    (broken,) = message.invalid_tool_calls
    assert broken["name"] == name
    assert error in broken["error"]
    assert message.text == text


def test_a_stream_gives_the_same_calls_and_does_not_mend_a_broken_one(dictated_chat):
    chat, _ = dictated_chat(CALL, CALL[:-1])
    chat = chat.bind_tools(TOOLS)
    whole, broken = (
        sum(chunks[1:], chunks[0])
        for chunks in (list(chat.stream("What is the sum?")) for _ in range(2))
    )
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("add", {"a": 1})]
    assert broken.tool_calls == []
    assert len(broken.invalid_tool_calls) == 1


def test_good_calls_beside_a_broken_one_are_kept(message_of):
    message = message_of('{"tool_calls": [{"name": "add", "arguments": {}}, {"name": 7}]}')
    assert [call["name"] for call in message.tool_calls] == ["add"]
    assert len(message.invalid_tool_calls) == 1


def test_a_choice_names_what_may_and_what_must_be_called(dictated_chat):
    def picked(choice):
        chat, shown = dictated_chat("4")
        message = chat.bind_tools(TOOLS, tool_choice=choice).invoke("What is the sum?")
        described = "".join(turn.text for turn in shown[0])
        return [name for name in NAMES if name in described], bool(message.invalid_tool_calls)

    assert picked(None) == picked("auto") == (NAMES, False)
    assert picked("any") == picked("required") == picked(True) == (NAMES, True)
    assert picked("none") == ([], False)
    assert picked("add") == (["add"], True)
    assert picked({"type": "function", "function": {"name": "add"}}) == (["add"], True)
    with pytest.raises(ValueError, match="choose one of: add, multiply"):
        picked("divide")
