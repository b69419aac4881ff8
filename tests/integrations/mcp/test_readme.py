"""The page of the MCP server: what can be pasted works."""

import json
import re
from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

import framesift_mcp

PAGE = Path(__file__).parents[3] / "integrations" / "mcp" / "README.md"


@pytest.mark.parametrize("example", list(find_examples(str(PAGE))), ids=str)
def test_python_blocks_run_and_print_what_they_say(example: CodeExample, eval_example: EvalExample):
    eval_example.run_print_check(example)


def test_the_configuration_of_a_client_is_understood(monkeypatch):
    text = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    entry = json.loads(text)["mcpServers"]["framesift"]
    command, *arguments = entry["args"]
    assert (entry["command"], command) == ("uvx", "framesift-mcp")
    given = {}

    class Noted(framesift_mcp.Tools):
        def __init__(self, vlm, **options):
            given.update(options)
            super().__init__(vlm, **options)

    monkeypatch.setattr(framesift_mcp, "Tools", Noted)
    monkeypatch.setattr("mcp.server.mcpserver.MCPServer.run", lambda self, transport: None)
    framesift_mcp.main(arguments)
    assert given["folders"] == [Path("/home/me/Videos")]
