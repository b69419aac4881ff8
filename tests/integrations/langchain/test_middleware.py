"""Agents with `VideoMiddleware`: what models are shown, and what the state holds of it."""

import asyncio
import base64
import json
import pickle
import sqlite3
import sys

import pytest

pytest.importorskip("langchain.agents")
pytest.importorskip("langgraph.checkpoint.sqlite")

from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

import framesift
import langchain_framesift
from langchain_framesift import (
    ChatFramesift,
    CompressVideoBlocks,
    VideoCompressor,
    VideoMiddleware,
    VideoToolkit,
)

CLIP = "synthetic://number?seed=3"
OTHER = "synthetic://cuts?seconds=9&seed=2"
GONE = "[picture, not shown any more; call the tool again to see it]"


READS_PICTURES = {"image_inputs": True, "image_tool_message": True}


class Scripted(GenericFakeChatModel):
    """Says what it was given to say, and remembers what it was shown."""

    shown: list = []

    def bind_tools(self, tools, **_):
        return self

    def _generate(self, messages, *arguments, **options):
        self.shown.append(messages)
        return super()._generate(messages, *arguments, **options)

    def _stream(self, messages, *arguments, **options):
        said = self._generate(messages).generations[0].message
        yield ChatGenerationChunk(message=AIMessageChunk(**said.model_dump(exclude={"type"})))


def calling(*videos):
    calls = [
        {"name": "compress_video", "args": {"video": video}, "id": f"{video}-{number}"}
        for number, video in enumerate(videos)
    ]
    return AIMessage("", tool_calls=calls)


def scripted(*answers, **profile):
    return Scripted(messages=iter(answers), shown=[], profile=READS_PICTURES | profile)


@pytest.fixture(scope="module")
def tools():
    return VideoToolkit(model="tiny", max_images=2).get_tools()


def middleware(**options):
    options.setdefault("compress", CompressVideoBlocks(compressor=VideoCompressor(count=2)))
    return VideoMiddleware(**options)


def asked(text="What is it?", *videos):
    blocks = [{"type": "video", "url": video} for video in videos]
    return {"messages": [HumanMessage([{"type": "text", "text": text}, *blocks])]}


def thread(name):
    return {"configurable": {"thread_id": name}}


def kinds(message):
    content = message.content
    return ["text"] if isinstance(content, str) else [block["type"] for block in content]


def texts(message):
    return [block["text"] for block in message.content if block["type"] == "text"]


def bytes_in_memory(saver):
    values = [value for _, value in saver.blobs.values()]
    states = [each for held in saver.storage.values() for each in held.values()]
    values += [part[1] for held in states for each in held.values() for part in each[:2]]
    values += [write[2][1] for held in saver.writes.values() for write in held.values()]
    return sum(map(len, values))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.slow
def test_three_turns_on_one_video_stay_small_in_a_checkpointer(kind, tools, tmp_path):
    path = tmp_path / "checkpoints.sqlite"
    connection = sqlite3.connect(path, check_same_thread=False)
    saver = InMemorySaver() if kind == "memory" else SqliteSaver(connection)
    model = scripted(*[answer for _ in range(3) for answer in (calling(CLIP), AIMessage("Done."))])
    agent = create_agent(model, tools, middleware=[middleware()], checkpointer=saver)
    for _ in range(3):
        agent.invoke(asked("What is it?", CLIP), thread("1"))
    # Pictures were shown, the old ones too, though none is in the state.
    assert sum(kinds(message).count("image") for message in model.shown[-1]) == 12
    connection.close()
    kept = bytes_in_memory(saver) if kind == "memory" else path.stat().st_size
    assert 10_000 < kept < 300_000


def test_only_the_newest_pictures_of_tools_and_videos_are_shown(tools):
    model = scripted(calling(CLIP, OTHER), AIMessage("Done."))
    own = {"type": "image", "base64": "aGVsbG8=", "mime_type": "image/png"}
    state = asked("What is it?", CLIP)
    state["messages"][0].content.append(own)
    create_agent(model, tools, middleware=[middleware(most_pictures=3)]).invoke(state)
    first, (user, _, older, newest) = model.shown
    assert kinds(first[0]).count("image") == 3
    assert (kinds(older).count("image"), kinds(newest).count("image")) == (1, 2)
    assert GONE in texts(older)
    assert [block for block in user.content if block["type"] == "image"] == [own]
    assert texts(user).count("[picture, not shown any more]") == 2


