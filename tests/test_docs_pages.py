"""What stands in `docs/` is executed: Python, what a terminal shows, and lines that can be pasted.

A block of `console` holds commands of framesift and what they print, where `...` is any text, and
on a line of its own any lines. A block of `sh` holds what cannot be run here, such as an
installation: each of its lines is checked against what it names.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pytest_examples import CodeExample, EvalExample, find_examples

from framesift import cli
from framesift.sources.base import open_video

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = [
    (page.relative_to(ROOT / "docs").as_posix(), language, text)
    for page in PAGES
    for language, text in FENCE.findall(page.read_text())
]
LOADED = re.compile(
    r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?((?:https?:)?//[^\s\">]+)", re.IGNORECASE
)
LANGUAGES = {"python", "console", "sh"}
OTHER_PROGRAMS = ("vllm serve ", "ollama pull ", "python -m sglang.launch_server ")
"""They are not installed where tests run, and take no part in what framesift promises."""


def blocks(wanted):
    return [
        pytest.param(text, id=f"{page}-{number}")
        for number, (page, language, text) in enumerate(BLOCKS)
        if language == wanted
    ]


@pytest.fixture(scope="module")
def footage():
    """A short video that stands for a reader's own."""
    with open_video("synthetic://mixed?seconds=6&width=320&height=180") as video:
        return video.path.read_bytes()


@pytest.fixture
def at_home(footage, tmp_path, monkeypatch):
    """A folder with the file that pages speak of."""
    (tmp_path / "talk.mp4").write_bytes(footage)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "example", list(find_examples(*map(str, PAGES))), ids=lambda e: f"{e.path.stem}-{e.start_line}"
)
def test_python_blocks_run_and_print_what_they_say(
    example: CodeExample, eval_example: EvalExample, at_home
):
    eval_example.run_print_check(example)


@pytest.mark.parametrize("text", blocks("console"))
def test_a_terminal_shows_what_pages_say(text, at_home, monkeypatch, capsys):
    commands = [part.partition("\n") for part in re.split(r"^\$ ", text, flags=re.MULTILINE)]
    assert not commands[0][0], "a block of console begins with '$ ' and a command"
    code = 0
    for command, _, shown in commands[1:]:
        program, *arguments = shlex.split(command)
        if program == "echo":
            assert arguments == ["$?"]
            printed = f"{code}\n"
        else:
            assert program == "framesift"
            monkeypatch.setattr(sys, "argv", [program, *arguments])
            with pytest.raises(SystemExit) as ended:
                cli.main()
            code = ended.value.code or 0
            captured = capsys.readouterr()
            printed = captured.err + captured.out
        assert re.fullmatch(pattern_of(shown), printed), f"{command} printed:\n{printed}"


def pattern_of(shown):
    """Returns the pattern of what is printed where a page shows this."""
    any_text = re.escape("...")
    return "".join(
        "(?s:.*)" if line == "...\n" else re.escape(line).replace(any_text, ".*")
        for line in shown.splitlines(keepends=True)
    )


@pytest.mark.parametrize("text", blocks("sh"))
def test_lines_to_paste_name_what_is_there(text):
    lines = text.replace("\\\n", "").splitlines()
    for words in (shlex.split(line, comments=True) for line in lines):
        match words:
            case []:
                pass
            case ["pip", "install", *wanted]:
                check_installation(wanted)
            case ["make", *targets]:
                targets = [target for target in targets if "=" not in target]
                there = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
                assert set(targets) <= set(there)
            case _:
                assert " ".join(words).startswith(OTHER_PROGRAMS), f"nothing checks {words}"


def check_installation(wanted):
    """Each distribution of ours has the extras that are asked for; others were tested together."""
    ours = {}
    for path in (ROOT / "pyproject.toml", *ROOT.glob("integrations/*/pyproject.toml")):
        project = tomllib.loads(path.read_text())["project"]
        ours[project["name"]] = set(project.get("optional-dependencies", ()))
    pinned = re.findall("^[^=]+", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    for requirement in map(Requirement, wanted):
        if requirement.name in ours:
            assert requirement.extras <= ours[requirement.name]
        else:
            assert requirement.name in pinned


def test_every_block_is_of_a_kind_that_is_run():
    assert {language for _, language, _ in BLOCKS} <= LANGUAGES


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        check=True,
    )
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > len(PAGES)
    found = {
        (page.relative_to(tmp_path), address)
        for page in pages
        for address in LOADED.findall(page.read_text())
    }
    assert not found
