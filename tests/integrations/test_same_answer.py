"""One clip and one question: every surface says the same, at the same time of the video."""

import json
from base64 import b64encode
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from langchain_core.messages import ToolCall
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.llms import ChatMessage, TextBlock, VideoBlock
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import SimpleMultiModalQueryEngine
from mcp.client import Client

import framesift
from framesift.cli.commands import app
from framesift_mcp import Tools, create_server
from framesift_server import Settings, create_app
from langchain_framesift import AskVideoTool, ChatFramesift, VideoCompressor
from llama_index.llms.framesift import FramesiftMultiModalLLM
from llama_index.readers.framesift import FramesiftFramePostprocessor, FramesiftVideoReader

CLIP = "synthetic://number?seed=3"
QUESTION = "What number flashes?"
KIND = "attention"
"""What evidence is made of on every surface unless it is asked otherwise."""
VIDEO = {"type": "video", "url": CLIP}
TEXT = {"type": "text", "text": QUESTION}


@pytest.fixture(scope="module")
def vlm():
    return framesift.load_vlm("tiny")


@pytest.fixture(scope="module")
def chat():
    return ChatFramesift(model="tiny")


@pytest.fixture(scope="module")
def llm(vlm):
    return FramesiftMultiModalLLM(model=vlm)


@pytest.fixture(scope="module")
def expected(vlm):
    return framesift.VideoCompressor(vlm=vlm).ask(CLIP, QUESTION, evidence=KIND)


def told(text, evidence):
    """Returns an answer as all surfaces can be compared by it, its places as JSON has them."""
    return text, [(part["start_seconds"], part["end_seconds"], part["box"]) for part in evidence]


def by_command():
    done = CliRunner().invoke(app, ["ask", CLIP, QUESTION, "--json"])
    answer = json.loads(done.stdout)
    return told(answer["text"], answer["evidence"])


def by_langchain(chat):
    message = chat.invoke([{"role": "user", "content": [VIDEO, TEXT]}])
    return told(message.text, message.response_metadata["evidence"])


def by_langchain_stream(chat):
    pieces = list(chat.stream([{"role": "user", "content": [VIDEO, TEXT]}]))
    return told("".join(p.text for p in pieces), pieces[-1].response_metadata["evidence"])


def by_langchain_chain(chat):
    asked = [{"type": "video", "url": "{video}"}, {"type": "text", "text": "{question}"}]
    chain = ChatPromptTemplate.from_messages([("human", asked)]) | chat
    message = chain.invoke({"video": CLIP, "question": QUESTION})
    return told(message.text, message.response_metadata["evidence"])


def by_langchain_tool(chat):
    asked = {"video": CLIP, "question": QUESTION}
    call = ToolCall(type="tool_call", id="1", name="ask_video", args=asked)
    answer = AskVideoTool(model="tiny", loaded=chat.loaded).invoke(call).artifact
    return told(answer["text"], answer["evidence"])


def by_llama_index(llm):
    blocks = [VideoBlock(url=CLIP), TextBlock(text=QUESTION)]
    response = llm.chat([ChatMessage(role="user", blocks=blocks)])
    return told(response.message.content, response.raw["evidence"])


def by_http():
    asked = {"video": CLIP, "question": QUESTION}
    with TestClient(create_app(Settings(allow_synthetic=True))) as client:
        answer = client.post("/v1/ask", json=asked).json()
    return told(answer["text"], answer["evidence"])


def by_mcp():
    async def call():
        async with Client(create_server(Tools())) as client:
            return await client.call_tool("ask_video", {"video": CLIP, "question": QUESTION})

    answer = anyio.run(call).structured_content
    return told(answer["text"], answer["evidence"])


