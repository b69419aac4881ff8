"""The LLM says what the core says, for every way of asking it."""

import asyncio
import copy
import json
import pickle

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import AudioBlock, ThinkingBlock, ToolCallBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock, VideoBlock
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import RetrieverQueryEngine, SimpleMultiModalQueryEngine
from llama_index.core.tools import FunctionTool

from framesift import Answer, Assistant, Message, VideoCompressor, load_vlm
from framesift.errors import (
    BudgetError,
    ForbiddenAddressError,
    FramesiftError,
    InvalidOptionError,
    UnknownNameError,
)
from llama_index.llms.framesift import FramesiftMultiModalLLM

VIDEO, QUESTION = "synthetic://number?seed=3", "What number flashes?"
OTHER = "What color is the card?"


@pytest.fixture(scope="module")
def vlm():
    return load_vlm("tiny")


@pytest.fixture(scope="module")
def llm(vlm):
    return FramesiftMultiModalLLM(model=vlm)


@pytest.fixture(scope="module")
def core(vlm):
    return VideoCompressor(vlm=vlm)


@pytest.fixture(scope="module")
def expected(core):
    return core.ask(VIDEO, QUESTION)


def asked(*blocks, text=QUESTION):
    return ChatMessage(role="user", blocks=[*blocks, TextBlock(text=text)])


def as_answer(response):
    usage = dict(response.raw["usage"])
    assert usage.pop("completion_tokens") == usage["answer_tokens"]
    return Answer.model_validate({**response.raw, "usage": usage})


def test_an_answer_is_that_of_the_core(llm, expected):
    response = llm.chat([asked(VideoBlock(url=VIDEO))])
    answer = as_answer(response)
    assert response.message.content == expected.text == "44"
    assert answer.evidence == expected.evidence
    assert answer.usage.visual_tokens_before == expected.usage.visual_tokens_before
    assert answer.usage.visual_tokens_after == expected.usage.visual_tokens_after
    assert response.additional_kwargs["prompt_tokens"] == expected.usage.prompt_tokens


@pytest.mark.parametrize("form", ["path", "bytes", "file"])
def test_files_and_bytes_are_read_as_links_are(llm, core, clips_made, form):
    path = clips_made / "number.mp4"
    with path.open("rb") as file:
        block = {
            "path": lambda: VideoBlock(path=path),
            "bytes": lambda: VideoBlock(video=path.read_bytes()),
            "file": lambda: VideoBlock(video=file),
        }[form]()
        response = llm.chat([asked(block)])
    assert response.message.content == core.ask(path, QUESTION).text


def test_pictures_by_path_and_bytes_are_the_same(llm, core, clips_made, tmp_path):
    (frame,) = core.keyframes(clips_made / "number.mp4", 1)
    frame.image.save(tmp_path / "frame.png")
    content = (tmp_path / "frame.png").read_bytes()
    by_path = llm.chat([asked(ImageBlock(path=tmp_path / "frame.png"), text=OTHER)])
    by_bytes = llm.chat([asked(ImageBlock(image=content), text=OTHER)])
    assert by_path.message.content == by_bytes.message.content
    assert by_path.message.content == core.ask(tmp_path / "frame.png", OTHER).text


def test_a_stream_is_the_answer_in_pieces(llm, expected):
    parts = list(llm.stream_chat([asked(VideoBlock(url=VIDEO))]))
    assert "".join(part.delta for part in parts) == expected.text
    assert len(parts) > 2
    assert parts[-1].message.content == expected.text
    assert as_answer(parts[-1]).text == expected.text


async def test_tasks_are_answered_as_threads_are(llm, expected):
    messages = [asked(VideoBlock(url=VIDEO))]
    answers = await asyncio.gather(*(llm.achat(messages) for _ in range(3)))
    assert {answer.message.content for answer in answers} == {expected.text}
    parts = [part async for part in await llm.astream_chat(messages)]
    assert parts[-1].message.content == expected.text


