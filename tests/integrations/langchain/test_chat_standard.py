"""LangChain's standard suites for chat models, over the embedded model and over a scripted one."""

import json
from types import SimpleNamespace

import pytest

pytest.importorskip("langchain_tests")

import httpx
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from PIL import Image

import framesift
from framesift import Answer, AnswerStream, Usage
from langchain_framesift.chat_models import ChatFramesift

USAGE = Usage(
    visual_tokens_before=0,
    visual_tokens_after=0,
    prompt_tokens=10,
    cached_tokens=0,
    answer_tokens=5,
    encode_seconds=0.0,
    prefill_seconds=0.0,
    decode_seconds=0.0,
    kv_cache_bytes=0,
    finish_reason="stop",
    positions="original",
)


@pytest.fixture(scope="module")
def diagram(tmp_path_factory):
    path = tmp_path_factory.mktemp("diagram") / "diagram.png"
    Image.effect_noise((64, 48), 90).convert("RGB").save(path)
    return path


@pytest.fixture(autouse=True)
def picture_served_from_here(monkeypatch, diagram):
    """The suite's one picture comes from a file, for the suite and for the model alike."""

    def get(url, **_):
        assert url.startswith("https://raw.githubusercontent.com/langchain-ai/docs/")
        return SimpleNamespace(content=diagram.read_bytes())

    opened = framesift.open_video

    def open_here(uri, limits, **options):
        return opened(str(diagram) if uri.startswith("https://raw.") else uri)

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setattr("framesift.serving.assistant.open_video", open_here)


class Vision:
    """What every chat model of the package is."""

    chat_model_class = ChatFramesift
    chat_model_params = {"model": "tiny"}
    supports_image_inputs = True
    supports_image_urls = True
    supports_image_tool_message = True
    supports_video_inputs = True
    model_override_value = "tiny:dtype=float32"


class TestUnit(Vision, ChatModelUnitTests):
    @pytest.mark.xfail(
        reason="The suite loads only classes of LangChain's own list; see test_load."
    )
    def test_serdes(self, model, snapshot):
        super().test_serdes(model, snapshot)


class TestEmbeddedModel(Vision, ChatModelIntegrationTests):
    """The embedded model knows a few hundred words and no JSON."""

    # Nothing in the suite is a question that the embedded model was taught, so that it might well
    # say nothing; drawing almost evenly among all words, it says something.
    chat_model_params = {"model": "tiny", "temperature": 100.0, "seed": 0, "max_tokens": 12}
    has_tool_calling = False
    has_structured_output = False


class Obedient:
    """Stands for a model that does what it is told: calls a tool until it sees a result."""

    def reply(self, messages, **options):
        return Answer(text=self._text(messages), usage=USAGE)

    def stream(self, messages, **options):
        def work(on_text, cancelled):
            text = self._text(messages)
            for character in text:
                on_text(character)
            return Answer(text=text, usage=USAGE)

        return AnswerStream(work)

    def _text(self, messages):
        told, asked = messages[0], messages[-1]
        _, _, tools = told.text.partition("\nTools:\n")
        is_answered = asked.text.startswith(("Result of the tool", "Error of the tool"))
        if not tools or (is_answered and "You must call" not in told.text):
            return "That is it."
        function = json.loads(tools.splitlines()[0])
        arguments = {
            name: 3 if about.get("type") == "integer" else asked.text
            for name, about in function["parameters"]["properties"].items()
        }
        call = {"name": function["name"], "arguments": arguments}
        return json.dumps({"tool_calls": [call]}, ensure_ascii=False)


class ObedientChat(ChatFramesift):
    def assistant(self, model):
        return Obedient()


class TestToolProtocol(Vision, ChatModelIntegrationTests):
    """Tools and structured output, by a model whose words are scripted."""

    chat_model_class = ObedientChat


def test_the_stand_in_hears_of_tools_only_by_the_documented_words():
    seen = []

    class Listening(Obedient):
        def reply(self, messages, **options):
            seen.append(messages)
            return super().reply(messages, **options)

    class ListeningChat(ChatFramesift):
        def assistant(self, model):
            return Listening()

    schema = {"title": "add", "description": "Adds.", "type": "object", "properties": {}}
    chat = ListeningChat(model="tiny")
    chat.bind_tools([schema]).invoke("What is 1 + 2?")
    chat.invoke("What is 1 + 2?")
    with_tools, without = seen
    assert [message.role for message in with_tools] == ["system", "user"]
    assert '{"tool_calls": [{"name": "<tool>", "arguments": {...}}]}' in with_tools[0].text
    assert json.loads(with_tools[0].text.splitlines()[-1])["name"] == "add"
    assert [message.role for message in without] == ["user"]
    assert without[0].text == "What is 1 + 2?"