def by_keyframes_in_langchain(chat):
    """Returns the answer about keyframes, and the time of the one that it rests on."""
    compressor = VideoCompressor(count=4)
    prompt = ChatPromptTemplate.from_messages(
        [MessagesPlaceholder("video"), ("human", "{question}")]
    )
    message = (compressor | prompt | chat).invoke({"video": CLIP, "question": QUESTION})
    name = message.response_metadata["evidence"][0]["uri"].partition("sha256=")[2]
    shown = compressor.invoke(CLIP).pictures
    (rested_on,) = [picture for picture in shown if picture.id.startswith(f"framesift-{name}")]
    return message.text, rested_on.seconds


def by_query_engine(llm, vlm, folder):
    """Returns the answer about the frame that the query points at, and its time."""
    segments = FramesiftVideoReader(segment_seconds=1, cache_dir=folder).load_data(CLIP)[1:]
    index = VectorStoreIndex.from_documents(segments, embed_model=MockEmbedding(embed_dim=8))
    with pytest.warns(DeprecationWarning, match="SimpleMultiModalQueryEngine"):
        engine = SimpleMultiModalQueryEngine(
            index.as_retriever(similarity_top_k=len(segments)),
            multi_modal_llm=llm,
            text_qa_template=PromptTemplate("{query_str}"),
            node_postprocessors=[FramesiftFramePostprocessor(max_frames=1, vlm=vlm)],
        )
    answer = engine.query(QUESTION)
    (found,) = answer.source_nodes
    return str(answer), found.metadata["keyframe_seconds"]


def test_every_surface_says_that_the_toy_knows_no_real_footage(chat, llm, vlm, tmp_path, caplog):
    with framesift.open_video(CLIP) as local:
        content = local.path.read_bytes()
    path = tmp_path / "talk.mp4"
    path.write_bytes(content)
    question = "Who is speaking?"
    shown = {"type": "video", "base64": b64encode(content).decode(), "mime_type": "video/mp4"}
    asked = [{"role": "user", "content": [shown, {"type": "text", "text": question}]}]
    blocks = [VideoBlock(path=path), TextBlock(text=question)]
    messages = [ChatMessage(role="user", blocks=blocks)]
    by_command = CliRunner().invoke(app, ["ask", str(path), question, "--json"])
    warnings = [
        framesift.VideoCompressor(vlm=vlm).ask(path, question).warnings,
        json.loads(by_command.stdout)["warnings"],
        chat.invoke(asked).response_metadata["warnings"],
        list(chat.stream(asked))[-1].response_metadata["warnings"],
        llm.chat(messages).raw["warnings"],
        list(llm.stream_chat(messages))[-1].raw["warnings"],
    ]
    for first, *_ in warnings:
        assert first.startswith("'tiny' was trained on synthetic:// videos only")
    assert sum("'tiny' was trained" in line for line in caplog.messages) >= 3


def test_every_surface_gives_the_answer_and_the_times_of_the_python_api(
    expected, chat, llm, vlm, tmp_path: Path
):
    answer = told(expected.text, expected.model_dump(mode="json")["evidence"])
    about_the_video = {
        "command line": by_command(),
        "LangChain, chat model": by_langchain(chat),
        "LangChain, stream": by_langchain_stream(chat),
        "LangChain, chain": by_langchain_chain(chat),
        "LangChain, tool": by_langchain_tool(chat),
        "LlamaIndex, LLM": by_llama_index(llm),
        "HTTP": by_http(),
        "MCP": by_mcp(),
    }
    assert about_the_video == dict.fromkeys(about_the_video, answer)

    about_frames = {
        "LangChain, keyframes in a chain": by_keyframes_in_langchain(chat),
        "LlamaIndex, query engine": by_query_engine(llm, vlm, tmp_path),
    }
    frame = expected.text, expected.evidence[0].keyframe_seconds
    assert about_frames == dict.fromkeys(about_frames, frame)


def test_that_answer_is_right_and_lies_where_the_number_is_shown(expected):
    with framesift.open_video(CLIP) as clip:
        (event,) = (event for event in clip.truth["events"] if event["kind"] == "number")
    assert expected.text == str(event["attributes"]["number"])
    part = expected.evidence[0]
    assert part.start_seconds < event["end_seconds"]
    assert part.end_seconds > event["start_seconds"]