def test_where_pictures_end_they_are_spread_over_the_video(tools):
    compress = CompressVideoBlocks(compressor=VideoCompressor(count=6))
    models = [scripted(AIMessage("Done.")) for _ in range(2)]
    for model, most in zip(models, (6, 2), strict=True):
        looking = middleware(compress=compress, most_pictures=most)
        create_agent(model, tools, middleware=[looking]).invoke(asked("What?", OTHER))
    every, few = (
        [block for block in model.shown[0][0].content if block["type"] == "image"]
        for model in models
    )
    assert len(every) == 6
    assert [every.index(block) for block in few] == [1, 4]


def test_chat_framesift_reads_the_pictures_of_tools(dictated_chat, tools):
    call = {"name": "compress_video", "arguments": {"video": CLIP}}
    chat, shown = dictated_chat(json.dumps({"tool_calls": [call]}), "It flashes.")
    agent = create_agent(chat, tools, middleware=[middleware()])
    state = agent.invoke(asked())["messages"]
    assert "image" not in {kind for message in state for kind in kinds(message)}
    pictures = [uri for turn in shown[-1] for uri in turn.videos]
    assert len(pictures) == 2
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in pictures)


def test_a_model_without_pictures_is_told_that_there_were_some(tools):
    model = scripted(calling(CLIP), AIMessage("Done."), image_inputs=False)
    create_agent(model, tools, middleware=[middleware()]).invoke(asked())
    result = model.shown[-1][-1]
    assert set(kinds(result)) == {"text"}
    assert "[picture, not shown: this model reads no pictures]" in texts(result)


def test_a_model_that_says_nothing_of_tools_is_shown_their_pictures_by_the_user(tools):
    model = scripted(calling(CLIP), AIMessage("Done."))
    model.profile = {}
    create_agent(model, tools, middleware=[middleware()]).invoke(asked())
    result, shown = model.shown[-1][-2:]
    assert set(kinds(result)) == {"text"}
    assert isinstance(shown, HumanMessage)
    assert kinds(shown).count("image") == 2


def test_pictures_survive_in_a_folder_and_are_said_to_be_gone_without(tools, tmp_path):
    saver, folder = InMemorySaver(), tmp_path / "pictures"
    for name, options in [("kept", {"media_folder": folder}), ("gone", {})]:
        script = [calling(CLIP), AIMessage("Done.")], [AIMessage("Again.")]
        for answers in script:  # each with a middleware of its own, as another process has it
            model = scripted(*answers)
            agent = create_agent(
                model, tools, middleware=[middleware(**options)], checkpointer=saver
            )
            agent.invoke(asked(), thread(name))
        result = next(m for m in model.shown[-1] if isinstance(m, ToolMessage))
        assert kinds(result).count("image") == (2 if name == "kept" else 0)
        assert texts(result).count(GONE) == (0 if name == "kept" else 2)
    assert len(list(folder.iterdir())) == 2


def test_pictures_of_a_state_without_the_middleware_are_taken_out(tools):
    saver = InMemorySaver()
    model = scripted(calling(CLIP), AIMessage("Done."), AIMessage("Again."))
    create_agent(model, tools, checkpointer=saver).invoke(asked(), thread("1"))
    agent = create_agent(model, tools, middleware=[middleware()], checkpointer=saver)
    state = agent.invoke(asked(), thread("1"))["messages"]
    assert len(state) == 6
    assert "image" not in {kind for message in state for kind in kinds(message)}
    assert sum(kinds(message).count("image") for message in model.shown[-1]) == 2


