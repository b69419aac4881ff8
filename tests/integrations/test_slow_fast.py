"""Tokens of segments on every surface: the same count, answer and times, and no foreign file."""

import json

import anyio
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from langchain_core.messages import ToolCall
from llama_index.core.llms import ChatMessage, TextBlock, VideoBlock
from mcp.client import Client

import framesift
from framesift.cli.commands import app
from framesift.nn.time_perceiver import TimePerceiverConfig
from framesift.nn.time_perceiver_files import (
    SlowFastFilling,
    TimePerceiverCard,
    TrainedFor,
    save_filling,
)
from framesift_mcp import Tools, create_server
from framesift_server import Settings, create_app
from langchain_framesift import AskVideoTool, ChatFramesift, CompressVideoTool, VideoCompressor
from llama_index.llms.framesift import FramesiftMultiModalLLM

CLIP = "synthetic://number?seed=3"
"""Eight frames of 8 x 8 tokens: two segments of 64 tokens of the key frame and 16 of all four."""
QUESTION = "What number flashes?"
TOKENS = 2 * (64 + 16)
SPEC = "slow-fast"
KEEP = 0.5
FOREIGN = "slow-fast:filling=/etc/passwd"


@pytest.fixture(scope="module")
def vlm():
    return framesift.load_vlm("tiny")


@pytest.fixture(scope="module")
def sift(vlm):
    return framesift.VideoCompressor(vlm=vlm, strategy=SPEC, keep=KEEP)


@pytest.fixture(scope="module")
def expected(sift):
    return sift.ask(CLIP, QUESTION, evidence="attention")


@pytest.fixture(scope="module")
def trained(vlm, tmp_path_factory):
    """The spec of a network in a folder, made for the tokens of the model."""
    card = TimePerceiverCard(
        perceiver=TimePerceiverConfig(width=vlm.width, grid=(8, 8), out_grid=(4, 4)),
        stage="post",
        projector=None,
        segment=4,
        key_grid=(8, 8),
        include_key=True,
        trained_for=TrainedFor(vlm=vlm.spec, fingerprint=vlm.weights),
    )
    folder = tmp_path_factory.mktemp("weights") / "made"
    save_filling(SlowFastFilling(card), folder)
    return f"slow-fast:filling={folder}"


@pytest.fixture(scope="module")
def post(trained):
    """Posts a request about the clip to a server that allows one folder of weights."""
    settings = Settings(allow_synthetic=True, strategies=(trained,))
    with TestClient(create_app(settings)) as client:
        yield lambda path, **asked: client.post(path, json={"video": CLIP, **asked})


def called(tool, of=None, **asked):
    async def call():
        async with Client(create_server(of or Tools(strategy=SPEC, keep=KEEP))) as client:
            return await client.call_tool(tool, {"video": CLIP, **asked})

    return anyio.run(call)


def commanded(*arguments):
    return json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)


def tool(kind, **asked):
    made = kind(model="tiny", strategy=SPEC, keep=KEEP)
    call = ToolCall(type="tool_call", id="1", name=made.name, args={"video": CLIP, **asked})
    return made.invoke(call).artifact


def langchain_chat():
    blocks = [{"type": "video", "url": CLIP}, {"type": "text", "text": QUESTION}]
    chat = ChatFramesift(model="tiny", strategy=SPEC, keep=KEEP)
    said = chat.invoke([{"role": "user", "content": blocks}])
    return {**said.response_metadata, "text": said.text, "usage": said.response_metadata}


def llama_index_chat(vlm):
    blocks = [VideoBlock(url=CLIP), TextBlock(text=QUESTION)]
    llm = FramesiftMultiModalLLM(model=vlm, strategy=SPEC, keep=KEEP)
    return llm.chat([ChatMessage(role="user", blocks=blocks)]).raw