async def test_a_stream_that_is_left_early_ends_the_work(llm, expected):
    messages = [asked(VideoBlock(url=VIDEO))]
    stream = await llm.astream_chat(messages)
    async for _ in stream:
        break
    await stream.aclose()
    for _ in llm.stream_chat(messages):
        break
    assert llm.chat(messages).message.content == expected.text


async def test_completions_are_chats_of_one_text(llm):
    text = llm.chat([ChatMessage("Hello")]).message.content
    assert llm.complete("Hello").text == text
    assert (await llm.acomplete("Hello")).text == text
    assert [part.text for part in llm.stream_complete("Hello")][-1] == text
    assert [part.text async for part in await llm.astream_complete("Hello")][-1] == text


def test_a_conversation_that_goes_on_reads_what_is_new_only(llm, core):
    first = [asked(VideoBlock(url=VIDEO))]
    said = llm.chat(first)
    more = [*first, said.message, ChatMessage(OTHER)]
    followed = as_answer(llm.chat(more))
    assert followed.usage.cached_tokens >= said.raw["usage"]["prompt_tokens"]
    assert followed.usage.encode_seconds == 0
    with core.open(VIDEO) as chat:
        chat.ask(QUESTION)
        assert followed.text == chat.ask(OTHER, follow_up=True).text


def test_a_chat_of_several_turns_keeps_the_video(llm, core):
    history = [asked(VideoBlock(url=VIDEO)), ChatMessage("44", role="assistant")]
    memory = ChatMemoryBuffer.from_defaults(history, llm=llm, tokenizer_fn=llm.tokenizer)
    engine = SimpleChatEngine.from_defaults(llm=llm, memory=memory)
    said = [engine.chat(text).response for text in (OTHER, QUESTION, OTHER)]
    assert said == [core.ask(VIDEO, OTHER).text, "44", core.ask(VIDEO, OTHER).text]
    assert len(engine.chat_history) == 8


def test_tokens_are_counted_by_the_model(llm):
    messages = [asked(VideoBlock(url=VIDEO))]
    counter = TokenCountingHandler(tokenizer=llm.tokenizer)
    counting = llm.model_copy(update={"callback_manager": CallbackManager([counter])})
    usage = counting.chat(messages).raw["usage"]
    (event,) = counter.llm_token_counts
    assert event.prompt_token_count == usage["prompt_tokens"]
    assert event.completion_token_count == usage["answer_tokens"]
    assert len(llm.tokenizer("What number flashes?")) >= 3


def test_an_llm_is_pickled_and_goes_through_json(llm):
    messages = [asked(VideoBlock(url=VIDEO))]
    for copied in (
        pickle.loads(pickle.dumps(llm)),
        copy.deepcopy(llm),
        FramesiftMultiModalLLM.from_json(llm.to_json()),
    ):
        assert copied.chat(messages).message.content == "44"
        assert copied.keep == llm.keep


@pytest.mark.parametrize("ask", ["chat", "complete", "stream_chat"])
def test_misspelt_options_of_a_call_are_refused(llm, ask):
    given = "Hello" if ask == "complete" else [ChatMessage("Hello")]
    with pytest.raises(InvalidOptionError, match="max_new_token"):
        list(getattr(llm, ask)(given, max_new_token=3))