def test_pictures_in_other_spellings_and_in_commands_are_put_aside():
    jpeg = framesift.VideoCompressor().keyframes(CLIP, 1)[0].jpeg()
    link = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    blocks = [
        {"type": "image_url", "image_url": {"url": link}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.jpg"}},
    ]

    @tool
    def compress_video(video: str) -> Command:
        """Shows a video."""
        result = ToolMessage(blocks, tool_call_id=f"{CLIP}-0", name="compress_video")
        return Command(update={"messages": [result]})

    model = scripted(calling(CLIP), AIMessage("Done."))
    agent = create_agent(model, [compress_video], middleware=[middleware()])
    state = agent.invoke(asked())["messages"]
    assert kinds(state[2]) == ["text", "image_url"]
    shown = model.shown[-1][-1]
    assert base64.b64decode(shown.content[0]["base64"]) == jpeg
    assert shown.content[1] == blocks[1]


def test_a_video_in_base64_lies_in_a_file_and_is_shown_from_there(tools, tmp_path):
    with framesift.open_video(CLIP) as local:
        held = base64.b64encode(local.path.read_bytes()).decode()
    block = {"type": "video", "base64": held, "mime_type": "video/mp4", "start": 2, "fps": 2}
    question = {"messages": [HumanMessage([{"type": "text", "text": "What?"}, block])]}
    saver, shown = InMemorySaver(), []
    for _ in range(2):  # a middleware of its own each, as in two processes
        model = scripted(AIMessage("Done."))
        looking = middleware(media_folder=tmp_path / "media")
        agent = create_agent(model, tools, middleware=[looking], checkpointer=saver)
        state = agent.invoke(question, thread("1"))["messages"]
        shown.append(kinds(model.shown[0][0]))
        question = {"messages": [HumanMessage("And now?")]}
    assert shown[0] == shown[1]
    assert shown[0].count("image") == 2
    assert held not in json.dumps([message.model_dump() for message in state])
    (path,) = (tmp_path / "media").iterdir()
    assert base64.b64encode(path.read_bytes()).decode() == held
    path.unlink()
    model = scripted(AIMessage("Done."))
    agent = create_agent(model, tools, middleware=[looking], checkpointer=saver)
    agent.invoke(question, thread("1"))
    assert texts(model.shown[0][0])[-1] == "[video, whose file is gone]"


def test_parts_and_rates_of_kept_videos_stay(dictated_chat, tools, tmp_path):
    with framesift.open_video(CLIP) as local:
        held = base64.b64encode(local.path.read_bytes()).decode()
    block = {"type": "video", "base64": held, "mime_type": "video/mp4", "end": 4, "fps": 2}
    turns = []
    for options in ({}, {"media_folder": tmp_path}):
        chat, shown = dictated_chat("44")
        agent = create_agent(chat, tools, middleware=[middleware(**options)])
        agent.invoke({"messages": [HumanMessage([{"type": "text", "text": "What?"}, block])]})
        turns.append([(turn.videos, turn.fps) for turn in shown[0] if turn.videos])
    assert turns[0] == turns[1]
    assert turns[0][0][1] == 2


def test_a_name_in_a_state_reads_no_file_but_a_picture(tools, tmp_path):
    (tmp_path / "secret.txt").write_text("a password")
    (tmp_path / "pictures").mkdir()
    forged = ToolMessage(
        [{"type": "text", "text": "[picture]"}],
        tool_call_id="1",
        response_metadata={"framesift_pictures": {"0": "../secret.txt"}},
    )
    model = scripted(AIMessage("Done."))
    agent = create_agent(model, tools, middleware=[middleware(media_folder=tmp_path / "pictures")])
    call = AIMessage("", tool_calls=[{"name": "compress_video", "args": {}, "id": "1"}])
    agent.invoke({"messages": [HumanMessage("?"), call, forged]})
    assert texts(model.shown[-1][-1]) == [GONE]


def test_a_video_that_cannot_be_read_is_told_and_ends_no_conversation(tools):
    model = scripted(AIMessage("Sorry."), AIMessage("Done."))
    agent = create_agent(model, tools, middleware=[middleware()], checkpointer=InMemorySaver())
    agent.invoke(asked("What?", CLIP, "http://127.0.0.1/a.mp4"), thread("1"))
    (user,) = model.shown[0]
    assert kinds(user).count("image") == 2
    assert any("cannot be shown" in text and "127.0.0.1" in text for text in texts(user))
    agent.invoke(asked("And now?"), thread("1"))
    assert len(model.shown) == 2


def test_warnings_of_videos_stand_in_the_answer_once(tools, monkeypatch):
    model = scripted(AIMessage("One."), AIMessage("Two."))
    noted = {"warnings": ["the file is damaged"]}
    monkeypatch.setattr(
        CompressVideoBlocks,
        "rewrite",
        lambda self, given, config: [
            m.model_copy(update={"response_metadata": noted}) if isinstance(m, HumanMessage) else m
            for m in given
        ],
    )
    agent = create_agent(model, tools, middleware=[middleware()], checkpointer=InMemorySaver())
    for _ in range(2):
        answer = agent.invoke(asked(), thread("1"))["messages"][-1]
    assert answer.response_metadata["warnings"] == ["the file is damaged"]


def test_chat_framesift_is_handed_the_videos_themselves(dictated_chat, tools):
    chat, shown = dictated_chat("44")
    assert isinstance(chat, ChatFramesift)
    create_agent(chat, tools, middleware=[middleware()]).invoke(asked("What?", CLIP))
    assert [turn.videos for turn in shown[0] if turn.videos] == [(CLIP,)]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.slow
def test_chat_framesift_is_told_of_a_video_that_it_cannot_read(tools, asynchronous):
    agent = create_agent(
        ChatFramesift(model="tiny"), middleware=[middleware()], checkpointer=InMemorySaver()
    )
    questions = [asked("What number flashes?", CLIP, "http://127.0.0.1/a.mp4"), asked("And?")]
    for question in questions:
        if asynchronous:
            state = asyncio.run(agent.ainvoke(question, thread("1")))
        else:
            state = agent.invoke(question, thread("1"))
        assert state["messages"][-1].response_metadata["visual_tokens_before"] == 512
    assert kinds(state["messages"][0]).count("video") == 2


def test_errors_that_are_not_of_a_video_stay(tools):
    chat = ChatFramesift(model="tiny", max_tokens=100_000)
    agent = create_agent(chat, middleware=[middleware()])
    with pytest.raises(framesift.BudgetError):
        agent.invoke(asked("What?", CLIP))


def test_folders_may_lie_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    look = VideoToolkit(model="tiny", max_images=2, token_folder="~/tokens").get_tools()[0]
    model = scripted(calling(CLIP), AIMessage("Seen."))
    agent = create_agent(model, [look], middleware=[middleware(media_folder="~/media")])
    state = agent.invoke(asked())
    assert state["messages"][2].artifact["tokens"]["path"].startswith(f"{tmp_path}/tokens/")
    assert len(list((tmp_path / "media").iterdir())) == 2


def test_a_model_within_another_runnable_is_shown_keyframes():
    model = scripted(AIMessage("Seen."))
    agent = create_agent(model.with_retry(), middleware=[middleware()])
    agent.invoke(asked("What?", CLIP))
    assert kinds(model.shown[0][0]).count("image") == 2


def test_tokens_are_counted_as_the_model_reads_them(tools):
    counter = middleware()
    with framesift.open_video(CLIP) as local:
        held = base64.b64encode(local.path.read_bytes()).decode()
    video = {"type": "video", "base64": held, "mime_type": "video/mp4"}
    message = HumanMessage([{"type": "text", "text": "What?"}, video])
    frames = framesift.VideoCompressor().keyframes(CLIP, 2, max_side_px=768)
    side = [-(-px // 28) for px in frames[0].image.size]
    counted = counter.count_tokens([message])
    assert 2 * side[0] * side[1] < counted < 2 * side[0] * side[1] + 60
    assert counter.count_tokens([("user", "What?")]) < 15


def test_a_summary_beside_it_is_made_by_its_count(tools):
    counter = middleware()
    model = scripted(calling(CLIP), AIMessage("Done."), AIMessage("Again."))
    summary = SummarizationMiddleware(
        scripted(*[AIMessage("They looked at a video.") for _ in range(3)]),
        trigger=("tokens", 500),
        keep=("messages", 1),
        token_counter=counter.count_tokens,
    )
    agent = create_agent(model, tools, middleware=[summary, counter], checkpointer=InMemorySaver())
    agent.invoke(asked(), thread("1"))
    agent.invoke(asked("And now?"), thread("1"))
    assert "They looked at a video." in str(model.shown[-1][0].content)


@pytest.mark.slow
def test_streams_and_async_runs_in_several_threads_show_the_same(tools):
    counter = middleware()

    async def run():
        models = [scripted(calling(CLIP, OTHER), AIMessage("Done.")) for _ in range(3)]
        saver = InMemorySaver()
        agents = [
            create_agent(model, tools, middleware=[counter], checkpointer=saver) for model in models
        ]

        async def one(number):
            parts = agents[number].astream(
                asked("What?", CLIP), thread(str(number)), stream_mode=["messages", "values"]
            )
            return [part async for part in parts]

        parts = await asyncio.gather(*map(one, range(3)))
        return models, parts

    models, parts = asyncio.run(run())
    for model, streamed in zip(models, parts, strict=True):
        last = [value for mode, value in streamed if mode == "values"][-1]["messages"][-1]
        assert (last.text, last.response_metadata["pictures"]) == ("Done.", 6)
        words = [value[0].text for mode, value in streamed if mode == "messages"]
        assert "Done." in "".join(words)
        assert [kinds(message).count("image") for message in model.shown[-1]] == [2, 0, 2, 2]


def test_the_progress_of_videos_reaches_who_streams_an_agent(tools):
    async def events():
        agent = create_agent(scripted(AIMessage("Done.")), tools, middleware=[middleware()])
        stream = agent.astream_events(asked("What?", OTHER), version="v2")
        return [event async for event in stream if event["event"] == "on_custom_event"]

    told = asyncio.run(events())
    assert {event["name"] for event in told} == {"framesift_progress"}
    assert "decode" in {event["data"]["stage"] for event in told}


def test_an_earlier_checkpoint_shows_what_was_shown_then(tools):
    model = scripted(
        calling(CLIP), AIMessage("One."), calling(OTHER), AIMessage("Two."), AIMessage("Other.")
    )
    agent = create_agent(model, tools, middleware=[middleware()], checkpointer=InMemorySaver())
    agent.invoke(asked(), thread("1"))
    agent.invoke(asked("And now?"), thread("1"))
    before = [
        state
        for state in agent.get_state_history(thread("1"))
        if state.next == ("model",) and isinstance(state.values["messages"][-1], ToolMessage)
    ]
    agent.invoke(None, before[-1].config)
    first, again = model.shown[1], model.shown[-1]
    assert [message.content for message in again] == [message.content for message in first]


def test_wrong_settings_are_refused_in_one_line():
    for wrong in (
        {"most_pictures": -1},
        {"pictures_in": "system"},
        {"most_pictures": "two"},
        {"compress": VideoCompressor()},
    ):
        with pytest.raises(framesift.InvalidOptionError, match=next(iter(wrong))) as refused:
            VideoMiddleware(**wrong)
        assert "\n" not in str(refused.value)
    with pytest.raises(TypeError, match="max_image"):
        VideoMiddleware(max_image=3)


def test_messages_of_the_state_are_json_and_come_back_from_a_pickle(tools):
    model = scripted(calling(CLIP), AIMessage("Done."))
    state = create_agent(model, tools, middleware=[middleware()]).invoke(asked("What?", CLIP))
    for message in state["messages"]:
        assert json.loads(json.dumps(message.model_dump())) == message.model_dump()
        assert pickle.loads(pickle.dumps(message)) == message


def test_without_langchain_the_package_works_and_says_what_brings_the_middleware(monkeypatch):
    monkeypatch.delitem(sys.modules, "langchain_framesift.middleware")
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware", None)
    with pytest.raises(framesift.MissingDependencyError) as missing:
        _ = langchain_framesift.VideoMiddleware
    assert "pip install 'langchain-framesift[agents]'" in str(missing.value)