def test_every_surface_gives_the_answer_from_as_many_tokens(expected, vlm, post):
    options = ("-s", SPEC, "-k", str(KEEP))
    answers = {
        "command line": commanded("ask", CLIP, QUESTION, *options),
        "HTTP": post("/v1/ask", question=QUESTION, strategy=SPEC, compression_ratio=KEEP).json(),
        "MCP": called("ask_video", question=QUESTION).structured_content,
        "LangChain, tool": tool(AskVideoTool, question=QUESTION),
        "LangChain, chat model": langchain_chat(),
        "LlamaIndex, LLM": llama_index_chat(vlm),
    }
    wanted = expected.model_dump(mode="json")
    for surface, answer in answers.items():
        assert answer["text"] == wanted["text"], surface
        left_out = {"description"} if surface == "LangChain, tool" else set()  # of the whole video
        evidence = [
            {name: value for name, value in part.items() if name not in left_out}
            for part in wanted["evidence"]
        ]
        assert answer["evidence"] == evidence, surface
        assert answer["warnings"] == wanted["warnings"], surface
        assert answer["usage"]["visual_tokens_after"] == TOKENS, surface


def test_every_surface_reports_the_segments(sift, post):
    wanted = sift.compress(CLIP).report
    assert wanted.tokens_out == TOKENS
    assert len(wanted.segments) == 2
    options = ("-s", SPEC, "-k", str(KEEP), "--vlm", "tiny")
    reports = {
        "command line": commanded("compress", CLIP, *options),
        "HTTP": post("/v1/compress", strategy=SPEC, compression_ratio=KEEP).json()["report"],
    }
    segments = wanted.model_dump(mode="json")["segments"]
    for surface, report in reports.items():
        assert report["segments"] == segments, surface
    agents = {  # are told of the whole, since what they are told stays in the conversation
        "MCP": called("compress_video", compression_ratio=KEEP, images=1).structured_content,
        "LangChain, tool": tool(CompressVideoTool)["report"],
    }
    for surface, shown in agents.items():
        assert "segments" not in shown, surface
        assert (shown["tokens_out"], shown["strategy"]) == (TOKENS, SPEC), surface
    assert agents["MCP"]["frames_shown"] == agents["MCP"]["frames_in"] == 8
    assert agents["LangChain, tool"]["frames_out"] == wanted.frames_out


def test_anybody_may_name_the_network_that_comes_along(post):
    asked = {"strategy": "slow-fast:filling=tiny", "compression_ratio": 0.25}
    made = post("/v1/compress", **asked).json()["report"]
    assert (made["tokens_out"], made["warnings"]) == (2 * (16 + 16), [])
    shown = called("compress_video", of=Tools(), strategy=asked["strategy"]).structured_content
    assert shown["tokens_out"] == 2 * (16 + 16)


def test_a_step_of_a_chain_hands_the_tokens_of_segments_to_an_engine(sift):
    step = VideoCompressor(vlm="tiny", strategy=SPEC, keep=KEEP)
    prompt = step.invoke(CLIP)
    assert prompt.tokens_after == TOKENS
    assert prompt.prompt_embeds


@pytest.mark.parametrize("path", ["/v1/compress", "/v1/ask", "/v1/jobs"])
def test_a_request_names_no_folder_of_weights_but_the_one_that_the_operator_allows(
    post, trained, path
):
    kind = {"/v1/ask": {"question": QUESTION}, "/v1/jobs": {"kind": "compress"}}.get(path, {})
    refused = post(path, strategy=FOREIGN, **kind)
    assert refused.status_code == 403
    assert FOREIGN in refused.json()["detail"]
    done = post(path, strategy=trained, compression_ratio=KEEP, **kind).json()
    if path == "/v1/jobs":
        assert done["status"] in ("waiting", "running")
    elif path == "/v1/ask":
        assert done["usage"]["visual_tokens_after"] == TOKENS
    else:
        assert (done["report"]["tokens_out"], done["report"]["strategy"]) == (TOKENS, trained)


def test_a_call_of_an_agent_names_no_folder_of_weights_but_the_server_s(trained):
    refused = called("compress_video", of=Tools(), strategy=FOREIGN)
    assert refused.is_error
    assert "may not name files" in refused.content[0].text
    server = Tools(strategy=trained, keep=KEEP)
    for asked in ({"strategy": trained}, {}):
        made = called("compress_video", of=server, compression_ratio=KEEP, images=1, **asked)
        assert made.structured_content["tokens_out"] == TOKENS
    answer = called("ask_video", of=server, question=QUESTION).structured_content
    assert answer["usage"]["visual_tokens_after"] == TOKENS
