"""What stands in `docs/` is executed: Python, what a terminal shows, and lines that can be pasted.

A block of `console` holds commands of framesift and what they print, where `...` is any text, and
on a line of its own any lines. A block of `sh` holds what cannot be run here, such as an
installation: each of its lines is checked against what it names.
"""

import asyncio
import re
import shlex
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest
import uvicorn
from packaging.requirements import Requirement
from pytest_examples import CodeExample, EvalExample, find_examples

from chat_server import chat_server, said
from framesift import cli
from framesift.cli.commands import app
from framesift.sources.base import open_video
from framesift_server import Settings
from framesift_server.gateway import GatewaySettings, create_gateway

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
SENT = "http://127.0.0.1:8080/v1/"
"""What pages send there is sent to a server by its own tests."""
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
    """A folder with the file and the folder that pages speak of."""
    (tmp_path / "talk.mp4").write_bytes(footage)
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "talk.mp4").write_bytes(footage)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLAMA_INDEX_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def own_loop():
    """An event loop that is closed at the end; LlamaIndex leaves the one open that it makes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """The address of a gateway before an endpoint that counts the pictures it is shown."""
    with chat_server(counted_pictures) as upstream:
        settings = GatewaySettings(
            upstream=upstream.url,
            allow_synthetic=True,
            state_folder=tmp_path_factory.mktemp("state"),
        )
        app = create_gateway(settings)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def endpoint(gateway, monkeypatch):
    """The gateway stands where the clients of OpenAI look."""
    monkeypatch.setenv("OPENAI_BASE_URL", gateway)
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def counted_pictures(request):
    """Answers with the number of pictures, each of which has to be a JPEG after its time."""
    parts = request["messages"][0]["content"]
    shown = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert all(url.startswith("data:image/jpeg;base64,") for url in shown)
    return said(f"{len(shown)} pictures.")


@pytest.mark.usefixtures("at_home", "own_loop", "endpoint")
@pytest.mark.parametrize(
    "example", list(find_examples(*map(str, PAGES))), ids=lambda e: f"{e.path.stem}-{e.start_line}"
)
def test_python_blocks_run_and_print_what_they_say(example: CodeExample, eval_example: EvalExample):
    if example.prefix_settings().get("test") == "skip":
        pytest.skip("packages that are not installed here; tests of the batch run it")
    eval_example.run_print_check(example)


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("text", blocks("console"))
def test_a_terminal_shows_what_pages_say(text, monkeypatch, capsys):
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
    commands = re.split(r"\n(?=\S)", text)  # what goes on begins with a space
    for words in (shlex.split(command, comments=True) for command in commands):
        match words:
            case []:
                pass
            case ["pip", "install", *wanted]:
                check_installation(wanted)
            case ["make", *targets]:
                targets = [target for target in targets if "=" not in target]
                there = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
                assert set(targets) <= set(there)
            case ["framesift", "serve" | "gateway" as command, *options]:
                settings = {"serve": Settings, "gateway": GatewaySettings}[command]
                named = {word[2:].replace("-", "_") for word in options if word.startswith("--")}
                assert named <= set(settings.model_fields)
            case ["framesift", "play", *options]:
                app.commands["play"].make_context("play", options)
            case ["curl", *rest]:
                assert any(word.startswith(SENT) for word in rest)
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