def test_options_of_a_call_go_before_those_of_the_model(llm):
    messages = [asked(VideoBlock(url=VIDEO))]
    assert llm.chat(messages, max_tokens=1).message.content == "4"
    assert llm.chat(messages, stop="4").raw["usage"]["finish_reason"] == "stop_sequence"
    drawn = [llm.chat(messages, temperature=5.0, seed=1).message.content for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_a_copy_with_other_settings_answers_by_these(llm):
    messages = [asked(VideoBlock(url=VIDEO))]
    first = llm.chat(messages).raw["usage"]
    whole = llm.model_copy(update={"keep": 1.0}).chat(messages).raw["usage"]
    assert whole["visual_tokens_before"] == whole["visual_tokens_after"]
    assert first["visual_tokens_after"] < whole["visual_tokens_after"]
    assert llm.chat(messages).raw["usage"]["cached_tokens"] > 0


def test_weights_load_with_the_first_answer():
    llm = FramesiftMultiModalLLM(model="no such model", context_window=2048)
    assert llm.metadata.context_window == 2048
    with pytest.raises(UnknownNameError, match="tiny"):
        llm.chat([ChatMessage("Hello")])


def test_it_tells_llama_index_what_it_is(llm, vlm):
    assert "multi" in llm.class_name()
    assert llm.metadata.context_window == vlm.context_tokens
    assert llm.metadata.is_chat_model
    assert FramesiftMultiModalLLM.from_dict(llm.to_dict()).model == "tiny"


@pytest.mark.parametrize(
    ("block", "error", "message"),
    [
        (AudioBlock(audio=b"sound"), InvalidOptionError, "type 'audio'"),
        (VideoBlock(), InvalidOptionError, "video block is empty"),
        (ImageBlock(), InvalidOptionError, "image block is empty"),
        (VideoBlock(url=VIDEO, fps=4), InvalidOptionError, "asks for fps=4"),
        (VideoBlock(url="http://127.0.0.1/a.mp4"), ForbiddenAddressError, "127.0.0.1"),
        (ImageBlock(url="http://10.0.0.1/a.png"), ForbiddenAddressError, "10.0.0.1"),
        (VideoBlock(url="file:///etc/hostname"), ForbiddenAddressError, "file of this machine"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_blocks_that_cannot_be_read_are_one_line(llm, block, error, message):
    for ask in (llm.chat, lambda messages: list(llm.stream_chat(messages))):
        with pytest.raises(error, match=message) as told:
            ask([asked(block)])
        assert "\n" not in str(told.value)


def test_thoughts_are_not_read(llm):
    thought = ThinkingBlock(content="hm")
    plain = llm.chat([ChatMessage("Hello")])
    assert llm.chat([asked(thought, text="Hello")]).message.content == plain.message.content


def test_too_long_a_prompt_says_so(llm):
    with pytest.raises(BudgetError, match="the text alone takes"):
        llm.chat([ChatMessage("why " * 10_000)])


@pytest.mark.parametrize(
    "options",
    [
        {"keep": 0},
        {"strategy": "best"},
        {"fps": -1},
        {"selector": "nope"},
        {"frames": 3},
        {"max_new_tokens": 3},
        {"site": {"langage": "de"}},
    ],
)
def test_wrong_options_are_told_when_it_is_made(options):
    with pytest.raises(FramesiftError):
        FramesiftMultiModalLLM(model="tiny", **options)


@pytest.fixture
def retriever(make_reader, clips_made, embedding):
    documents = make_reader().load_data(clips_made / "number.mp4")
    index = VectorStoreIndex.from_documents(documents[1:], embed_model=embedding)
    return index.as_retriever(similarity_top_k=1)


def test_a_multi_modal_query_engine_asks_about_what_was_retrieved(llm, core, retriever):
    template = PromptTemplate("{query_str}")
    with pytest.warns(DeprecationWarning, match="SimpleMultiModalQueryEngine"):
        engine = SimpleMultiModalQueryEngine(
            retriever, multi_modal_llm=llm, text_qa_template=template
        )
    answer = engine.query(OTHER)
    (found,) = answer.source_nodes
    assert str(answer) == core.ask(found.node.image_path, OTHER).text


@pytest.mark.usefixtures("own_loop")
def test_its_successor_shows_the_model_the_pictures(llm, retriever):
    engine = RetrieverQueryEngine.from_args(retriever=retriever, llm=llm, multimodal=True)
    answer = engine.query(OTHER)
    assert str(answer)
    assert answer.source_nodes[0].metadata["title"] == "number"


# LlamaIndex's agents look at all members of a pydantic object, deprecated ones too.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
async def test_a_function_agent_calls_tools_by_the_documented_text(
    llm, core, clips_made, monkeypatch
):
    path, told = clips_made / "number.mp4", []
    call = {"name": "ask_video", "arguments": {"question": QUESTION}}
    script = [f"```json\n{json.dumps({'tool_calls': [call]})}\n```", "It was said above."]
    answer = core.ask(path, QUESTION)

    def ask_video(question: str) -> str:
        """Answers a question about the video."""
        return core.ask(path, question).text

    class Scripted:
        def __init__(self, messages):
            told.append(messages)
            self.answer = answer.model_copy(update={"text": script[len(told) - 1]})
            self.pieces = iter([self.answer.text[:9], self.answer.text[9:]])

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.pieces)

        def close(self):
            pass

    monkeypatch.setattr(Assistant, "stream", lambda self, messages, **_: Scripted(messages))
    agent = FunctionAgent(tools=[FunctionTool.from_defaults(ask_video)], llm=llm)
    said = await agent.run("Which number is shown?")
    assert str(said) == script[1]
    (made,) = said.tool_calls
    assert made.tool_name == "ask_video"
    assert made.tool_output.content == answer.text
    assert '"name": "ask_video"' in told[0][0].text
    assert told[1][-1] == Message(role="user", text=f"Result of the tool:\n{answer.text}")
    assert told[1][-2] == Message(role="assistant", text=script[0])


@pytest.mark.parametrize(
    "text",
    [
        "44",
        "{",
        '{"tool_calls": "ask"}',
        '{"tool_calls": [{"name": "ask", "arguments": "no object"}]}',
        'I would say {"tool_calls": []}',
        "[" * 10_000,
    ],
)
def test_what_is_no_proper_call_is_an_answer(llm, text):
    response = llm.chat([ChatMessage("Hello")])
    response.message = ChatMessage(text, role="assistant")
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="expected a tool call"):
        llm.get_tool_calls_from_response(response)


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def look(what: str) -> str:
    """Looks."""
    return what


TOOLS = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(look)]
BY_NAME = {"type": "function", "function": {"name": "look"}}


@pytest.mark.parametrize(
    ("choice", "shown", "must"),
    [
        (None, ["add", "look"], False),
        ("auto", ["add", "look"], False),
        ("required", ["add", "look"], True),
        ("any", ["add", "look"], True),
        ("look", ["look"], True),
        (BY_NAME, ["look"], True),
    ],
)
def test_a_choice_of_tools_is_what_the_model_reads(llm, choice, shown, must):
    made = llm._prepare_chat_with_tools(TOOLS, user_msg="Hello", tool_choice=choice)
    system, _ = made.pop("messages")
    assert made == {}
    lines = system.content.partition("Tools:\n")[2].splitlines()
    assert [json.loads(line)["name"] for line in lines] == shown
    assert ("You must call a tool now" in system.content) == must


def test_no_tools_and_tools_that_there_are_not(llm):
    made = llm._prepare_chat_with_tools(TOOLS, user_msg="Hello", tool_choice="none")
    assert [message.content for message in made["messages"]] == ["Hello"]
    with pytest.raises(InvalidOptionError, match="one of: add, look"):
        llm.chat_with_tools(TOOLS, user_msg="Hello", tool_choice="lok")


@pytest.mark.parametrize("arguments", [{"a": 1}, '{"a": 1}'])
def test_calls_in_a_history_of_another_llm_are_read(llm, arguments, monkeypatch):
    told = []
    monkeypatch.setattr(Assistant, "reply", lambda self, messages, **_: told.append(messages) or 1)
    monkeypatch.setattr("llama_index.llms.framesift.base._response", lambda answer: None)
    block = ToolCallBlock(tool_name="add", tool_kwargs=arguments)
    history = [ChatMessage("Add"), ChatMessage(role="assistant", blocks=[block])]
    llm._answered([*history, ChatMessage("1", role="tool")], {})
    assert json.loads(told[0][1].text) == {"tool_calls": [{"name": "add", "arguments": {"a": 1}}]}


def test_a_call_whose_arguments_are_no_object_is_one_line(llm):
    block = ToolCallBlock(tool_name="add", tool_kwargs="[1")
    with pytest.raises(InvalidOptionError, match="of the tool 'add' has the arguments"):
        llm.chat([ChatMessage(role="assistant", blocks=[block]), ChatMessage("Go on")])
