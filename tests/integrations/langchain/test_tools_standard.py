"""LangChain's standard suites for tools."""

import pytest

pytest.importorskip("langchain_tests")

from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from langchain_framesift.tools import (
    AskVideoTool,
    CompressVideoTool,
    FindInVideoTool,
    ReadVideoTextTool,
)

CLIP = "synthetic://number?seed=3"


class Compress:
    tool_constructor = CompressVideoTool
    tool_invoke_params_example = {"video": CLIP}


class Ask:
    tool_constructor = AskVideoTool
    tool_constructor_params = {"model": "tiny"}
    tool_invoke_params_example = {"video": CLIP, "question": "What number flashes?"}


class Find:
    tool_constructor = FindInVideoTool
    tool_constructor_params = {"model": "tiny"}
    tool_invoke_params_example = {"video": CLIP, "query": "a number", "count": 2}


class Read:
    tool_constructor = ReadVideoTextTool
    tool_constructor_params = {"text": "subtitles"}
    tool_invoke_params_example = {"video": CLIP}


class TestCompressUnit(Compress, ToolsUnitTests):
    pass


class TestCompress(Compress, ToolsIntegrationTests):
    pass


class TestAskUnit(Ask, ToolsUnitTests):
    pass


class TestAsk(Ask, ToolsIntegrationTests):
    pass


class TestFindUnit(Find, ToolsUnitTests):
    pass


class TestFind(Find, ToolsIntegrationTests):
    pass


class TestReadUnit(Read, ToolsUnitTests):
    pass


class TestRead(Read, ToolsIntegrationTests):
    pass


@pytest.mark.parametrize("kind", [Compress, Ask, Find, Read])
def test_an_example_is_all_that_an_agent_must_give(kind):
    schema = kind.tool_constructor.model_fields["args_schema"].default.model_json_schema()
    assert set(schema["required"]) <= set(kind.tool_invoke_params_example)
    assert all(about["description"] for about in schema["properties"].values())
