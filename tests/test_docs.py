"""What is written is executed: README's code blocks and tables."""

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest
from click.testing import CliRunner
from pytest_examples import CodeExample, EvalExample, find_examples

from benchmarks.readme import RESULTS, refreshed
from framesift.cli.commands import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "PARTS.md", "CONTRIBUTING.md", "ARCHITECTURE.md")]


@pytest.mark.parametrize("example", list(find_examples(*map(str, PAGES))), ids=str)
def test_python_blocks_run_and_print_what_they_say(
    example: CodeExample, eval_example: EvalExample, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if example.prefix_settings().get("test") == "skip":
        pytest.skip("marked as not to be run")
    eval_example.run_print_check(example)


@pytest.mark.parametrize(
    "page",
    [*PAGES, *(ROOT / f"docs/{name}.md" for name in ("choosing", "measured", "scale"))],
    ids=lambda page: page.name,
)
def test_generated_tables_are_fresh(page):
    text = page.read_text()
    assert refreshed(text, ROOT / RESULTS) == text, "run: make table"


def test_readme_is_short_and_names_its_two_commands_first():
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= 180
    first = text.partition("## What it does")[0]
    assert "make demo" in first
    assert "make test" in first
    assert text.index("pip install 'framesift[hf]'") < text.index("$ framesift"), "install first"


def test_readmes_first_command_is_that_of_make_demo_and_prints_what_it_says():
    lines = iter((ROOT / "README.md").read_text().splitlines())
    command = next(line for line in lines if line.startswith("    $ framesift ask"))
    shown = [line.removeprefix("    ") for line in takewhile(str.strip, lines)]
    printed = CliRunner().invoke(app, shlex.split(command)[2:]).stdout
    makefile = (ROOT / "Makefile").read_text()
    assert f"$(BIN)/{command.strip(' $')}\n" in makefile, "make demo runs another command"
    assert len(shown) == 3
    for line in shown:
        # The share of the weight may differ by a per cent between processors.
        assert re.sub(r": \d+% of the weight$", "", line) in printed
