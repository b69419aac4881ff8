"""The page of the MCP server: what can be pasted works."""

import json
import re
from pathlib import Path

import pytest
from pytest_examples import CodeExample, EvalExample, find_examples

from framesift_mcp import _parser

PAGE = Path(__file__).parents[3] / "integrations" / "mcp" / "README.md"


@pytest.mark.parametrize("example", list(find_examples(str(PAGE))), ids=str)
def test_python_blocks_run_and_print_what_they_say(example: CodeExample, eval_example: EvalExample):
    eval_example.run_print_check(example)


def test_the_configuration_of_a_client_is_understood():
    text = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    entry = json.loads(text)["mcpServers"]["framesift"]
    command, *arguments = entry["args"]
    assert (entry["command"], command) == ("uvx", "framesift-mcp")
    assert _parser().parse_args(arguments).folder == [Path("/home/me/Videos")]
